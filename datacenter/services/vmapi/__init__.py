"""VMAPI: the VMs of the data center, and the jobs that make, change and destroy them."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from datacenter.feed_routes import FeedRoutes
from datacenter.feed_socket import FeedSocket
from datacenter.restify import service
from datacenter.services.vmapi import record
from datacenter.services.vmapi.actions import Actions
from datacenter.services.vmapi.changefeed import VmChangefeed
from datacenter.services.vmapi.doomed import Doomed
from datacenter.services.vmapi.job_polls import JobPolls
from datacenter.services.vmapi.job_routes import JobRoutes
from datacenter.services.vmapi.metadata_routes import MetadataRoutes
from datacenter.services.vmapi.migrations import MigrationRoutes
from datacenter.services.vmapi.nic_steps import NicSteps
from datacenter.services.vmapi.nic_workflows import nic_workflows
from datacenter.services.vmapi.placing import Placing
from datacenter.services.vmapi.record import Vm
from datacenter.services.vmapi.role_tag_routes import RoleTagRoutes
from datacenter.services.vmapi.role_tags import RoleTags
from datacenter.services.vmapi.routes import VmRoutes
from datacenter.services.vmapi.snapshot_workflows import snapshot_workflows
from datacenter.services.vmapi.steps import Steps
from datacenter.services.vmapi.table import INDEXED, Promised, VmTable
from datacenter.services.vmapi.workflows import workflows
from datacenter.workflow.failure import TaskError
from datacenter.workflow.job import UNFINISHED

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.workflow.job import Job

NAME = "vmapi"
SERVER = "VMAPI/9.16.0"
LOAD_LIMIT = 30.0
GONE_FROM_NODE = frozenset({"VmNotFound", "ResourceNotFound"})


class Vmapi:
    """The service and its in-process door for the others."""

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self.table = VmTable(dc.store)
        self.changefeed = VmChangefeed()
        self.table.watch(self.changefeed.vm_changed)
        self._names: set[tuple[str, str]] = set()
        self.jobs = dc.wfapi.engine
        self.role_tags = RoleTags(dc.store)
        self.table.watch(self.role_tags.vm_changed)
        self.doomed = Doomed(dc.store, self.table, self.jobs)
        steps = Steps(dc, self)
        self.jobs.define(workflows(steps))
        self.jobs.define(nic_workflows(steps, NicSteps(dc, self, steps)))
        self.jobs.define(snapshot_workflows(steps))
        self.placing = Placing(dc, self)
        self.actions = Actions(dc, self)
        self.app = service(NAME, SERVER)
        self.app.wsgi_app = JobPolls(self.app.wsgi_app, self.jobs, NAME, SERVER)  # type: ignore[method-assign]
        for routes in (
            VmRoutes(dc, self),
            JobRoutes(self),
            MetadataRoutes(dc, self),
            FeedRoutes(self.changefeed),
            RoleTagRoutes(self),
            MigrationRoutes(self),
        ):
            self.app.register_blueprint(routes.blueprint())
        self.table.watch(dc.fwapi.spread.vm_changed)

    def upgrade(self, environ: dict[str, Any], sock: socket.socket) -> None:
        """Serve the change feed on a connection that asked for WebSocket."""
        FeedSocket(self.changefeed, environ, sock).run()

    # the other services' door

    def vm(self, uuid: str) -> Vm | None:
        return self.table.get(uuid)

    def vms(self, **equal: Any) -> list[Vm]:
        """VMs whose fields equal the given values, destroyed and failed ones too."""
        indexed = next((field for field in INDEXED if field in equal), None)
        found = self.table.all() if indexed is None else self.table.where(indexed, equal[indexed])
        return [vm for vm in found if all(vm.get(field) == value for field, value in equal.items())]

    def active_of(self, owner_uuid: str) -> list[Vm]:
        """An account's VMs that are neither destroyed nor failed."""
        return self.table.active("owner_uuid", owner_uuid)

    def on_server(self, server_uuid: str) -> list[Vm]:
        """A server's VMs that are neither destroyed nor failed."""
        return self.table.active("server_uuid", server_uuid)

    def promised(self, server_uuid: str) -> Promised:
        return self.table.promised(server_uuid)

    def node_started(self, server_uuid: str) -> None:
        """Remove what could not be removed while the node was away."""
        self.doomed.node_started(server_uuid)

    # what routes and jobs do to VMs

    def apply(self, uuid: str, update: Mapping[str, Any]) -> Vm | None:
        """Take news from a VM's node into its record and return it; None for a VM nobody knows."""
        vm = self.table.get(uuid)
        if vm is None:
            return None
        after = record.news(vm, dict(update))
        if after is vm:
            return vm
        if after["state"] != vm["state"] and after["state"] in ("running", "stopped"):
            self._dc.napi.nics.set_state(uuid, after["state"])
        return self.table.put(after)

    def put(self, told: Mapping[str, Any]) -> Vm | None:
        """Take in a put of a VM: news of one that is known, or the whole of one that is not.

        One that is told to be destroyed is gone with its nics. None for news of a VM nobody knows.
        """
        vm = self.table.get(told["uuid"])
        if vm is None:
            whole = record.adopted(dict(told))
            return None if whole is None else self.table.put(whole)
        if told.get("state") == "destroyed" and vm["state"] not in ("destroyed", "failed"):
            return self.gone(vm)
        return self.apply(vm["uuid"], told)

    def gone(self, vm: Vm) -> Vm:
        """List a VM as destroyed that its node doesn't have any more, and free what it had."""
        with self._dc.store.transaction():
            self._dc.napi.release_nics(vm["uuid"])
            after = self.table.put(record.destroyed(vm))
        self._dc.volapi.needs.release(vm["uuid"])
        self._dc.fwapi.vm_destroyed(vm["uuid"])
        return after

    def load(self, vm: Vm, request_id: str = "") -> Vm:
        """Ask the VM's node how it is, and return the record after that.

        A VM that its node doesn't know any more is destroyed; one whose provisioning ended without telling, failed.
        While it is being provisioned it is left to its job, which knows better. Raises TaskError.
        """
        if vm["state"] in ("destroyed", "failed") or self._is_being_made(vm):
            return vm
        try:
            params = {"uuid": vm["uuid"]}
            answer = self._dc.cnapi.task(
                vm["server_uuid"], "machine_load", params, timeout=LOAD_LIMIT, req_id=request_id
            )
        except TaskError as error:
            if error.rest_code not in GONE_FROM_NODE:
                raise
            now = self.table.get(vm["uuid"]) or vm
            if now["state"] != "provisioning":
                return self.gone(now)
            with self._dc.store.transaction():
                self._dc.napi.release_nics(vm["uuid"])
                return self.table.put(record.failed(now))
        return self.apply(vm["uuid"], answer.get("vm") or {}) or vm

    def _is_being_made(self, vm: Vm) -> bool:
        if vm["state"] != "provisioning":
            return False
        under_way = (self.jobs.find({"vm_uuid": vm["uuid"], "execution": state}) for state in UNFINISHED)
        return any(job["task"] == "provision" for jobs in under_way for job in jobs)

    def is_name_taken(self, owner_uuid: str, alias: str) -> bool:
        """Whether an active VM of the account has this alias, or is about to get it."""
        return (owner_uuid, alias) in self._names or self.table.named(owner_uuid, alias) is not None

    def reserve_name(self, owner_uuid: str, alias: str) -> None:
        """Keep an alias for a VM that is being renamed, until ``release_name``."""
        self._names.add((owner_uuid, alias))

    def taken_up(self, jobs: Iterable[Job]) -> None:
        """Keep the aliases of VMs whose new name or owner an earlier process left unfinished."""
        for job in jobs:
            if job.workflow.task != "update":
                continue
            payload, vm = job.params.get("payload", {}), self.table.get(job.vm_uuid)
            if vm is not None and payload.keys() & {"alias", "owner_uuid"}:
                owner, alias = (str(payload.get(field, vm[field])) for field in ("owner_uuid", "alias"))
                self.reserve_name(owner, alias)

    def release_name(self, owner_uuid: str, alias: str | None) -> None:
        if alias is not None:
            self._names.discard((owner_uuid, alias))

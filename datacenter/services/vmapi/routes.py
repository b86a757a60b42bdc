"""VMAPI's routes about VMs themselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Blueprint, Response, g, request

from datacenter.restify import RestError, is_uuid, params, reply, route_table, truthy
from datacenter.services.vmapi.listing import MESSAGE, Listing, check_owner, pick
from datacenter.services.vmapi.record import NOT_ON_NODES, Vm, as_put
from datacenter.workflow.failure import TaskError

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi
    from datacenter.workflow.job import Job

Doc = dict[str, Any]

PROC_LIMIT = 20.0
PROC_ERRORS = {
    "VmNotRunning": (409, "VmNotRunning"),
    "VmNotFound": (404, "ResourceNotFound"),
    "ResourceNotFound": (404, "ResourceNotFound"),
}
"""What CNAPI answers when a node fails to list processes, which VMAPI passes on."""


class VmRoutes:
    """The routes of this module, each a method."""

    def __init__(self, dc: DataCenter, vmapi: Vmapi) -> None:
        self._dc = dc
        self._vmapi = vmapi

    def blueprint(self) -> Blueprint:
        return route_table(
            "vms",
            {
                "GET /ping": self.ping,
                "GET /vms": self.list_vms,
                "POST /vms": self.create_vm,
                "PUT /vms": self.put_vms,
                "GET /vms/<uuid>": self.get_vm,
                "PUT /vms/<uuid>": self.put_vm,
                "POST /vms/<uuid>": self.act,
                "DELETE /vms/<uuid>": self.destroy,
                "GET /vms/<uuid>/proc": self.proc,
                "GET /statuses": self.statuses,
            },
        )

    def ping(self) -> Response:
        return reply(
            {
                "dataMigrations": {"latestCompletedMigrations": {"vms": 1}},
                "healthy": True,
                "initialization": {"moray": {"status": "BUCKETS_REINDEX_DONE"}},
                "pid": os.getpid(),
                "pingErrors": {},
                "status": "OK",
                "services": {"moray": "online", "wfapi": "online"},
            },
        )

    def list_vms(self) -> Response:
        """List VMs, or with HEAD count them. Without ``state`` destroyed and failed ones are among them."""
        listing = Listing(params())
        if request.method == "HEAD":
            return reply(x_joyent_resource_count=str(listing.count(self._vmapi.table)))
        page, total = listing.run(self._vmapi.table)
        body = [self._picked(vm, listing.fields) for vm in page]
        return reply(body, x_joyent_resource_count=str(total))

    def create_vm(self) -> Response:
        """Queue the provisioning of a VM, after everything that can be refused at once."""
        asked = checked_sync(params())
        vm_uuid, job_uuid = self._vmapi.placing.provision(asked, g.request_id, context())
        return accepted(self._dc, vm_uuid, job_uuid, sync=truthy(asked.get("sync")))

    def put_vms(self) -> Response:
        """Take in what a node says about its VMs."""
        server_uuid, news = request.args.get("server_uuid"), params().get("vms")
        for field, value in (("server_uuid", server_uuid), ("vms", news)):
            if not value:
                raise RestError(409, "ValidationFailed", MESSAGE, [{"field": field, "code": "MissingParameter"}])
        if not is_uuid(server_uuid):
            raise _invalid("server_uuid", "Invalid UUID")
        if not isinstance(news, dict):
            raise _invalid("vms", "Must be an object")
        with self._dc.store.transaction():
            for uuid, update in news.items():
                _check_uuid(uuid)
                self._vmapi.put({**_object(update), "uuid": uuid})
        return reply(status=200)

    def get_vm(self, uuid: str) -> Response:
        """One VM, destroyed ones too. ``sync`` asks its node first."""
        asked = params()
        vm = find(self._vmapi, uuid, asked)
        if truthy(asked.get("sync")):
            try:
                vm = self._vmapi.load(vm, g.request_id)
            except TaskError as error:
                raise error.rest() from error
        fields = str(asked["fields"]).split(",") if asked.get("fields") else None
        return reply(self._picked(vm, fields))

    def _picked(self, vm: Vm, fields: list[str] | None) -> Vm:
        return pick(self._shown(vm), fields, self._vmapi.role_tags.of)

    def put_vm(self, uuid: str) -> Response:
        """Take in what a node says about one of its VMs. A VM nobody knows is put on record if all of it is told."""
        _check_uuid(uuid)
        update = params()
        vm = self._vmapi.put(update)
        if vm is None:
            raise RestError(404, "ResourceNotFound", "VM not found")
        return reply(as_put(vm, update))

    def act(self, uuid: str) -> Response:
        """Queue an action: start, stop, kill, reboot, update."""
        asked = checked_sync(params())
        job = self._vmapi.actions.act(find(self._vmapi, uuid, asked), {**asked, "context": context()}, g.request_id)
        return accepted_job(self._dc, job, asked)

    def destroy(self, uuid: str) -> Response:
        asked = checked_sync(params())
        job = self._vmapi.actions.destroy(find(self._vmapi, uuid, asked), {**asked, "context": context()}, g.request_id)
        return accepted_job(self._dc, job, asked)

    def proc(self, uuid: str) -> Response:
        """The processes of a running VM."""
        vm = find(self._vmapi, uuid, params())
        if vm["state"] != "running":
            raise RestError(409, "VmNotRunning", f"VM {vm['uuid']} is not running")
        try:
            found = self._dc.cnapi.task(
                vm["server_uuid"], "machine_proc", {"uuid": vm["uuid"]}, timeout=PROC_LIMIT, req_id=g.request_id
            )
        except TaskError as error:
            status, code = PROC_ERRORS.get(error.rest_code, (500, "InternalError"))
            raise RestError(status, code, error.message) from error
        return reply(found.get("result", found))

    def statuses(self) -> Response:
        """The states of the VMs named by ``uuids``; what is unknown, or no uuid, is left out."""
        uuids = str(params().get("uuids", ""))
        if not uuids:
            raise RestError(409, "MissingParameter", "uuids is required")
        known = [vm for uuid in uuids.split(",") if (vm := self._vmapi.table.get(uuid)) is not None]
        return reply({vm["uuid"]: self._shown(vm)["state"] for vm in known})

    def _shown(self, vm: Vm) -> Vm:
        """A VM as it is told of: while its node is silent, nobody knows what state it is in."""
        if vm["state"] in NOT_ON_NODES or self._dc.cnapi.servers.is_running(str(vm["server_uuid"])):
            return vm
        return {**vm, "state": "unknown"}


def find(vmapi: Vmapi, uuid: str, asked: Doc) -> Vm:
    """The VM that a request is about. Raises RestError: 409 for no UUID, 404 for unknown and others' VMs."""
    _check_uuid(uuid)
    return check_owner(vmapi.table.get(uuid), asked)


def checked_sync(asked: Doc) -> Doc:
    """The request's parameters. Raises RestError when ``sync`` is neither true nor false."""
    if asked.get("sync") not in (None, "", True, False, "true", "false"):
        raise _invalid("sync", "Invalid parameter")
    return asked


def accepted_job(dc: DataCenter, job: Job, asked: Doc) -> Response:
    return accepted(dc, job.vm_uuid, job.uuid, sync=truthy(asked.get("sync")))


def accepted(dc: DataCenter, vm_uuid: str, job_uuid: str, *, sync: bool) -> Response:
    """202 with the uuids of VM and job; with ``sync`` only after the job, or its error."""
    if sync:
        try:
            dc.wfapi.engine.wait(job_uuid)
        except TaskError as error:
            raise error.rest() from error
    body = {"vm_uuid": vm_uuid, "job_uuid": job_uuid}
    return reply(body, 202, workflow_api=dc.settings.url("wfapi"))


def context() -> Doc | None:
    """The caller's own context, a JSON header that is kept with the job. Nonsense is left out."""
    try:
        decoded = msgspec.json.decode(request.headers.get("x-context", "null"))
    except msgspec.DecodeError:
        return None
    return decoded if isinstance(decoded, dict) else None


def _object(update: Any) -> Doc:
    if not isinstance(update, dict):
        raise _invalid("vms", "Must be an object of objects")
    return update


def _invalid(field: str, message: str) -> RestError:
    return RestError(409, "ValidationFailed", MESSAGE, [{"field": field, "code": "Invalid", "message": message}])


def _check_uuid(uuid: str) -> None:
    if not is_uuid(uuid) or uuid != uuid.lower():
        raise _invalid("uuid", "Invalid UUID")

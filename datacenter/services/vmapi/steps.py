"""The steps that VM jobs are made of: each works on ``job.params`` and on the VM's record and node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.services.vmapi import record
from datacenter.services.vmapi.record import Vm
from datacenter.services.vmapi.volume_steps import VolumeSteps
from datacenter.workflow.failure import TaskError

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi
    from datacenter.workflow.job import Job

Doc = dict[str, Any]
Step = Callable[["Job"], "str | None"]

PAYLOAD_ONLY = frozenset(
    {
        "networks",
        "task",
        "vm_uuid",
        "x-request-id",
        "context",
        "current_state",
        "sync",
        "package",
        "affinity",
        "locality",
        "role_tags",
    },
)
"""What a provisioning job carries that is no part of the payload for the node."""
FIREWALL_PATIENCE = 5.0
"""Seconds in which nodes should have heard of a rule or a VM; who has not by then is told later."""
NEVER = 10 * 365 * 86400.0
"""Seconds a node is given for what has no limit."""
ALREADY_THERE = frozenset({"VmNotRunning", "VmNotStopped", "VmAlreadyRunning", "VmAlreadyStopped", "SnapshotExists",
                           "SnapshotNotFound"})  # fmt: skip
"""Codes by which a node says that there is nothing left to do."""


class Steps:
    def __init__(self, dc: DataCenter, vmapi: Vmapi) -> None:
        self._dc = dc
        self._vmapi = vmapi
        self.volumes = VolumeSteps(dc, vmapi)

    # what all jobs share

    def vm(self, job: Job) -> Vm:
        """The VM's record. Raises TaskError when it has gone."""
        vm = self._vmapi.table.get(job.vm_uuid)
        if vm is None:
            raise TaskError("ResourceNotFound", "VM not found", 404)
        return vm

    def validate_params(self, job: Job) -> str:
        self.vm(job)
        return "All parameters OK!"

    def acquire_ticket(self, job: Job) -> str:
        """Queue up for the VM. Jobs of one VM run one after another."""
        seconds = float(job.doc["timeout"])
        tickets = self._dc.cnapi.tickets
        ticket = tickets.hold(self._server(job), job.vm_uuid, job.workflow.task, seconds, job.uuid)
        job.notes["ticket"] = ticket["uuid"]
        return f"Ticket {ticket['uuid']} created"

    def wait_for_ticket(self, job: Job) -> str:
        self._dc.cnapi.tickets.wait(job.notes["ticket"])
        return "Ticket is active"

    def release_ticket(self, job: Job) -> str:
        self._dc.cnapi.tickets.let_go(job.uuid)
        return "Ticket released"

    def ensure_state(self, *states: str) -> Step:
        """A step that refuses a VM in any other state, unless the caller asked for idempotence.

        The record may lag behind, so the node has the last word before a refusal.
        """

        def ensure(job: Job) -> str | None:
            vm = self.vm(job)
            if job.params.get("idempotent") or job.resumed or vm["state"] in states:
                return None
            vm = self._vmapi.load(vm, job.request_id)
            if vm["state"] not in states:
                verb = job.workflow.task
                raise TaskError(_wrong_state(states), f"Cannot {verb} a VM from a '{vm['state']}' state", 409)
            return None

        return ensure

    def node_task(self, name: str, build: Callable[[Job], Doc], limit: Callable[[Job], float]) -> Step:
        """A step that runs a task on the VM's node and keeps what it reports of the VM for ``put_vm``."""

        def run(job: Job) -> str:
            params = {"uuid": job.vm_uuid, **build(job)}
            try:
                answer = self._dc.cnapi.task(self._server(job), name, params, timeout=limit(job), req_id=job.request_id)
            except TaskError as error:
                wanted = job.params.get("idempotent") or job.resumed
                if not (wanted and error.rest_code in ALREADY_THERE):
                    self._refresh_after_failure(job)
                    raise
                return "Nothing to do"
            job.notes["news"] = answer.get("vm") or {}
            return "OK"

        return run

    def boot(self, job: Job) -> str:
        """Start the VM on its node and keep what it reports for ``put_vm``."""
        params = {"uuid": job.vm_uuid}
        try:
            answer = self._dc.cnapi.task(self._server(job), "machine_boot", params, timeout=120, req_id=job.request_id)
        except TaskError:
            self._refresh_after_failure(job)
            raise
        job.notes["news"] = answer.get("vm") or {}
        return "OK"

    def put_vm(self, job: Job) -> str:
        """Take what the node reported into the VM's record."""
        self._vmapi.apply(job.vm_uuid, job.notes.pop("news", {}))
        return "OK"

    # provision

    def clear_earlier_attempt(self, job: Job) -> str | None:
        """When the job runs again after a crash, remove what its first run may have left on the node."""
        if job.resumed and self.vm(job)["state"] == "provisioning":
            self._dc.cnapi.task(self._server(job), "machine_destroy", {"uuid": job.vm_uuid}, timeout=120)
        return None

    def ensure_image(self, job: Job) -> str:
        image_uuid = job.params["image_uuid"]
        self._dc.cnapi.ensure_image(self._server(job), image_uuid, req_id=job.request_id)
        return f"Image {image_uuid} present"

    def provision_vm(self, job: Job) -> str:
        vm = self.vm(job)
        if vm["state"] != "provisioning":
            return "VM was made before the restart"
        self._dc.fwapi.spread.settle(FIREWALL_PATIENCE, self._server(job))
        payload = {key: value for key, value in job.params.items() if key not in PAYLOAD_ONLY}
        payload |= {key: value for key, value in vm.items() if value is not None}
        answer = self._dc.cnapi.task(self._server(job), "machine_create", payload, timeout=3600, req_id=job.request_id)
        job.notes["news"] = {"state": "stopped", "zone_state": "installed", **(answer.get("vm") or {})}
        if vm["autoboot"]:
            answer = self._dc.cnapi.task(
                self._server(job),
                "machine_boot",
                {"uuid": job.vm_uuid, "job": job.uuid},
                timeout=120,
                req_id=job.request_id,
            )
            job.notes["news"] |= {"state": "running", "zone_state": "running", **(answer.get("vm") or {})}
        return "OK"

    def mark_failed(self, job: Job) -> str:
        """Whatever its record says by now: its zone and nics are gone."""
        vm = self._vmapi.table.get(job.vm_uuid)
        if vm is not None and vm["state"] not in {"destroyed", "failed"}:
            self._vmapi.table.put(record.failed(vm))
        return "VM marked as failed"

    def remove_zone(self, job: Job) -> str:
        """Remove whatever the node has made; noted for later when the node is away."""
        vm_uuid = job.vm_uuid
        self._vmapi.doomed.doom(vm_uuid, self._server(job))
        self._dc.cnapi.task(self._server(job), "machine_destroy", {"uuid": vm_uuid}, timeout=120)
        self._vmapi.doomed.undoom(vm_uuid)
        return "Zone removed"

    # destroy

    def kill_before_destroy(self, job: Job) -> str | None:
        """Cut short a stop that still waits for the VM's process: it holds the ticket, and is pointless now."""
        vm = self.vm(job)
        if vm["state"] == "running" and self._dc.cnapi.tickets.busy(vm["server_uuid"], vm["uuid"]):
            try:
                params = {"uuid": vm["uuid"], "signal": "SIGKILL"}
                self._dc.cnapi.task(vm["server_uuid"], "machine_kill", params, timeout=30, req_id=job.request_id)
            except TaskError as error:
                return f"Not killed: {error.message}"
        return None

    def destroy_vm(self, job: Job) -> str:
        if self.vm(job)["state"] == "destroyed":
            return "Destroyed already"
        self._dc.cnapi.task(
            self._server(job), "machine_destroy", {"uuid": job.vm_uuid}, timeout=180, req_id=job.request_id
        )
        return "OK"

    def mark_destroyed(self, job: Job) -> str:
        """List the VM as destroyed and free its addresses, now that its node has let go of it."""
        vm = self.vm(job)
        if vm["state"] != "destroyed":
            self._vmapi.gone(vm)
        return "VM marked as destroyed"

    def release_nics(self, job: Job) -> str:
        self._dc.napi.release_nics(job.vm_uuid)
        return "NICs removed"

    def update_firewall(self, job: Job) -> str:
        """Delete the rules of a VM that is gone; have all nodes know of one that is new or otherwise than before."""
        vm = self.vm(job)
        if vm["state"] in ("destroyed", "failed"):
            self._dc.fwapi.vm_destroyed(vm["uuid"])
        else:
            self._dc.fwapi.spread.settle(FIREWALL_PATIENCE)
        return "OK"

    # update

    def apply_update(self, job: Job) -> str:
        """Put the changed fields on record once the node keeps to them."""
        vm = self.vm(job)
        changes = record.changed(vm, job.params["payload"])
        changes |= {key: value for key, value in job.notes.pop("news", {}).items() if key in record.NODE_FIELDS}
        with self._dc.store.transaction():
            if changes.get("owner_uuid", vm["owner_uuid"]) != vm["owner_uuid"]:
                self._dc.napi.nics.set_owner(vm["uuid"], changes["owner_uuid"])
                changes["nics"] = [{**nic, "owner_uuid": changes["owner_uuid"]} for nic in vm["nics"]]
            self._vmapi.table.put({**vm, **changes, "last_modified": max(iso(), vm["last_modified"])})
        self.release_name(job)
        return "OK"

    def release_name(self, job: Job) -> str:
        """Let go of the name that the update reserved: by now the VM has it, or never will."""
        payload, vm = job.params["payload"], self._vmapi.table.get(job.vm_uuid)
        if payload.keys() & {"alias", "owner_uuid"} and vm is not None:
            owner = payload.get("owner_uuid", job.params["owner_uuid"])
            self._vmapi.release_name(owner, payload.get("alias", vm["alias"]))
        return "OK"

    def _server(self, job: Job) -> str:
        return str(job.params["server_uuid"])

    def _refresh_after_failure(self, job: Job) -> None:
        """Learn what became of the VM when its node could not do as told."""
        vm = self._vmapi.table.get(job.vm_uuid)
        if vm is None:
            return
        try:
            self._vmapi.load(vm, job.request_id)
        except TaskError as error:
            job.doc["info"].append({"message": f"state not refreshed: {error.message}"})


def _wrong_state(states: tuple[str, ...]) -> str:
    return "VmNotRunning" if "running" in states else "VmNotStopped"

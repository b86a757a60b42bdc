"""What may be done to a VM, checked before a job is queued for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError
from datacenter.services.vmapi import migrations
from datacenter.services.vmapi.life_plans import life_plans
from datacenter.services.vmapi.nic_plans import nic_plans
from datacenter.services.vmapi.plans import Planner
from datacenter.services.vmapi.record import Vm
from datacenter.services.vmapi.snapshot_plans import reprovision_plan, snapshot_plans
from datacenter.services.vmapi.updates import Updates
from datacenter.services.vmapi.validation import refuse
from datacenter.services.vmapi.workflows import METADATA

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi
    from datacenter.workflow.job import Job

Doc = dict[str, Any]

MESSAGE = "Invalid Parameters"
OF_DISKS = frozenset({"create_disk", "resize_disk", "delete_disk"})
CONTEXT = ("uuid", "action", "owner_uuid", "sync", "origin", "creator_uuid", "idempotent", "context")


class Actions:
    """Queue jobs for the VMs there are."""

    def __init__(self, dc: DataCenter, vmapi: Vmapi) -> None:
        self._dc = dc
        self._vmapi = vmapi
        self._updates = Updates(dc, vmapi)
        self._plans: dict[str, Planner] = {
            **life_plans(vmapi.jobs),
            **nic_plans(dc.napi.nics.new_mac),
            **snapshot_plans(),
            "reprovision": reprovision_plan(dc.imgapi.get),
        }
        """What may be done to a VM, beside updates: all that a real VMAPI can do to a container, and pauses."""

    def act(self, vm: Vm, asked: Doc, request_id: str) -> Job:
        """Queue the action that ``asked`` names. Raises RestError for what can't be done."""
        action = asked.get("action")
        if not action:
            raise refuse("action", "MissingParameter", "Must specify action", MESSAGE)
        if action in OF_DISKS:
            raise RestError(409, "BrandNotSupported", f"{action} is for VMs of brand bhyve; there are none here")
        if action == "migrate":
            raise migrations.refusal(asked.get("migration_action"))
        planner = self._plans.get(action)
        if planner is None and action != "update":
            raise refuse("action", "Invalid", f"Invalid action: {action}", MESSAGE)
        if vm["state"] == "provisioning" or not vm.get("server_uuid"):
            raise RestError(409, "UnallocatedVM", "VM is not allocated to a server yet")
        if planner is None:
            return self.update(vm, {key: asked[key] for key in asked.keys() - set(CONTEXT)}, asked, request_id)
        plan = planner(vm, asked)
        return self._submit(plan.workflow, vm, plan.params, asked, request_id, timeout=plan.timeout)

    def destroy(self, vm: Vm, asked: Doc, request_id: str) -> Job:
        """Queue the destruction of a VM, running or not."""
        if not vm.get("server_uuid"):
            raise RestError(409, "Conflict", "VM is not allocated to a server yet")
        return self._submit("destroy", vm, {"current_state": vm["state"]}, asked, request_id)

    def update(self, vm: Vm, changes: Doc, asked: Doc, request_id: str) -> Job:
        """Queue a change of a VM's fields. Metadata is replaced as a whole. Raises RestError."""
        return self._submit("update", vm, self._updates.plan(vm, changes).params, asked, request_id)

    def set_metadata(self, vm: Vm, kind: str, value: Doc, asked: Doc, request_id: str) -> Job:
        """Queue the replacement of tags, customer_metadata or internal_metadata."""
        assert kind in METADATA
        if vm["state"] == "provisioning":
            raise RestError(409, "UnallocatedVM", "VM is not allocated to a server yet")
        return self.update(vm, {kind: value}, asked, request_id)

    def _submit(
        self,
        task: str,
        vm: Vm,
        params: Doc,
        asked: Doc,
        request_id: str,
        *,
        timeout: int | None = None,
    ) -> Job:
        full = {
            "task": task,
            **params,
            "vm_uuid": vm["uuid"],
            "owner_uuid": vm["owner_uuid"],
            "server_uuid": vm["server_uuid"],
            "x-request-id": request_id,
        }
        full |= {field: asked[field] for field in ("context", "origin", "creator_uuid") if asked.get(field)}
        return self._vmapi.jobs.submit(task, f"/{task.replace('_', '-')}-{vm['uuid']}", full, timeout)

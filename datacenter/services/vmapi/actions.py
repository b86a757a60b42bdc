"""What may be done to a VM, checked before a job is queued for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError, truthy
from datacenter.services.vmapi.life_plans import life_plans
from datacenter.services.vmapi.nic_plans import nic_plans
from datacenter.services.vmapi.plans import Planner
from datacenter.services.vmapi.record import SETTABLE, Vm
from datacenter.services.vmapi.snapshot_plans import reprovision_plan, snapshot_plans
from datacenter.services.vmapi.validation import NO_PACKAGE, Problems, check_types, refuse
from datacenter.services.vmapi.workflows import METADATA

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi
    from datacenter.workflow.job import Job

Doc = dict[str, Any]

OF_DISKS = frozenset({"create_disk", "resize_disk", "delete_disk"})
CONTEXT = ("uuid", "action", "owner_uuid", "sync", "origin", "creator_uuid", "idempotent", "context")
RESIZE = ("cpu_cap", "max_lwps", "max_physical_memory", "max_swap", "zfs_io_priority")
UPDATABLE = SETTABLE - {"server_uuid", "image_uuid", "nics", "filesystems", "owner_uuid"}
MIB_IN_GIB = 1024


class Actions:
    """Queue jobs for the VMs there are."""

    def __init__(self, dc: DataCenter, vmapi: Vmapi) -> None:
        self._dc = dc
        self._vmapi = vmapi
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
            raise refuse("action", "MissingParameter", "Must specify action")
        if action in OF_DISKS:
            raise RestError(409, "BrandNotSupported", f"{action} is for VMs of brand bhyve; there are none here")
        planner = self._plans.get(action)
        if planner is None and action != "update":
            raise refuse("action", "Invalid", f"Invalid action: {action}")
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
        problems = Problems()
        for field in changes.keys() - UPDATABLE - {"force", "new_owner_uuid"}:
            problems.invalid(field, "is not updatable")
        check_types(changes, problems)
        problems.check()
        payload = {field: value for field, value in changes.items() if field in UPDATABLE}
        for kind in METADATA:
            if kind in payload:
                payload |= _replacing(kind, vm[kind], payload.pop(kind))
        self._resize(vm, payload)
        if not truthy(changes.get("force")):
            self._check_capacity(vm, payload)
        if payload.get("alias") == vm["alias"]:
            del payload["alias"]
        if "alias" in payload:
            if self._vmapi.is_name_taken(vm["owner_uuid"], payload["alias"]):
                raise refuse("alias", "Duplicate", "Already exists for this owner_uuid", "Invalid VM update parameters")
            self._vmapi.reserve_name(vm["owner_uuid"], payload["alias"])
        subtask = "rename" if "alias" in payload else "resize" if payload.keys() & set(RESIZE) else "update"
        params = {"payload": payload, "subtask": subtask, "last_modified": vm["last_modified"]}
        return self._submit("update", vm, params, asked, request_id)

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

    def _resize(self, vm: Vm, payload: Doc) -> None:
        """Fill in what a new package, or ``ram`` alone, says about sizes."""
        billing_id = payload.get("billing_id")
        if billing_id not in {None, NO_PACKAGE, vm["billing_id"]}:
            package = self._dc.papi.get(str(billing_id))
            if package is None:
                raise refuse("billing_id", "Invalid", "Package does not exist", "Invalid VM update parameters")
            for field in RESIZE:
                payload.setdefault(field, package.get(field))
            payload.setdefault("quota", int(package.get("quota") or 0) // MIB_IN_GIB)
            payload.setdefault("cpu_shares", package.get("fss"))
        if payload.get("ram") is not None:
            payload.setdefault("max_physical_memory", payload["ram"])
        if payload.get("max_physical_memory") is not None:
            payload["ram"] = payload["max_physical_memory"]

    def _check_capacity(self, vm: Vm, payload: Doc) -> None:
        """Refuse to grow a VM beyond what its server has left."""
        grown = (payload.get("max_physical_memory") or 0) - (vm["max_physical_memory"] or 0)
        if grown <= 0 or payload.get("max_physical_memory") is None:
            return
        servers = self._dc.cnapi.servers
        spare = servers.capacity(servers.get(vm["server_uuid"]))["ram"]
        if grown > spare:
            message = f"Required additional RAM ({grown}) exceeds the server's available RAM ({spare})"
            raise refuse("ram", "InsufficientCapacity", message, "Invalid VM update parameters")


def _replacing(kind: str, before: Doc, after: Doc) -> Doc:
    """What changes a map into another: the node may meanwhile write keys of its own, which stay."""
    changes = {
        f"set_{kind}": {key: value for key, value in after.items() if before.get(key) != value},
        f"remove_{kind}": [key for key in before if key not in after],
    }
    return {key: value for key, value in changes.items() if value}

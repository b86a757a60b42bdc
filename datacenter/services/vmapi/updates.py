"""The action ``update``: which fields may change into what, and what a new package or owner brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError, is_uuid, truthy
from datacenter.services.vmapi import tags
from datacenter.services.vmapi.plans import Plan
from datacenter.services.vmapi.record import SETTABLE, Vm
from datacenter.services.vmapi.validation import NO_PACKAGE, Problems, check_types, refuse
from datacenter.services.vmapi.volume_steps import ASKED
from datacenter.services.vmapi.workflows import METADATA

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi

Doc = dict[str, Any]

MESSAGE = "Invalid VM update parameters"
RESIZE = ("cpu_cap", "max_lwps", "max_physical_memory", "max_swap", "zfs_io_priority")
UPDATABLE = SETTABLE - {"server_uuid", "image_uuid", "nics", "filesystems", "owner_uuid"}
MIB_IN_GIB = 1024


class Updates:
    def __init__(self, dc: DataCenter, vmapi: Vmapi) -> None:
        self._dc = dc
        self._vmapi = vmapi

    def plan(self, vm: Vm, changes: Doc) -> Plan:
        """Check a change of a VM's fields; metadata is replaced as a whole. A new alias is reserved for the job.

        Raises RestError ValidationFailed.
        """
        if not changes.keys() - {"force"}:
            raise RestError(409, "ValidationFailed", "No VM parameters provided", [])
        problems = Problems()
        for field in changes.keys() - UPDATABLE - {"force", "new_owner_uuid"}:
            problems.invalid(field, "is not updatable")
        check_types(changes, problems)
        if isinstance(changes.get("tags"), dict):
            for complaint in tags.tampering(vm["tags"], changes["tags"]):
                problems.invalid("tags", complaint)
        new_owner = changes.get("new_owner_uuid")
        if new_owner is not None and not is_uuid(new_owner):
            problems.invalid("new_owner_uuid", "Invalid UUID")
        elif new_owner is not None and ASKED in vm["internal_metadata"]:
            problems.invalid("new_owner_uuid", "The VM has volumes that stay its owner's")
        problems.check(MESSAGE)
        payload = {field: value for field, value in changes.items() if field in UPDATABLE}
        for kind in METADATA:
            if payload.get(kind) is not None:
                payload |= _replacing(kind, vm[kind], payload.pop(kind))
        self._resize(vm, payload)
        self._check_image(vm, payload)
        if not truthy(changes.get("force")):
            self._check_capacity(vm, payload)
        if payload.get("alias") == vm["alias"]:
            del payload["alias"]
        if new_owner is not None:
            payload["owner_uuid"] = new_owner
        self._reserve_name(vm, payload)
        params = {"payload": payload, "subtask": _subtask(payload), "last_modified": vm["last_modified"]}
        return Plan("update", params)

    def _reserve_name(self, vm: Vm, payload: Doc) -> None:
        """Keep the name a VM is to have among its owner's, whichever of the two is new."""
        if not payload.keys() & {"alias", "owner_uuid"}:
            return
        owner, alias = (str(payload.get(field, vm[field])) for field in ("owner_uuid", "alias"))
        if (owner, alias) == (vm["owner_uuid"], vm["alias"]):
            return
        if self._vmapi.is_name_taken(owner, alias):
            raise refuse("alias", "Duplicate", "Already exists for this owner_uuid", MESSAGE)
        self._vmapi.reserve_name(owner, alias)

    def _resize(self, vm: Vm, payload: Doc) -> None:
        """Fill in what a new package, or ``ram`` alone, says about sizes."""
        billing_id = payload.get("billing_id")
        if billing_id not in (None, NO_PACKAGE, vm["billing_id"]):
            package = self._dc.papi.get(str(billing_id))
            if package is None:
                raise refuse("billing_id", "Invalid", "Package does not exist", MESSAGE)
            for field in RESIZE:
                payload.setdefault(field, package.get(field))
            payload.setdefault("quota", int(package.get("quota") or 0) // MIB_IN_GIB)
            payload.setdefault("cpu_shares", package.get("fss"))
        if payload.get("ram") is not None:
            payload.setdefault("max_physical_memory", payload["ram"])
        if payload.get("max_physical_memory") is not None:
            payload["ram"] = payload["max_physical_memory"]

    def _check_image(self, vm: Vm, payload: Doc) -> None:
        """Refuse sizes that the VM's image is not made for; an image that has gone asks for nothing."""
        ram = payload.get("max_physical_memory")
        if ram is None:
            return
        image = self._dc.imgapi.get(str(vm["image_uuid"]))
        needs = (image or {}).get("requirements") or {}
        most, least = needs.get("max_ram"), needs.get("min_ram")
        if most and ram > most:
            message = f"Specified RAM ({ram}) does not meet the maximum RAM requirement ({most})"
            raise refuse("ram", "Invalid", message, MESSAGE)
        if least and ram < least:
            message = f"Specified RAM ({ram}) does not meet the minimum RAM requirement ({least})"
            raise refuse("ram", "Invalid", message, MESSAGE)

    def _check_capacity(self, vm: Vm, payload: Doc) -> None:
        """Refuse to grow a VM beyond what its server has left."""
        problems = Problems()
        servers = self._dc.cnapi.servers
        for field, word, unit in (("max_physical_memory", "RAM", 1), ("quota", "disk", MIB_IN_GIB)):
            grown = (payload.get(field) or 0) - (vm.get(field) or 0)
            if payload.get(field) is None or grown <= 0:
                continue
            spare = servers.capacity(servers.get(vm["server_uuid"]))[word.lower()] / unit
            if grown > spare:
                message = f"Required additional {word} ({grown}) exceeds the server's available {word} ({spare:g})"
                problems.add("ram" if word == "RAM" else field, "InsufficientCapacity", message)
        problems.check(MESSAGE)


def _subtask(payload: Doc) -> str:
    """What kind of update a job is, as audits tell it."""
    if payload.keys() & {"billing_id", *RESIZE}:
        return "resize"
    if "owner_uuid" in payload:
        return "change_owner"
    return "rename" if "alias" in payload else "update"


def _replacing(kind: str, before: Doc, after: Doc) -> Doc:
    """What changes a map into another: the node may meanwhile write keys of its own, which stay."""
    changes = {
        f"set_{kind}": {key: value for key, value in after.items() if before.get(key) != value},
        f"remove_{kind}": [key for key in before if key not in after],
    }
    return {key: value for key, value in changes.items() if value}

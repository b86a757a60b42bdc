"""The actions on snapshots, and reprovisioning: what brands and forms allow."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from datacenter.restify import RestError, is_uuid
from datacenter.services.vmapi.plans import Plan, Planner
from datacenter.services.vmapi.record import Vm
from datacenter.services.vmapi.validation import check_image, refuse

Doc = dict[str, Any]

MESSAGE = "Invalid Parameters"
NAME = re.compile(r"[A-Za-z0-9_.:%-]{1,64}")
ZONES = frozenset({"joyent", "joyent-minimal", "sngl", "lx"})
REPROVISIONED = frozenset({"joyent", "joyent-minimal", "lx"})


def snapshot_plans() -> dict[str, Planner]:
    return {"create_snapshot": _create, "rollback_snapshot": _rollback, "delete_snapshot": _delete}


def default_name() -> str:
    """The name of a snapshot that is given none: the time, in UTC."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def _create(vm: Vm, asked: Doc) -> Plan:
    _check_brand(vm)
    name = _name(asked) if asked.get("snapshot_name") else default_name()
    return Plan("snapshot", {"snapshot_name": name})


def _rollback(vm: Vm, asked: Doc) -> Plan:
    return Plan("rollback", _of_existing(vm, asked))


def _delete(vm: Vm, asked: Doc) -> Plan:
    return Plan("delete_snapshot", _of_existing(vm, asked))


def _of_existing(vm: Vm, asked: Doc) -> Doc:
    """All three workflows call their task ``snapshot``: listings of jobs by task find them together."""
    _check_brand(vm)
    if not asked.get("snapshot_name"):
        raise refuse("snapshot_name", "MissingParameter", "Missing parameter", MESSAGE)
    return {"task": "snapshot", "snapshot_name": _name(asked), "vm_state": vm["state"]}


def _name(asked: Doc) -> str:
    name = asked["snapshot_name"]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise refuse("snapshot_name", "Invalid", "Up to 64 letters, digits and _ . : % -", MESSAGE)
    return name


def _check_brand(vm: Vm) -> None:
    """Raise RestError BrandNotSupported for a VM of which a snapshot would not hold everything."""
    if vm["brand"] not in ZONES:
        raise _unsupported(f'snapshots are not supported for VMs of brand "{vm["brand"]}"')
    if vm.get("datasets"):
        raise _unsupported("snapshots are not supported for VMs with delegated datasets")
    if vm.get("docker") and "docker:volumesfrom" in vm["internal_metadata"]:
        raise _unsupported("snapshots are not supported for docker VMs that use --volumes-from")


def reprovision_plan(find_image: Callable[[str], Doc | None]) -> Planner:
    """``find_image`` gives the manifest of an image, None for an unknown one."""

    def plan(vm: Vm, asked: Doc) -> Plan:
        if vm["brand"] not in REPROVISIONED:
            raise _unsupported(f'reprovision is not supported for VMs of brand "{vm["brand"]}"')
        image_uuid = asked.get("image_uuid")
        if not image_uuid:
            raise refuse("image_uuid", "MissingParameter", "Missing parameter", MESSAGE)
        if not is_uuid(image_uuid):
            raise refuse("image_uuid", "Invalid", "Invalid UUID", MESSAGE)
        check_image(vm, find_image(image_uuid))
        return Plan("reprovision", {"image_uuid": image_uuid, "current_state": vm["state"]})

    return plan


def _unsupported(message: str) -> RestError:
    return RestError(409, "BrandNotSupported", message)

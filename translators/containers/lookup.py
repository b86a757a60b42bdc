"""Finding the container that a path names: by full id, by name, by unique beginning of its id."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter, NotFound
from grammars import dockerids
from sdc.vmapi import Vmapi
from translators.errors import speaking_docker
from translators.ids import docker_id

Vm = dict[str, Any]

__all__ = ["docker_id", "find_container", "mine", "pick"]


def mine(owner_uuid: str, *more: dict[str, Any]) -> dict[str, Any]:
    """VMAPI predicate of an account's containers; what failed to be made or is destroyed is none."""
    terms: list[dict[str, Any]] = [
        {"eq": ["docker", True]},
        {"eq": ["owner_uuid", owner_uuid]},
        {"ne": ["state", "failed"]},
        {"ne": ["state", "destroyed"]},
    ]
    return {"and": [*terms, *more]}


def mine_up(owner_uuid: str) -> dict[str, Any]:
    """VMAPI predicate of an account's containers that Docker takes for running; those between two restarts, too."""
    up = {"or": [{"eq": ["state", "running"]}, {"eq": ["zone_state", "ready"]}]}
    return {"and": [{"eq": ["docker", True]}, {"eq": ["owner_uuid", owner_uuid]}, up]}


def candidates(vmapi: Vmapi, owner_uuid: str, ref: str) -> list[Vm]:
    """Return the account's containers that ``ref`` may mean: of this name, or whose ids begin so. Raises SdcError.

    SDC: VMAPI GET /vms?predicate=
    """
    name = ref.removeprefix("/")
    named: dict[str, Any] = {"eq": ["alias", name]}
    if dockerids.is_hex(ref) and len(ref) <= 64:
        named = {"or": [{"eq": ["uuid", f"{dockerids.dashed(ref)}*"]}, named]}
    return vmapi.list_vms(predicate=mine(owner_uuid, named)) if name else []


def find_container(call: Call, ref: str) -> Vm:
    """Return the VM of the account's container, in one request.

    A full id wins over a name, a name over the beginning of an id. Raises NotFound, and InvalidParameter when
    several ids begin so or nothing is named.

    SDC: VMAPI GET /vms?predicate=
    """
    with speaking_docker("problem looking for the container"):
        vms = candidates(call.services.vmapi, call.owner.uuid, ref)
    return pick(vms, ref)


def pick(vms: list[Vm], ref: str) -> Vm:
    """Choose among candidates. Docker: ``GetContainer`` of the daemon."""
    if not ref:
        raise InvalidParameter('invalid name or ID supplied: ""')
    if len(ref) == 64:
        for vm in vms:
            if docker_id(vm) == ref:
                return vm
    name = ref.removeprefix("/")
    for vm in vms:
        if vm.get("alias") == name:
            return vm
    begins = [vm for vm in vms if ref and docker_id(vm).startswith(ref)]
    if len(begins) > 1:
        raise InvalidParameter(f"multiple IDs found with provided prefix: {ref}")
    if not begins:
        raise NotFound(f"No such container: {ref}")
    return begins[0]

"""Finding an account's volumes: those of VOLAPI, and those that live inside containers."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter, NotFound
from translators.containers.lookup import mine
from translators.errors import speaking_docker
from translators.volumes import naming, view

Volume = dict[str, Any]
Vm = dict[str, Any]

DOING = "problem looking for the volume"
THERE = {"or": [{"eq": ["state", "ready"]}, {"eq": ["state", "creating"]}]}
_READY = {"eq": ["state", "ready"]}


def shared_volumes(call: Call) -> list[Volume]:
    """Return the account's volumes that can be mounted, oldest first.

    SDC: VOLAPI GET /volumes?predicate=
    """
    with speaking_docker("problem loading volumes"):
        return call.services.volapi.list_volumes(owner_uuid=call.owner.uuid, predicate=_READY)


def containers(call: Call) -> list[Vm]:
    """Return the account's containers, which hold volumes of their own."""
    with speaking_docker("problem loading volumes"):
        return call.services.vmapi.list_vms(predicate=mine(call.owner.uuid))


def find_shared(call: Call, name: str) -> Volume | None:
    """Return the volume of that name which is there or is being made.

    SDC: VOLAPI GET /volumes?name=
    """
    try:
        naming.check_name(name)
    except InvalidParameter:
        return None
    with speaking_docker(DOING):
        found = call.services.volapi.list_volumes(owner_uuid=call.owner.uuid, name=name, predicate=THERE)
    return found[0] if found else None


def find_volume(call: Call, name: str) -> Volume:
    """Return a volume by name, one inside a container too. Raises NotFound in dockerd's words."""
    found = find_shared(call, name)
    if found is None:
        found = next((volume for volume in view.anonymous(containers(call)) if volume["name"] == name), None)
    if found is None:
        raise NotFound(f"get {name}: no such volume")
    return found

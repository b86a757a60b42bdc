"""Remove volumes: by name, or all that nobody uses. Facts: moby's volume service."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import Conflict, InvalidParameter, NotFound
from sdc.errors import SdcError
from translators.errors import speaking_docker
from translators.events.recorder import tell_prune
from translators.filters import Filters, parse_filters, truth
from translators.ids import docker_id
from translators.prune_filters import wants
from translators.volumes import view
from translators.volumes.create import tell
from translators.volumes.lookup import containers, find_volume, shared_volumes
from translators.volumes.usage import size
from translators.volumes.waiting import gone

Volume = dict[str, Any]
Json = dict[str, Any]

PRUNE_FILTERS = frozenset({"all", "label", "label!"})
ALL_ASKED = (1, 42)
"""The API version since which a prune is of anonymous volumes alone, unless ``all`` is asked for."""


def remove(call: Call, name: str) -> None:
    """Remove a volume for good. ``force`` says that it need not be there. Raises Conflict while it is used.

    Docker: DELETE /volumes/{name}   SDC: VOLAPI DELETE /volumes/:uuid
    """
    try:
        volume = find_volume(call, name)
    except NotFound:
        if call.flag("force"):
            return
        raise
    if volume.get("refs"):
        raise _in_use(call, volume)
    _delete(call, volume)


def _in_use(call: Call, volume: Volume) -> Conflict:
    users = {vm["uuid"]: docker_id(vm) for vm in containers(call)}
    listed = ", ".join(users.get(vm_uuid, vm_uuid) for vm_uuid in volume.get("refs") or ())
    return Conflict(f"remove {volume['name']}: volume is in use - [{listed}]")


def _delete(call: Call, volume: Volume) -> None:
    """Have VOLAPI delete a volume and wait for it; a container may have taken it meanwhile."""
    try:
        with speaking_docker(f"remove {volume['name']}: problem deleting volume"):
            _ask(call, volume)
    except Conflict as error:
        with speaking_docker(f"remove {volume['name']}: problem deleting volume"):
            refs = call.services.volapi.get_volume_references(volume["uuid"])
        raise _in_use(call, {**volume, "refs": refs}) from error
    gone(call, volume)
    tell(call, volume, "destroy")


def _ask(call: Call, volume: Volume) -> None:
    try:
        call.services.volapi.delete_volume(volume["uuid"], call.owner.uuid)
    except SdcError as error:
        if error.status != 404:  # somebody else was faster
            raise


def prune(call: Call) -> Json:
    """Remove the volumes that no container uses and that the filters choose; what is taken meanwhile stays.

    Since API 1.42 these are anonymous ones alone, unless ``all`` is asked for. The space is what was in them, as
    far as compute nodes can tell.

    Docker: POST /volumes/prune   SDC: VOLAPI GET /volumes, DELETE /volumes/:uuid
    """
    filters = parse_filters(call.arg("filters"), PRUNE_FILTERS)
    every = _takes_all(call, filters)
    deleted, space = [], 0
    for volume in shared_volumes(call):
        named = view.ANONYMOUS_LABEL not in view.labels(volume)
        if volume.get("refs") or (named and not every) or not wants(view.labels(volume), filters):
            continue
        held = max(size(call, volume), 0)
        try:
            _delete(call, volume)
        except (Conflict, NotFound):
            continue
        deleted.append(volume["name"])
        space += held
    tell_prune(call, "volume", space)
    return {"VolumesDeleted": deleted or None, "SpaceReclaimed": space}


def _takes_all(call: Call, filters: Filters) -> bool:
    if len(filters.get("all", ())) > 1:
        raise InvalidParameter(f"invalid filter 'all={filters['all']}': only one value is expected")
    return call.version < ALL_ASKED or truth(filters, "all") is True

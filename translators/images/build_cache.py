"""The cache of the classic builder: images without a name that others were made from.

They have no bytes of their own: their layers are also those of what was made from them. So nothing of it is ever
dangling, and a prune of ``all`` wins no space: it makes the next build do every step again.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from gateway.state.image_records import ImageRecord
from gateway.state.undertakings import BUILD
from translators.containers.lookup import mine
from translators.containers.view import image_id
from translators.errors import speaking_docker
from translators.events.recorder import tell_prune
from translators.filters import Filters, parse_filters
from translators.images import view
from translators.images.removal import discard
from translators.prune_filters import COMMON, until, wants

Json = dict[str, Any]

_FIELDS = frozenset({"id", "parent", "type", "description", "inuse", "shared", "private"})
_BOUNDS = ("keep-storage", "reserved-space", "max-used-space")
"""How many bytes of cache may stay."""


def cache(call: Call) -> list[Json]:
    """Describe every step, the newest first, as ``BuildCache`` of ``docker system df``."""
    steps = _steps(call)
    used = _used(call) if steps else set()
    return [_described(call, record, used) for record in steps]


def prune(call: Call) -> Json:
    """Forget the steps of earlier builds that are not in use, with ``all``; without it there is nothing to remove.

    A number of bytes that may stay is kept to by removing nothing, as steps take none.

    Docker: POST /build/prune   SDC: IMGAPI DELETE /images/:uuid
    """
    filters = _filters(call)
    limit = until({"until": [*filters.get("until", ()), *filters.get("unused-for", ())]})
    removed: list[str] = []
    if call.flag("all") and not any(_bytes(call, name) for name in _BOUNDS):
        used = _used(call)
        for record in _steps(call):
            step = _described(call, record, used)
            young = limit is not None and view.created_seconds(record) > limit
            wanted = _matches(step, filters) and wants(view.labels(record), filters)
            if wanted and not step["InUse"] and not young:
                discard(call, record)
                removed.append(record.config_digest)
    tell_prune(call, "builder", 0)
    return {"CachesDeleted": removed or None, "SpaceReclaimed": 0}


def _steps(call: Call) -> list[ImageRecord]:
    images, owner = call.state.images, call.owner.uuid
    parents = images.parents(owner)
    return [one for one in images.all(owner) if one.config_digest in parents and not one.tags and not one.digests]


def _used(call: Call) -> set[str]:
    """Return the ids of images that containers were made from; ``""`` is among them while the account builds."""
    with speaking_docker("problem looking for containers of the images"):
        vms = call.services.vmapi.list_vms(predicate=mine(call.owner.uuid))
    ids = {image_id(vm) for vm in vms}
    building = call.state.undertakings.are_under_way(BUILD, call.owner.uuid)
    return ids | ({""} if building else set())


def _described(call: Call, record: ImageRecord, used: Container[str]) -> Json:
    history = record.config.get("history") or [{}]
    parents: Json = {"Parents": [record.parent]} if record.parent else {}
    if call.version < (1, 42):
        parents = {"Parent": record.parent}
    return {
        "ID": record.config_digest,
        **parents,
        "Type": "regular",
        "Description": str(history[-1].get("created_by") or ""),
        "InUse": record.config_digest in used or "" in used,
        "Shared": True,
        "Size": 0,
        "CreatedAt": view.created(record),
        "LastUsedAt": None,
        "UsageCount": 0,
    }


def _filters(call: Call) -> Filters:
    return parse_filters(call.arg("filters"), _FIELDS | COMMON | {"unused-for"})


def _matches(step: Json, filters: Filters) -> bool:
    """Whether a step is what every filter wants; the values of one filter are alternatives."""
    parents = step.get("Parents") or [step.get("Parent") or ""]
    told = {
        "id": [step["ID"]],
        "parent": parents,
        "type": [step["Type"]],
        "description": [step["Description"]],
        "inuse": [str(step["InUse"]).lower()],
        "shared": [str(step["Shared"]).lower()],
        "private": [str(not step["Shared"]).lower()],
    }
    return all(set(filters[name]) & set(told[name]) for name in filters if name in _FIELDS)


def _bytes(call: Call, name: str) -> int:
    text = call.arg(name) or "0"
    try:
        return int(text)
    except ValueError as error:
        raise InvalidParameter(f"{name} is in bytes and expects an integer, got {text}") from error

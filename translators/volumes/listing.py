"""The volumes there are: ``docker volume ls`` and ``inspect``. Facts: moby's volume service."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from translators.filters import Filters, matches, parse_filters, truth
from translators.prune_filters import wants
from translators.volumes import view
from translators.volumes.lookup import containers, find_volume, shared_volumes

Volume = dict[str, Any]
Json = dict[str, Any]

ACCEPTED = frozenset({"dangling", "driver", "label", "name"})


def list_volumes(call: Call) -> Json:
    """List the account's volumes, those inside containers too. Names match by a part of them, or as expressions.

    Docker: GET /volumes   SDC: VOLAPI GET /volumes, VMAPI GET /vms
    """
    filters = parse_filters(call.arg("filters"), ACCEPTED)
    dangling = truth(filters, "dangling")
    found = shared_volumes(call)
    if dangling is not True:  # what lives in a container is in use
        found += view.anonymous(containers(call))
    return {"Volumes": [view.described(one) for one in found if _chosen(one, filters, dangling)], "Warnings": None}


def _chosen(volume: Volume, filters: Filters, dangling: bool | None) -> bool:
    drivers, names = filters.get("driver"), filters.get("name")
    return (
        (dangling is None or dangling is not bool(volume.get("refs")))
        and (not drivers or view.driver(volume) in drivers)
        and (not names or any(matches(volume["name"], wanted) for wanted in names))
        and wants(view.labels(volume), filters)
    )


def inspect(call: Call, name: str) -> Json:
    """Describe a volume.

    Docker: GET /volumes/{name}   SDC: VOLAPI GET /volumes?name=
    """
    volume = find_volume(call, name)
    details = view.status(volume)
    return view.described(volume) | ({"Status": details} if details else {})

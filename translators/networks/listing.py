"""The networks there are: ``docker network ls`` and ``inspect``. Facts: moby ``daemon/network/filter.go``."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from translators.filters import Filters, matches, parse_filters, truth
from translators.networks import view
from translators.networks.lookup import containers, find, visible
from translators.networks.view import SeenNetwork
from translators.prune_filters import wants

Json = dict[str, Any]

ACCEPTED = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})
WITHOUT_CONTAINERS = (1, 28)
"""The API version since which a list tells no containers."""


def list_networks(call: Call) -> list[Json]:
    """List networks. Names and ids match by a part of them, or as expressions.

    Docker: GET /networks   SDC: NAPI GET /networks, GET /network_pools, VMAPI GET /vms
    """
    filters = parse_filters(call.arg("filters"), ACCEPTED)
    for kind in filters.get("type", ()):
        if kind not in {"builtin", "custom"}:
            raise InvalidParameter(f"invalid filter: 'type'='{kind}'")
    dangling = truth(filters, "dangling")
    found = [network for network in visible(call) if _chosen(network, filters)]
    told = call.version < WITHOUT_CONTAINERS
    vms = containers(call) if told or dangling is not None else []
    if dangling is not None:
        found = [one for one in found if not one.builtin and view.is_used(one, vms) is not dangling]
    return [view.described(network, vms if told else ()) for network in found]


def _chosen(network: SeenNetwork, filters: Filters) -> bool:
    exact = {"driver": network.driver, "scope": network.scope, "type": "builtin" if network.builtin else "custom"}
    parts = {"name": network.name, "id": network.id}
    return (
        all(key not in filters or value in filters[key] for key, value in exact.items())
        and all(
            key not in filters or any(matches(value, wanted) for wanted in filters[key]) for key, value in parts.items()
        )
        and wants(network.labels, filters)
    )


def inspect(call: Call, ref: str) -> Json:
    """Describe a network with the running containers on it.

    Docker: GET /networks/{id}   SDC: NAPI GET /networks, GET /network_pools, VMAPI GET /vms
    """
    network = find(call, ref, call.arg("scope"))
    return view.described(network, containers(call))

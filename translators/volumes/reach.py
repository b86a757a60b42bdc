"""Networks that a container joins for its volumes' sake: a volume is reached on its own networks alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.call import Call
from gateway.errors import Conflict
from translators.containers.networks import NetworkPlan, network_book
from translators.errors import speaking_docker
from translators.networks.view import is_internal
from translators.volumes.lookup import THERE

Json = dict[str, Any]


def join_for_volumes(call: Call, plan: NetworkPlan, names: Iterable[str]) -> None:
    """Add networks to a container's plan until each of its volumes that are there shares one with it.

    Docker knows no such bond, so a warning says what was joined; names are not found there. A container that is on
    internal networks alone was meant to be cut off and is not put on one that leads outside: Conflict says what to do.

    SDC: VOLAPI GET /volumes, NAPI GET /networks
    """
    wanted = set(names)
    if not wanted:
        return
    with speaking_docker("problem loading volumes"):
        there = call.services.volapi.list_volumes(owner_uuid=call.owner.uuid, predicate=THERE)
    with speaking_docker("problem choosing the container's networks"):
        known = {network["uuid"]: network for network in network_book(call).networks(call.owner.uuid)}
    for volume in (volume for volume in there if volume["name"] in wanted):
        if not joined(plan) & set(volume["networks"]):
            _join(plan, volume, known)


def joined(plan: NetworkPlan) -> set[str]:
    """The networks of a plan."""
    return {str(network.get("uuid") or network.get("ipv4_uuid")) for network in plan.networks}


def _join(plan: NetworkPlan, volume: Json, known: dict[str, Json]) -> None:
    """Join the first network of a volume that the account may use; without one VMAPI says that it is out of reach."""
    found = next((known[uuid] for uuid in volume["networks"] if uuid in known), None)
    if found is None:
        return
    if not plan.disconnected:
        cut_off = all(is_internal(known.get(uuid, {})) for uuid in joined(plan))
        if cut_off and not is_internal(found):
            raise Conflict(
                f"volume {volume['name']} is reached on network {found['name']}, which leads outside, and the container"
                " is on internal networks alone: make the volume with the driver option network=NAME of one of these"
            )
        plan.warnings.append(f"The container joined network {found['name']}, too, where volume {volume['name']} is.")
    plan.networks.append({"uuid": found["uuid"]})

"""Finding an account's networks: its own, the shared ones, and those that every Docker client expects."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter, NotFound
from translators.containers.lookup import mine
from translators.containers.networks import network_book
from translators.errors import speaking_docker
from translators.networks import view
from translators.networks.view import SeenNetwork

Vm = dict[str, Any]


def visible(call: Call) -> list[SeenNetwork]:
    """Return what an account may see, as NAPI tells it now.

    SDC: NAPI GET /networks, /network_pools, both with ``provisionable_by``
    """
    with speaking_docker("problem loading networks"):
        documents = network_book(call).networks(call.owner.uuid, fresh=True)
    default = call.config.default_fabric if call.config.fabrics else call.config.external_network
    return view.seen(documents, call.state.networks.of_account(call.owner.uuid), default)


def find(call: Call, ref: str, scope: str = "") -> SeenNetwork:
    """Return a network by full id, name or unique beginning of its id. Raises NotFound, InvalidParameter."""
    known = [network for network in visible(call) if scope in {"", network.scope}]
    for network in known:
        if network.id == ref:
            return network
    for network in known:
        if network.name == ref:
            return network
    begins = [network for network in known if ref and network.id.startswith(ref)]
    if len(begins) > 1:
        raise InvalidParameter(f"network {ref} is ambiguous ({len(begins)} matches found based on ID prefix)")
    if not begins:
        raise NotFound(f"network {ref} not found")
    return begins[0]


def containers(call: Call) -> list[Vm]:
    """Return the account's containers."""
    with speaking_docker("problem loading the containers of networks"):
        return call.services.vmapi.list_vms(predicate=mine(call.owner.uuid))

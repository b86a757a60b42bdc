"""Networks: made, looked at, removed."""

from __future__ import annotations

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply
from translators.networks import create, listing, removal
from translators.networks.model import NetworkCreate

networks = Resource("networks")


@networks.handles("network.list")
def network_list(call: Call) -> Reply:
    return Reply(body=listing.list_networks(call))


@networks.handles("network.inspect")
def network_inspect(call: Call) -> Reply:
    return Reply(body=listing.inspect(call, call.target["id"]))


@networks.handles("network.create", model=NetworkCreate)
def network_create(call: Call) -> Reply:
    return Reply(status=201, body=create.create(call, call.body))


@networks.handles("network.remove")
def network_remove(call: Call) -> None:
    removal.remove(call, call.target["id"])


@networks.handles("network.prune")
def network_prune(call: Call) -> Reply:
    return Reply(body=removal.prune(call))

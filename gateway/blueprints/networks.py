"""Networks: made, looked at, joined, left, removed."""

from __future__ import annotations

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply
from translators.networks import create, joining, listing, removal
from translators.networks.model import NetworkConnect, NetworkCreate, NetworkDisconnect

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


@networks.handles("network.connect", model=NetworkConnect)
def network_connect(call: Call) -> Reply:
    warnings = joining.connect(call, call.target["id"], call.body)
    return Reply(status=200, body={"Warnings": warnings} if warnings else None)


@networks.handles("network.disconnect", model=NetworkDisconnect)
def network_disconnect(call: Call) -> Reply:
    joining.disconnect(call, call.target["id"], call.body)
    return Reply(status=200)

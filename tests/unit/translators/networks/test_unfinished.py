"""Networks whose gateway died over them: nothing of one that nobody was told of stays, and all of one that is whole."""

from __future__ import annotations

import pytest

from gateway.state.undertakings import NETWORK
from sdc.errors import SdcError, SdcUnavailable
from tests.unit.translators.containers.conftest import ALICE
from tests.unit.translators.containers.test_create import create as create_container
from tests.unit.translators.containers.test_settling import dead, later
from translators.networks import create as creating
from translators.networks import removal
from translators.networks.model import NetworkCreate

__all__ = ["dead", "later"]


class Died(BaseException):
    """The gateway ends here: nothing of it runs any more."""


def call_of(dead, operation):
    call = dead.world.call(operation)
    call.state = dead.gone
    return call


def dies_in(dead, monkeypatch, name, *, after):
    """Have the gateway die in a call of NAPI, before or after it was heard."""
    heard = getattr(dead.world.napi, name)

    def dies(*args):
        if after:
            heard(*args)
        raise Died

    monkeypatch.setattr(dead.world.napi, name, dies)
    yield
    monkeypatch.setattr(dead.world.napi, name, heard)
    dead.gone.presence.close()


def left(world):
    return [vlan_id for _, vlan_id in world.napi.vlans], [network["name"] for network in world.napi.made.values()]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", ["create_vlan", "create_fabric_network"])
def test_what_was_begun_goes(world, dead, later, monkeypatch, name, after):
    dying = dies_in(dead, monkeypatch, name, after=after)
    next(dying)
    with pytest.raises(Died):
        creating.create(call_of(dead, "network.create"), NetworkCreate(Name="net/a"))
    next(dying, None)
    assert dead.settle() == [NETWORK]  # a request that was sent before may still arrive
    later()
    assert dead.settle() == []
    assert left(world) == ([], [])


def test_one_that_is_whole_stays(world, dead, later):
    creating.create(call_of(dead, "network.create"), NetworkCreate(Name="net"))
    mark = world.napi.vlans[ALICE, 3]["description"].rpartition(" ")[2]
    dead.dies_over(NETWORK, f"{mark}/3/net")
    later()
    assert dead.settle() == []
    assert left(world) == ([3], ["net"])


def test_a_vlan_of_somebody_elses_is_let_alone(world, dead, later):
    world.napi.create_vlan(ALICE, {"vlan_id": 3, "name": "docker", "description": "mine"})
    dead.dies_over(NETWORK, "mark/3/net")
    later()
    assert dead.settle() == []
    assert left(world) == ([3], [])


@pytest.mark.parametrize("name", ["delete_fabric_network", "delete_vlan"])
@pytest.mark.parametrize("after", [False, True])
def test_a_removal_is_done_whole_or_not_at_all(world, dead, later, monkeypatch, name, after):
    creating.create(world.call("network.create"), NetworkCreate(Name="net"))
    dying = dies_in(dead, monkeypatch, name, after=after)
    next(dying)
    with pytest.raises(Died):
        removal.remove(call_of(dead, "network.remove"), "net")
    next(dying, None)
    later()
    assert dead.settle() == []
    gone = name == "delete_vlan" or after
    assert left(world) == (([], []) if gone else ([3], ["net"]))


def test_a_refused_removal_leaves_nothing_to_settle(world, dead):
    creating.create(world.call("network.create"), NetworkCreate(Name="net"))
    create_container(world, "web", HostConfig={"NetworkMode": "net"})
    with pytest.raises(Exception, match="active endpoints"):
        removal.remove(call_of(dead, "network.remove"), "net")
    dead.gone.presence.close()
    assert dead.settle() == []


@pytest.mark.parametrize("error", [SdcUnavailable("napi", 503, "x", "away"), SdcError("napi", 500, "x", "broken")])
def test_what_a_living_gateway_cannot_take_back_is_settled(world, dead, later, monkeypatch, error):
    def away(*_):
        raise error

    call = world.call("network.create")
    world.napi.breaks = SdcError("napi", 500, "x", "no network")
    heard = world.napi.delete_vlan
    monkeypatch.setattr(world.napi, "delete_vlan", away)
    with pytest.raises(Exception, match="problem creating the network"):
        creating.create(call, NetworkCreate(Name="net"))
    for undo in reversed(call.undo):
        undo()
    monkeypatch.setattr(world.napi, "delete_vlan", heard)
    assert left(world) == ([3], [])
    later()
    assert dead.settle() == []
    assert left(world) == ([], [])

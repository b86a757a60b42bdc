"""``docker network connect`` and ``disconnect``: what VMAPI is asked, what is refused, what is told."""

from __future__ import annotations

import pytest

from gateway.errors import Forbidden, InvalidParameter, NotFound, NotImplementedHere
from tests.unit.translators.containers.conftest import ALICE, BOB, FABRIC, LINUX
from tests.unit.translators.containers.test_create import create as create_container
from tests.unit.translators.networks.test_networks import create
from translators.containers.model import EndpointIPAMConfig, EndpointSettings
from translators.networks import joining
from translators.networks.model import NetworkConnect, NetworkDisconnect


@pytest.fixture
def web(world):
    """A container on the default network, on a node that can plug nics, beside a network it is not on."""
    world.capabilities = LINUX | {"nic-hotplug"}
    create(world)
    create_container(world, name="web")
    return world


def connect(world, ref="net", container="web", owner=ALICE, **endpoint):
    body = NetworkConnect(Container=container, EndpointConfig=EndpointSettings(**endpoint) if endpoint else None)
    return joining.connect(world.call("network.connect", owner=owner), ref, body)


def disconnect(world, ref="bridge", container="web", owner=ALICE, **fields):
    body = NetworkDisconnect(Container=container, **fields)
    joining.disconnect(world.call("network.disconnect", owner=owner), ref, body)


def start(world):
    world.vmapi.act(world.vm("web")["uuid"], "start", ALICE)
    world.vmapi.acts.clear()


def told(world):
    events = [event.what for event in world.state.events.read(ALICE, after=0)]
    return [
        (what.action, what.attributes["name"], what.attributes["container"][:8])
        for what in events
        if what.type == "network" and what.action in {"connect", "disconnect"}
    ]


def net_uuid(world):
    (network,) = world.napi.made.values()
    return network["uuid"]


def test_a_running_container_joins_and_leaves_and_it_is_told_once(web):
    start(web)
    assert connect(web) == []
    (mac,) = [nic["mac"] for nic in web.vm("web")["nics"]]
    disconnect(web)
    assert web.vmapi.acts == [
        ("add_nics", {"networks": [{"uuid": net_uuid(web)}]}), ("remove_nics", {"macs": [mac]})
    ]  # fmt: skip
    uuid = web.vm("web")["uuid"][:8]
    assert told(web) == [("connect", "net", uuid), ("disconnect", "bridge", uuid)]


def test_a_stopped_one_joins_and_its_start_will_tell(web):
    web.capabilities = LINUX
    connect(web)
    assert web.vmapi.acts == [("add_nics", {"networks": [{"uuid": net_uuid(web)}]})]
    assert told(web) == []


def test_a_running_one_needs_a_node_that_can(web):
    start(web)
    web.capabilities = LINUX
    web.services.cnapi = type(web.services.cnapi)(web.services.cnapi)  # capabilities are remembered for each client
    for change in (connect, disconnect):
        with pytest.raises(NotImplementedHere, match="nic-hotplug"):
            change(web)
    assert web.vmapi.acts == []


def test_the_first_network_is_primary_and_an_address_is_asked_for(web):
    web.vmapi.vms[web.vm("web")["uuid"]]["nics"] = []
    connect(web, IPAMConfig=EndpointIPAMConfig(IPv4Address="10.128.4.9"))
    entry = {"ipv4_uuid": net_uuid(web), "ipv4_ips": ["10.128.4.9"], "primary": True}
    assert web.vmapi.acts == [("add_nics", {"networks": [entry]})]


@pytest.mark.parametrize(("endpoint", "lost"), [
    ({"Aliases": ["db"]}, "Aliases and links on the network net have no effect."),
    ({"Links": ["a:b"]}, "Aliases and links on the network net have no effect."),
    ({"DriverOpts": {"a": "b"}}, "DriverOpts on the network net have no effect."),
    ({"MacAddress": "02:42:ac:11:00:02"}, "the data center chooses hardware addresses"),
    ({"GwPriority": 1}, "GwPriority on the network net has no effect"),
    ({"IPAMConfig": EndpointIPAMConfig(LinkLocalIPs=["169.254.0.9"])}, "LinkLocalIPs on the network net"),
])  # fmt: skip
def test_what_has_no_effect_is_said(web, endpoint, lost):
    (warning,) = connect(web, **endpoint)
    assert lost in warning


@pytest.mark.parametrize(("change", "arguments", "kind", "says"), [
    (connect, {"ref": "nowhere"}, NotFound, "network nowhere not found"),
    (connect, {"container": "nobody"}, NotFound, "No such container: nobody"),
    (connect, {"owner": BOB}, NotFound, "network net not found"),
    (connect, {"owner": BOB, "ref": "bridge"}, NotFound, "No such container: web"),
    (connect, {"ref": "bridge"}, Forbidden, "endpoint with name web already exists in network bridge"),
    (connect, {"ref": "host"}, InvalidParameter, "connected to host network"),
    (connect, {"ref": "none"}, InvalidParameter, "private .none. mode"),
    (connect, {"IPAMConfig": EndpointIPAMConfig(IPv4Address="x")}, InvalidParameter, "invalid IPv4 address: x"),
    (connect, {"IPAMConfig": EndpointIPAMConfig(IPv6Address="fd00::1")}, InvalidParameter, "fd00::1"),
    (disconnect, {"ref": "net"}, Forbidden, "is not connected to network net"),
    (disconnect, {"ref": "net", "Force": True}, Forbidden, "is not connected to network net"),
    (disconnect, {"owner": BOB}, NotFound, "No such container: web"),
    (disconnect, {"ref": "host"}, InvalidParameter, "host network"),
])  # fmt: skip
def test_refusals(web, change, arguments, kind, says):
    with pytest.raises(kind, match=says):
        change(web, **arguments)
    assert web.vmapi.acts == []
    assert [nic["network_uuid"] for nic in web.vm("web")["nics"]] == [FABRIC]

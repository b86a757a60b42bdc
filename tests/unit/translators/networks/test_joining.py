"""``docker network connect`` and ``disconnect``: what VMAPI is asked, what is refused, what is told."""

from __future__ import annotations

import json

import pytest

from gateway.errors import DockerError, Forbidden, InvalidParameter, NotFound, NotImplementedHere
from tests.unit.translators.containers.conftest import ALICE, BOB, FABRIC, LINUX
from tests.unit.translators.containers.test_create import create as create_container
from tests.unit.translators.networks.fabrics import MEMBER
from tests.unit.translators.networks.test_networks import create
from translators.containers.model import EndpointIPAMConfig, EndpointSettings
from translators.containers.view import endpoint
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
    assert web.vmapi.acts[0] == ("add_nics", {"networks": [entry]})


@pytest.mark.parametrize(("endpoint", "lost"), [
    ({"Aliases": ["db"]}, "Aliases on the network net have no effect: "),
    ({"Links": ["a:b"]}, "Links on the network net have no effect: "),
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


KEY = "docker:endpoint:"


@pytest.fixture
def named(world):
    """As ``web``, on a node that resolves names on networks."""
    world.capabilities = LINUX | {"nic-hotplug", "network-names"}
    create(world)
    create_container(world, name="web")
    return world


def plugged(world, *networks):
    """Give the container a nic on each of these, and on no other."""
    nics = [{"mac": f"90:b8:d0:00:00:{n:02x}", "network_uuid": uuid} for n, uuid in enumerate(networks)]
    world.vmapi.vms[world.vm("web")["uuid"]]["nics"] = nics


def names(world, container="web"):
    """What a container's metadata says it is called, by network."""
    found = world.vm(container)["internal_metadata"]
    return {key.removeprefix(KEY): json.loads(value) for key, value in found.items() if key.startswith(KEY)}


def test_names_are_known_before_the_nic_is_there_and_taken_back_after_it_has_gone(named):
    start(named)
    assert connect(named, Aliases=["db", "db"], Links=["other:cache", "peer"]) == []
    told = {"network": "net", "aliases": ["db"], "links": ["other:cache", "peer:peer"]}
    assert names(named) == {net_uuid(named): told}
    plugged(named, net_uuid(named))
    disconnect(named, ref="net")
    assert [act[0] for act in named.vmapi.acts] == ["add_metadata", "add_nics", "remove_nics", "delete_metadata"]
    assert names(named) == {}


def test_a_container_without_aliases_has_names_too(named):
    connect(named)
    assert names(named) == {net_uuid(named): {"network": "net"}}


def test_a_connect_that_fails_leaves_no_names(named):
    named.vmapi.failing["add_nics"] = {"message": "no address is left"}
    with pytest.raises(DockerError, match="problem with connect of web and network net"):
        connect(named, Aliases=["db"])
    assert names(named) == {}


def test_names_that_cannot_be_written_keep_a_container_off_the_network(named):
    named.vmapi.failing["update"] = {"message": "the node is away"}
    with pytest.raises(DockerError, match="problem naming web"):
        connect(named, Aliases=["db"])
    assert [act[0] for act in named.vmapi.acts] == ["add_metadata"]


def test_a_pool_has_names_on_each_of_its_networks(named):
    connect(named, ref="pool")
    assert names(named) == {MEMBER: {"network": "pool"}}


def test_the_default_network_has_no_names_unless_it_is_called_by_its_own(named):
    plugged(named)
    with pytest.raises(InvalidParameter, match="supported only for containers in user defined networks"):
        connect(named, ref="bridge", Aliases=["db"])
    (warning,) = connect(named, ref="bridge", Links=["a:b"])
    assert "Links on the network bridge have no effect" in warning
    assert names(named) == {}
    assert connect(named, ref="My-Fabric-Network", Aliases=["db"]) == []
    assert names(named) == {FABRIC: {"network": "My-Fabric-Network", "aliases": ["db"]}}


def test_links_that_are_none_are_refused(named):
    with pytest.raises(InvalidParameter, match="bad format for links: :x"):
        connect(named, Links=[":x"])
    assert named.vmapi.acts == []


def test_without_the_capability_nothing_is_written(web):
    connect(web)
    assert names(web) == {}


def test_an_address_that_was_asked_for_is_shown_until_the_network_is_left(web):
    asked = {"IPAMConfig": EndpointIPAMConfig(IPv4Address="10.128.4.9")}
    nic = {"network_uuid": net_uuid(web)}
    assert connect(web, **asked) == []
    assert endpoint(nic, web.vm("web"))["IPAMConfig"] == {"IPv4Address": "10.128.4.9"}
    web.vm("web")["nics"].append({**nic, "mac": "90:b8:d0:00:00:09"})
    disconnect(web, "net")
    assert endpoint(nic, web.vm("web"))["IPAMConfig"] is None


def test_what_was_asked_for_on_other_networks_stays(web):
    vm = web.vm("web")
    kept = {FABRIC: {"GwPriority": 3}}
    vm["internal_metadata"]["docker:asked_endpoints"] = json.dumps(kept)
    connect(web, IPAMConfig=EndpointIPAMConfig(IPv4Address="10.128.4.9"))
    told = json.loads(web.vm("web")["internal_metadata"]["docker:asked_endpoints"])
    assert told == kept | {net_uuid(web): {"IPAMConfig": {"IPv4Address": "10.128.4.9"}}}

"""``docker network``: dockerd's answers over fabrics of the data center."""

from __future__ import annotations

import json
import re

import pytest

from gateway.errors import Conflict, Forbidden, InternalError, InvalidParameter, NotFound, NotImplementedHere
from gateway.settings import TritonSettings
from gateway.versions import ApiVersion
from grammars.dockerids import network_docker_id
from sdc.errors import SdcError
from tests.unit.translators.containers.conftest import ALICE, BOB, FABRIC
from tests.unit.translators.containers.test_create import create as create_container
from tests.unit.translators.networks.fabrics import refusal
from translators.networks import create as creating
from translators.networks import listing, removal
from translators.networks.model import Ipam, IpamConfig, NetworkCreate


def create(world, name="net", owner=ALICE, **fields):
    return creating.create(world.call("network.create", owner=owner), NetworkCreate(Name=name, **fields))["Id"]


def inspect(world, ref="net", owner=ALICE, **query):
    return listing.inspect(world.call("network.inspect", owner=owner, **query), ref)


def names(world, owner=ALICE, **filters):
    call = world.call("network.list", owner=owner, filters=json.dumps(filters))
    return [network["Name"] for network in listing.list_networks(call)]


def remove(world, ref="net", owner=ALICE):
    removal.remove(world.call("network.remove", owner=owner), ref)


def prune(world, **filters):
    return removal.prune(world.call("network.prune", filters=json.dumps(filters)))["NetworksDeleted"]


def told(world):
    events = [event.what for event in world.state.events.read(ALICE, after=0)]
    return [(what.action, what.attributes.get("name")) for what in events if what.type == "network"]


def test_create_makes_a_vlan_and_a_network_on_it(world):
    docker_id = create(world, Labels={"a": "b"}, Options={"x": "y"}, Attachable=True)
    assert list(world.napi.vlans) == [(ALICE, 3)]
    assert world.napi.asked == [
        {"name": "net", "internet_nat": True, "subnet_alloc": True, "family": "ipv4", "subnet_prefix": 24,
         "resolvers": ["10.0.0.2"]}
    ]  # fmt: skip
    shown = inspect(world)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", shown.pop("Created"))
    assert shown == {
        "Name": "net", "Id": docker_id, "Scope": "local", "Driver": "bridge", "EnableIPv4": True, "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": [{"Subnet": "10.128.4.0/24", "Gateway": "10.128.4.1"}]},
        "Internal": False, "Attachable": True, "Ingress": False, "ConfigFrom": {"Network": ""}, "ConfigOnly": False,
        "Containers": {}, "Options": {"x": "y"}, "Labels": {"a": "b"},
    }  # fmt: skip
    assert told(world) == [("create", "net")]


def test_each_network_has_a_vlan_and_one_that_is_taken_meanwhile_is_passed_over(world):
    create(world, "one")
    world.napi.race = 4
    create(world, "two")
    assert sorted(vlan_id for _, vlan_id in world.napi.vlans) == [3, 4, 5]
    assert {n["name"]: n["vlan_id"] for n in world.napi.made.values()} == {"one": 3, "two": 5}


def test_an_internal_network_has_no_gateway(world):
    create(world, Internal=True)
    (made,) = world.napi.made.values()
    assert "gateway" not in made
    assert made["internet_nat"] is False
    shown = inspect(world)
    assert shown["Internal"] is True
    assert shown["IPAM"]["Config"] == [{"Subnet": "10.128.4.0/24"}]


@pytest.mark.parametrize(("error", "kind", "says"), [
    (refusal("name", "Duplicate"), Conflict, "network with name net already exists"),
    (refusal("subnet", "UsedBy", "subnet overlaps with another network"), Forbidden, "Pool overlaps"),
    (refusal("mtu", "InvalidParameter", "mtu must be small"), InvalidParameter, "mtu must be small"),
    (SdcError("napi", 500, "InternalError", "secret"), InternalError, "problem creating the network"),
])  # fmt: skip
def test_what_napi_refuses_leaves_nothing(world, error, kind, says):
    world.napi.breaks = error
    call = world.call("network.create")
    with pytest.raises(kind, match=says) as caught:
        creating.create(call, NetworkCreate(Name="net"))
    assert "secret" not in str(caught.value)
    for action in reversed(call.undo):
        action()
    assert (world.napi.vlans, world.napi.made, told(world)) == ({}, {}, [])


@pytest.mark.parametrize("name", ["net", "My-Fabric-Network", "external", "pool"])
def test_a_name_is_one_networks_alone(world, name):
    create(world)
    with pytest.raises(Conflict, match=f"network with name {name} already exists"):
        create(world, name)
    assert len(world.napi.vlans) == 1


def test_without_fabrics_nothing_is_made(world):
    call = world.call("network.create", config=TritonSettings(fabrics=False))
    with pytest.raises(NotImplementedHere, match="no fabrics"):
        creating.create(call, NetworkCreate(Name="net"))


def test_accounts_see_their_own_and_what_is_shared(world):
    docker_id = create(world)
    shared = ["bridge", "host", "none", "My-Fabric-Network", "external"]
    assert names(world) == [*shared, "net", "pool"]
    assert names(world, owner=BOB) == [*shared, "pool"]
    for ref in ("net", docker_id):
        with pytest.raises(NotFound, match=f"network {ref} not found"):
            inspect(world, ref, owner=BOB)
        with pytest.raises(NotFound):
            remove(world, ref, owner=BOB)
    create(world, owner=BOB)
    assert len(world.napi.made) == 2


@pytest.mark.parametrize(("filters", "found"), [
    ({"name": ["^none$"], "type": ["builtin"]}, ["none"]),
    ({"type": ["custom"]}, ["net", "other"]),
    ({"name": ["ne"], "type": ["custom"]}, ["net"]),
    ({"name": ["["]}, []),
    ({"driver": ["host", "null"]}, ["host", "none"]),
    ({"driver": ["overlay"]}, ["other"]),
    ({"scope": ["swarm"]}, []),
    ({"scope": ["global"], "type": ["custom"]}, ["other"]),
    ({"label": ["a"]}, ["net"]),
    ({"label": ["a=c"]}, []),
    ({"id": [network_docker_id(FABRIC)[:20]]}, ["My-Fabric-Network"]),
    ({"dangling": ["1"]}, ["other"]),
    ({"dangling": {"false": True}}, ["net"]),
])  # fmt: skip
def test_filters(world, filters, found):
    create(world, Labels={"a": "b"})
    create(world, "other", Driver="overlay")
    create_container(world, name="web", HostConfig={"NetworkMode": "net"})
    assert names(world, **filters) == found


def test_filters_that_there_are_not_are_refused(world):
    for filters in ({"colour": ["red"]}, {"type": ["strange"]}, {"dangling": ["perhaps"]}):
        with pytest.raises(InvalidParameter, match="invalid filter"):
            names(world, **filters)


def test_inspect_finds_by_name_id_and_beginning_of_it(world):
    docker_id = create(world)
    assert {inspect(world, ref)["Id"] for ref in ("net", docker_id, docker_id[:12])} == {docker_id}
    assert inspect(world, scope="local")["Id"] == docker_id
    with pytest.raises(NotFound):
        inspect(world, scope="swarm")
    assert inspect(world, "pool")["Driver"] == "Triton"
    assert inspect(world, "external")["Options"] == {"com.docker.network.driver.mtu": "1500"}


def test_inspect_tells_the_running_containers(world):
    create(world)
    create_container(world, name="web", HostConfig={"NetworkMode": "net"})
    create_container(world, name="usual")
    assert inspect(world)["Containers"] == {}
    for name in ("web", "usual"):
        world.vmapi.act(world.vm(name)["uuid"], "start", ALICE)
    ((docker_id, told),) = inspect(world)["Containers"].items()
    assert docker_id.startswith(world.vm("web")["uuid"].replace("-", ""))
    assert told.pop("EndpointID")
    assert told == {"Name": "web", "MacAddress": "90:b8:d0:00:00:00", "IPv4Address": "10.0.0.7/22", "IPv6Address": ""}
    assert [c["Name"] for c in inspect(world, "bridge")["Containers"].values()] == ["usual"]
    (old,) = [
        n for n in listing.list_networks(world.call("network.list", version=ApiVersion(1, 27))) if n["Name"] == "net"
    ]
    assert list(old["Containers"]) == [docker_id]


def test_remove_takes_the_vlan_too(world):
    create(world)
    remove(world)
    assert (world.napi.made, world.napi.vlans) == ({}, {})
    assert told(world) == [("create", "net"), ("destroy", "net")]
    with pytest.raises(NotFound, match="network net not found"):
        remove(world)


def test_a_vlan_that_carries_another_network_stays(world):
    create(world)
    world.napi.create_fabric_network(ALICE, 3, {"name": "by-hand"})
    remove(world)
    assert list(world.napi.vlans) == [(ALICE, 3)]
    remove(world, "by-hand")
    assert list(world.napi.vlans) == [(ALICE, 3)]
    assert world.napi.made == {}


def test_a_network_in_use_stays(world):
    create(world)
    create_container(world, name="web", HostConfig={"NetworkMode": "net"})
    with pytest.raises(Forbidden) as caught:
        remove(world)
    docker_id = world.vm("web")["internal_metadata"]["docker:id"]
    assert str(caught.value) == (
        f'error while removing network: network net has active endpoints (name:"web" id:"{docker_id[:12]}")'
    )
    assert (names(world, type=["custom"]), len(world.napi.vlans)) == (["net"], 1)


@pytest.mark.parametrize("name", ["bridge", "host", "none", "My-Fabric-Network", "external", "pool"])
def test_what_is_not_the_accounts_to_remove_stays(world, name):
    with pytest.raises(Forbidden, match=f"{name} is a pre-defined network and cannot be removed"):
        remove(world, name)


def test_prune_takes_what_docker_made_and_nobody_uses(world):
    for name in ("used", "labelled", "free"):
        create(world, name, Labels={"keep": "1"} if name == "labelled" else {})
    world.napi.create_vlan(ALICE, {"vlan_id": 99})
    world.napi.create_fabric_network(ALICE, 99, {"name": "by-hand"})
    create_container(world, name="web", HostConfig={"NetworkMode": "used"})
    assert prune(world, until=["1h"]) is None
    assert prune(world, **{"label!": ["keep"]}) == ["free"]
    assert prune(world, label=["keep=1"]) == ["labelled"]
    assert names(world, type=["custom"]) == ["used", "by-hand"]
    assert told(world)[-2:] == [("destroy", "labelled"), ("prune", None)]


def test_a_name_that_went_to_another_network_is_followed(world):
    create(world)
    create_container(world, name="first", HostConfig={"NetworkMode": "net"})
    world.vmapi.vms.clear()
    (old,) = world.napi.made.values()
    world.napi.made.clear()  # by another worker
    made = world.napi.create_fabric_network(ALICE, 3, {"name": "net"})
    create_container(world, name="second", HostConfig={"NetworkMode": "net"})
    assert [nic["network_uuid"] for nic in world.vm("second")["nics"]] == [made["uuid"]] != [old["uuid"]]


def test_ipam_is_shown_as_it_was_asked(world):
    config = IpamConfig(Subnet="10.7.0.0/24", IPRange="10.7.0.128/25", Gateway="10.7.0.9")
    create(world, IPAM=Ipam(Config=[config], Options={"o": "p"}))
    assert inspect(world)["IPAM"] == {
        "Driver": "default", "Options": {"o": "p"},
        "Config": [{"Subnet": "10.7.0.0/24", "IPRange": "10.7.0.128/25", "Gateway": "10.7.0.9"}],
    }  # fmt: skip

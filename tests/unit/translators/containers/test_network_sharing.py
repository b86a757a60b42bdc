"""``--network container:x``: what VMAPI is asked, what is shown, what is refused."""

from __future__ import annotations

import json

import pytest

from gateway.errors import InvalidParameter, NotImplementedHere
from tests.unit.translators.containers.conftest import BOB, LINUX
from tests.unit.translators.containers.test_create import body, create
from translators.containers import create as creating
from translators.containers import lifecycle
from translators.containers.inspect import inspect
from translators.errors import NotShared
from translators.networks import joining
from translators.networks.model import NetworkConnect

SHARING = {"NetworkMode": "container:web"}


@pytest.fixture
def able(world):
    """A data center whose nodes can, with a container to be joined."""
    world.capabilities = LINUX | {"network-sharing"}
    create(world, "web", Hostname="host", Domainname="ex.test")
    return world


def test_it_is_placed_beside_the_other_one_and_called_as_it(able):
    call, seen = able.call("container.create"), {}
    call.provision = lambda payload: seen.update(payload) or payload
    assert create(able, "side", call, HostConfig=SHARING)["Warnings"] == []
    uuid = able.vm("web")["uuid"]
    assert seen["locality"] == {"near": [uuid], "strict": True}
    assert (seen["hostname"], seen["dns_domain"]) == ("host", "ex.test")
    assert json.loads(seen["internal_metadata"]["docker:linux"])["NetworkContainer"] == uuid


def test_it_is_shown_with_the_others_id_and_without_a_network(able):
    create(able, "side", HostConfig=SHARING)
    shown = inspect(able.call(), "side")
    assert shown["HostConfig"]["NetworkMode"] == f"container:{inspect(able.call(), 'web')['Id']}"
    assert shown["NetworkSettings"]["Networks"] == {}
    assert shown["NetworkSettings"]["IPAddress"] == ""


@pytest.mark.parametrize(("fields", "says"), [
    ({"Hostname": "x"}, "hostname and the network mode"),
    ({"MacAddress": "02:42:ac:11:00:02"}, "mac-address and the network mode"),
    ({"ExposedPorts": {"80/tcp": {}}}, "port exposing and the container type network mode"),
    ({"HostConfig": {"PublishAllPorts": True}}, "port publishing and the container type network mode"),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}}, "port publishing and the container type"),
    ({"HostConfig": {"Links": ["web:x"]}}, "container type network can't be used with links"),
    ({"HostConfig": {"Dns": ["10.0.0.1"]}}, "dns and the network mode"),
    ({"HostConfig": {"ExtraHosts": ["x:10.0.0.1"]}}, "custom host-to-IP mapping and the network mode"),
    ({"NetworkingConfig": {"EndpointsConfig": {"external": {}}}}, "cannot be connected to any other network"),
    ({"HostConfig": {"NetworkMode": "container:"}}, "invalid container format container:<name|id>"),
    ({"HostConfig": {"NetworkMode": "container:nobody"}}, "cannot join network of nobody: No such container: nobody"),
])  # fmt: skip
def test_refusals(able, fields, says):
    fields["HostConfig"] = SHARING | fields.get("HostConfig", {})
    before = len(able.vmapi.vms)
    with pytest.raises(InvalidParameter, match=says.replace("|", r"\|")):
        create(able, "side", **fields)
    assert len(able.vmapi.vms) == before


def test_other_accounts_containers_are_unknown(able):
    with pytest.raises(InvalidParameter, match="No such container: web"):
        create(able, "side", able.call("container.create", owner=BOB), HostConfig=SHARING)


def test_without_the_capability_it_is_refused(world):
    create(world, "web")
    with pytest.raises(NotImplementedHere, match="network mode container is not supported"):
        creating.create(world.call("container.create"), body(HostConfig=SHARING), "side")


def test_it_joins_no_other_network(able):
    create(able, "side", HostConfig=SHARING)
    with pytest.raises(InvalidParameter, match="cannot be connected to any other network"):
        joining.connect(able.call("network.connect"), "external", NetworkConnect(Container="side"))


def test_a_start_beside_one_that_does_not_run_is_a_conflict_and_a_container_of_one_run_goes(able):
    create(able, "side", HostConfig=SHARING | {"AutoRemove": True})
    words = "cannot join network of a non running container: abc"
    able.vmapi.failing["start"] = {"restCode": "NetworkNotShared", "message": words}
    with pytest.raises(NotShared, match=words) as refused:
        lifecycle.start(able.call("container.start"), "side")
    assert refused.value.status == 409
    assert [vm["state"] for vm in able.vmapi.vms.values() if vm["alias"] == "side"] == ["destroyed"]

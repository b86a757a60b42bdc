"""What a new container is called on its networks: written for its node, shown to clients, refused, warned of."""

from __future__ import annotations

import json

import pytest

from gateway.errors import InvalidParameter, NotImplementedHere
from gateway.versions import ApiVersion
from tests.unit.translators.containers.conftest import EXTERNAL, FABRIC, LINUX
from tests.unit.translators.containers.test_create import create
from translators.containers.endpoint_names import endpoint_metadata
from translators.containers.inspect import inspect
from translators.containers.listing import list_containers

KEY = "docker:endpoint:"


@pytest.fixture
def named(world):
    """A data center whose nodes resolve names; its network ``external`` stands for one that was made."""
    world.capabilities = LINUX | {"network-names"}
    return world


def names(world, container="web"):
    found = world.vm(container)["internal_metadata"]
    return {key.removeprefix(KEY): json.loads(value) for key, value in found.items() if key.startswith(KEY)}


def on(network, **endpoint):
    return {"HostConfig": {"NetworkMode": network}, "NetworkingConfig": {"EndpointsConfig": {network: endpoint}}}


def endpoint_of(world, version=(1, 51), network="external"):
    shown = inspect(world.call(version=ApiVersion(*version)), "web")
    return shown["NetworkSettings"]["Networks"][network], shown["Id"][:12]


def test_a_network_that_was_asked_for_has_names(named):
    assert create(named, "web", **on("external", Aliases=["db"], Links=["other:cache"]))["Warnings"] == []
    assert names(named) == {EXTERNAL: {"network": "external", "aliases": ["db"], "links": ["other:cache"]}}


@pytest.mark.parametrize("mode", ["", "default", "bridge"])
def test_the_default_network_has_none(named, mode):
    create(named, "web", HostConfig={"NetworkMode": mode, "PortBindings": {"80/tcp": []}})
    assert names(named) == {}
    assert endpoint_of(named, network="bridge")[0]["DNSNames"] is None


@pytest.mark.parametrize("key", ["default", "bridge"])
def test_aliases_on_the_default_network_are_refused(named, key):
    with pytest.raises(InvalidParameter, match="network-scoped alias is supported only for containers in user defined"):
        create(named, "web", NetworkingConfig={"EndpointsConfig": {key: {"Aliases": ["db"]}}})
    assert named.vmapi.vms == {}


def test_the_default_network_by_its_own_name_has_names(named):
    create(named, "web", **on("My-Fabric-Network", Aliases=["db"]))
    assert names(named) == {FABRIC: {"network": "My-Fabric-Network", "aliases": ["db"]}}
    assert endpoint_of(named, network="My-Fabric-Network")[0]["Aliases"] == ["db"]


def test_each_network_has_its_own_names(named):
    networks = {"My-Fabric-Network": {"Aliases": ["one"]}, "external": {"Aliases": ["two"]}}
    create(named, "web", NetworkingConfig={"EndpointsConfig": networks})
    assert {uuid: told["aliases"] for uuid, told in names(named).items()} == {FABRIC: ["one"], EXTERNAL: ["two"]}


def test_links_of_the_host_config_are_names_on_a_network_that_was_asked_for(named):
    create(named, "web", HostConfig={"NetworkMode": "external", "Links": ["ghost:db", "x:y"]}, NetworkingConfig={
        "EndpointsConfig": {"external": {"Links": ["ghost:db"]}}
    })  # fmt: skip
    assert names(named)[EXTERNAL]["links"] == ["ghost:db", "x:y"]
    assert named.vm("web")["internal_metadata"]["docker:linkHosts"] == ""
    with pytest.raises(InvalidParameter, match="bad format for links: :y"):
        create(named, "more", **on("external", Links=[":y"]))


def test_without_the_capability_it_is_said(world):
    made = create(world, "web", **on("external", Aliases=["db"], Links=["a:b"]))
    assert [text.split(":")[0] for text in made["Warnings"]] == [
        "Aliases on the network external have no effect", "Links on the network external have no effect"
    ]  # fmt: skip
    assert all("network-names" in text for text in made["Warnings"])
    assert names(world) == {}
    with pytest.raises(NotImplementedHere, match="user-defined networking links"):
        create(world, "more", HostConfig={"NetworkMode": "external", "Links": ["a:b"]})


def test_inspect_shows_what_was_asked_and_every_name(named):
    create(named, "web", Hostname="host", **on("external", Aliases=["db", "web"], Links=["other:cache"]))
    endpoint, short_id = endpoint_of(named)
    assert endpoint["Aliases"] == ["db", "web"]
    assert endpoint["Links"] == ["other:cache"]
    assert endpoint["DNSNames"] == ["web", "db", short_id, "host"]


@pytest.mark.parametrize(("version", "aliases", "has_names"), [
    ((1, 43), ["db", "SHORT"], False), ((1, 44), ["db", "SHORT"], True), ((1, 45), ["db"], True)
])  # fmt: skip
def test_older_versions_find_the_short_id_among_the_aliases(named, version, aliases, has_names):
    create(named, "web", **on("external", Aliases=["db"]))
    endpoint, short_id = endpoint_of(named, version)
    assert endpoint["Aliases"] == [short_id if alias == "SHORT" else alias for alias in aliases]
    assert ("DNSNames" in endpoint) is has_names


def test_a_list_tells_no_names(named):
    create(named, "web", **on("external", Aliases=["db"], Links=["a:b"]))
    (item,) = list_containers(named.call("container.list", all="1"))
    endpoint = item["NetworkSettings"]["Networks"]["external"]
    assert (endpoint["Aliases"], endpoint["Links"], endpoint["DNSNames"]) == (None, None, None)


def test_a_pool_has_a_key_for_each_of_its_networks():
    pool = {"uuid": "p", "name": "pool", "networks": ["m1", "m2"]}
    assert endpoint_metadata(pool, ["a"], []) == dict.fromkeys(
        [f"{KEY}m1", f"{KEY}m2"], '{"network":"pool","aliases":["a"]}'
    )

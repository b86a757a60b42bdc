"""Links: what they say, what they become, and how they follow both of their containers."""

from __future__ import annotations

import json

import pytest

from gateway.errors import Conflict, InvalidParameter, NotFound
from gateway.pipeline import take_back
from sdc.errors import SdcError
from tests.unit.translators.containers.conftest import ALICE, BOB
from tests.unit.translators.containers.test_create import create
from translators.containers import inspect, lifecycle, linking, listing, removal
from translators.containers.links import Linked, hosts_line, link_address, link_env, linked_ports, parse_links


@pytest.mark.parametrize(
    ("entries", "pairs"),
    [
        (["srv:db"], [("srv", "db")]),
        (["srv"], [("srv", "srv")]),
        (["/srv:/web/db"], [("srv", "db")]),
        (["a:x", "b:x", "b:y"], [("a", "x"), ("b", "y")]),
        (["srv:db.example_1-a"], [("srv", "db.example_1-a")]),
    ],
)
def test_entries(entries, pairs):
    assert parse_links(entries) == pairs


@pytest.mark.parametrize(
    "entry", ["", ":", ":db", "srv:", "srv:a b", "srv:a\n6.6.6.6 x", "a:b:c", "/", "/srv:", "srv:-"]
)
def test_entries_refused(entry):
    with pytest.raises(InvalidParameter, match="bad format for links"):
        parse_links([entry])


def vm(env=(), nics=({"ip": "10.0.0.9", "nic_tag": "sdc_overlay/7"},), **metadata):
    im = {"docker:env": json.dumps(list(env)), **metadata}
    return {"uuid": "u", "alias": "srv", "hostname": "host", "nics": list(nics), "internal_metadata": im}


def test_variables():
    target = Linked(vm(["A=1", "B=x=y", "HOME=/h", "PATH=/p", "BARE"]), "my-db-x", [("tcp", 443), ("udp", 53)])
    assert link_env("web", target) == [
        "MY_DB_X_NAME=/web/my-db-x",
        "MY_DB_X_ENV_A=1",
        "MY_DB_X_ENV_B=x=y",
        "MY_DB_X_PORT=tcp://10.0.0.9:443",
        "MY_DB_X_PORT_443_TCP=tcp://10.0.0.9:443",
        "MY_DB_X_PORT_443_TCP_ADDR=10.0.0.9",
        "MY_DB_X_PORT_443_TCP_PORT=443",
        "MY_DB_X_PORT_443_TCP_PROTO=tcp",
        "MY_DB_X_PORT_53_UDP=udp://10.0.0.9:53",
        "MY_DB_X_PORT_53_UDP_ADDR=10.0.0.9",
        "MY_DB_X_PORT_53_UDP_PORT=53",
        "MY_DB_X_PORT_53_UDP_PROTO=udp",
    ]


def test_a_target_without_a_network_has_a_name_only():
    lonely = Linked(vm(["A=1"], **{"docker:linux": '{"NetworkNone":true}'}), "db", [("tcp", 80)])
    assert link_env("web", lonely) == ["DB_NAME=/web/db", "DB_ENV_A=1"]
    assert hosts_line(lonely) == ""


@pytest.mark.parametrize(
    ("alias", "line"), [("db", "10.0.0.9\tdb host srv\n"), ("srv", "10.0.0.9\tsrv host\n"), ("host", "10.0.0.9\thost srv\n")]
)  # fmt: skip
def test_host_names(alias, line):
    assert hosts_line(Linked(vm(), alias, [])) == line


FABRIC_A, FABRIC_B = {"ip": "10.0.0.1", "nic_tag": "sdc_overlay/1"}, {"ip": "10.0.0.2", "nic_tag": "sdc_overlay/2"}
OUTSIDE = {"ip": "192.0.2.1", "nic_tag": "external", "primary": True}


@pytest.mark.parametrize(
    ("nics", "address"),
    [
        ([OUTSIDE], "192.0.2.1"),
        ([FABRIC_A, OUTSIDE], "10.0.0.1"),
        ([FABRIC_A, FABRIC_B, OUTSIDE], "10.0.0.2"),
        ([OUTSIDE | {"primary": False}, OUTSIDE | {"ip": "192.0.2.2"}], "192.0.2.2"),
        ([], ""),
    ],
)
def test_the_address_of_a_target(nics, address):
    assert link_address(vm(nics=nics)) == address


@pytest.mark.parametrize(
    ("metadata", "ports"),
    [
        ({}, [("tcp", 80)]),
        (
            {"docker:tcp_unpublished_ports": "[9,5,80]", "docker:udp_unpublished_ports": "[7]"},
            [("tcp", 80), ("tcp", 5), ("udp", 7), ("tcp", 9)],
        ),
        ({"docker:tcp_all_ports": "[1]", "docker:udp_all_ports": "[2]"}, [("tcp", 1), ("udp", 2)]),
    ],
)
def test_the_ports_of_a_target(metadata, ports):
    assert linked_ports(vm(**metadata), {("tcp", 80)}) == ports


@pytest.fixture
def linked(world):
    """``web`` links to ``srv`` as ``db``."""
    create(world, "srv", Env=["A=1"], HostConfig={"PortBindings": {"80/tcp": None}})
    create(world, "web", HostConfig={"Links": ["srv:db"]})
    return world


def metadata(world, name):
    im = world.vm(name)["internal_metadata"]
    return json.loads(im["docker:linkEnv"]), im["docker:linkHosts"]


def shown(world, name):
    return inspect.inspect(world.call(), name)["HostConfig"]["Links"]


def names(world):
    items = listing.list_containers(world.call("container.list", all=1))
    return {item["Names"][0]: item["Names"][1:] for item in items}


def updates(world):
    return [parameters.get("update") for action, parameters in world.vmapi.acts if action in {"start", "reboot"}]


def test_a_linked_container(linked):
    env, hosts = metadata(linked, "web")
    ip, host = "10.0.0.7", linked.vm("srv")["hostname"]
    assert hosts == f"{ip}\tdb {host} srv\n"
    assert {"DB_NAME=/web/db", "DB_ENV_A=1", f"DB_PORT_80_TCP=tcp://{ip}:80"} <= set(env)
    assert metadata(linked, "srv") == ([], "")
    assert shown(linked, "web") == ["/srv:/web/db"]
    assert shown(linked, "srv") is None
    assert names(linked) == {"/web": [], "/srv": ["/web/db"]}
    assert "Links" not in json.loads(linked.vm("web")["internal_metadata"].get("docker:hostconfig", "{}"))


def test_links_that_are_still_true_are_not_sent(linked):
    lifecycle.start(linked.call("container.start"), "web")
    lifecycle.restart(linked.call("container.restart"), "web")
    lifecycle.start(linked.call("container.start"), "srv")
    assert updates(linked) == [None, None, None]


@pytest.mark.parametrize("act", [lifecycle.start, lifecycle.restart])
def test_links_follow_their_target(linked, act):
    lifecycle.rename(linked.call("container.rename", name="srv2"), "srv")
    assert shown(linked, "web") == ["/srv2:/web/db"]
    linked.vm("srv2")["nics"][0]["ip"] = "10.9.9.9"
    act(linked.call(), "web")
    [update] = updates(linked)
    assert update["set_internal_metadata"]["docker:linkHosts"].startswith("10.9.9.9\tdb ")
    assert update["set_internal_metadata"]["docker:linkHosts"].endswith(" srv2\n")


def test_links_follow_their_container(linked):
    lifecycle.rename(linked.call("container.rename", name="front"), "web")
    assert (shown(linked, "front"), names(linked)) == (["/srv:/front/db"], {"/front": [], "/srv": ["/front/db"]})
    lifecycle.start(linked.call("container.start"), "front")
    assert "DB_NAME=/front/db" in json.loads(updates(linked)[0]["set_internal_metadata"]["docker:linkEnv"])


@pytest.mark.parametrize("how", ["link", "target", "behind the gateway"])
def test_a_link_removed(linked, how):
    if how == "link":
        linking.remove_link(linked.call("container.link.remove", link=1), "web", "db")
    elif how == "target":
        removal.remove(linked.call("container.remove"), "srv")
    else:
        linked.vm("srv")["state"] = "destroyed"
    if how != "behind the gateway":
        assert shown(linked, "web") is None
        assert names(linked)["/web"] == []
        assert names(linked).get("/srv", []) == []
    lifecycle.start(linked.call("container.start"), "web")
    nothing = {"docker:linkHosts": "", "docker:linkEnv": "[]"}
    assert updates(linked) == [{"set_internal_metadata": nothing}]
    linked.vm("web")["internal_metadata"] |= nothing
    lifecycle.restart(linked.call("container.restart"), "web")
    assert updates(linked)[-1] is None


def test_a_removed_container_leaves_no_names(linked):
    removal.remove(linked.call("container.remove"), "web")
    assert names(linked) == {"/srv": []}


def test_links_of_another_gateway_are_left_alone(world):
    create(world, "web")
    world.vm("web")["internal_metadata"]["docker:linkHosts"] = "10.0.0.1\tdb\n"
    lifecycle.start(world.call("container.start"), "web")
    assert updates(world) == [None]


def test_a_failed_start_tells_of_the_links_again(linked):
    linking.remove_link(linked.call("container.link.remove", link=1), "web", "db")
    linked.vmapi.failing["start"] = {"restCode": "InternalError", "message": "disk"}
    for _ in range(2):
        with pytest.raises(Exception, match="problem starting container"):
            lifecycle.start(linked.call("container.start"), "web")
    assert all(updates(linked))


@pytest.mark.parametrize(
    ("query", "ref", "alias"),
    [({}, "web", "db"), ({"link": 1}, "web", "nope"), ({"link": 1}, "srv", "db"), ({"link": 1}, "ghost", "db")],
)
def test_no_such_link(linked, query, ref, alias):
    with pytest.raises(NotFound, match=f"No such container: {ref}"):
        linking.remove_link(linked.call("container.link.remove", **query), ref, alias)
    assert shown(linked, "web") == ["/srv:/web/db"]


def test_the_own_name_is_no_link(linked):
    with pytest.raises(Conflict, match="cannot remove the default link name"):
        removal.remove(linked.call("container.remove", link=1), "web")


def test_accounts_are_apart(linked):
    with pytest.raises(InvalidParameter, match="could not get container for srv: No such container: srv"):
        create(linked, "mine", call=linked.call("container.create", owner=BOB), HostConfig={"Links": ["srv:db"]})
    with pytest.raises(NotFound):
        linking.remove_link(linked.call("container.link.remove", owner=BOB, link=1), "web", "db")
    assert len(linked.state.links.of_account(ALICE)) == 1


def test_a_create_that_fails_leaves_no_link(linked):
    linked.vmapi.failing["provision"] = {"restCode": "NoAllocatableServersError", "message": "full"}
    call = linked.call("container.create")
    with pytest.raises(Conflict):
        create(linked, "third", call, HostConfig={"Links": ["srv:db"]})
    take_back(call)
    assert [link.container_name for link in linked.state.links.of_account(ALICE)] == ["web"]


def test_a_random_name_is_the_one_in_the_links(world, monkeypatch):
    create(world, "srv")
    create(world, "taken")
    tried = iter(["taken", "free"])
    monkeypatch.setattr("translators.containers.create.random_name", lambda: next(tried))
    create(world, "", HostConfig={"Links": ["srv:db"]})
    assert metadata(world, "free")[0][0] == "DB_NAME=/free/db"
    assert shown(world, "free") == ["/srv:/free/db"]


def test_an_error_in_between_is_told_as_one_of_starting(linked, monkeypatch):
    def away(**_):
        raise SdcError("fwapi", 500, "InternalError", "secret")

    monkeypatch.setattr(linked.fwapi, "vm_rules", lambda *_: away())
    with pytest.raises(Exception, match="^problem starting container$"):
        lifecycle.start(linked.call("container.start"), "web")

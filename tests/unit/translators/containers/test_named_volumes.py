"""Named volumes of containers: what VMAPI is asked for, what is made before, and what is shown again."""

from __future__ import annotations

import json

import pytest

from gateway.errors import InternalError, InvalidParameter, NotFound, NotImplementedHere
from gateway.versions import ApiVersion
from tests.unit.translators.containers.conftest import ALICE, BOB, FABRIC, LINUX
from tests.unit.translators.containers.test_create import create
from translators.containers import lifecycle, named_volumes, removal
from translators.containers.inspect import inspect
from translators.containers.listing import list_containers
from translators.containers.states import linux_options


def payload(world, monkeypatch, **fields):
    """The ``volumes`` that VMAPI was asked for."""
    asked = []
    create_vm = world.vmapi.create_vm
    monkeypatch.setattr(world.vmapi, "create_vm", lambda given: asked.append(given) or create_vm(given))
    create(world, "web", **fields)
    return asked[0].get("volumes")


def mount(**fields):
    return {"Type": "volume", "Source": "data", "Target": "/data", **fields}


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        ({"Binds": ["data:/data"]}, "rw"),
        ({"Binds": ["data:/data/:rw"]}, "rw"),
        ({"Binds": ["data:/data:ro"]}, "ro"),
        ({"Binds": ["data:/data:z,ro"]}, "ro"),
        ({"Mounts": [mount()]}, "rw"),
        ({"Mounts": [mount(ReadOnly=True)]}, "ro"),
    ],
)
def test_what_vmapi_is_asked_for(world, monkeypatch, host, mode):
    assert payload(world, monkeypatch, HostConfig=host) == [
        {"name": "data", "mountpoint": "/data", "mode": mode, "type": "tritonnfs"}
    ]


def test_without_volumes_nothing_is_asked(world, monkeypatch):
    monkeypatch.setattr(world.volapi, "list_volumes", None)
    assert payload(world, monkeypatch) is None


def test_a_named_volume_wins_over_an_anonymous_one_at_its_place(world, monkeypatch):
    """docker-compose sends both."""
    world.add_image("db", {"Cmd": ["sh"], "Volumes": {"/data": {}, "/more": {}}}, "2")
    host = {"Binds": ["data:/data"]}
    assert len(payload(world, monkeypatch, Image="db", Volumes={"/data": {}}, HostConfig=host)) == 1
    assert [entry["target"] for entry in world.vm("web")["filesystems"]] == ["/more"]


def test_an_anonymous_volume_may_be_read_only(world):
    create(world, "web", HostConfig={"Mounts": [{"Type": "volume", "Target": "/data", "ReadOnly": True}]})
    assert world.vm("web")["filesystems"][0]["options"] == ["ro"]


def test_a_part_of_a_volume_is_told_to_the_node_and_taken_over_with_it(world):
    world.capabilities = LINUX | {named_volumes.VOLUME_OPTIONS, named_volumes.VOLUME_SUBPATH}
    create(world, "web", HostConfig={"Mounts": [mount(VolumeOptions={"Subpath": "a/./b/", "NoCopy": True})]})
    assert linux_options(world.vm("web"))["VolumeOptions"] == {"/data": {"NoCopy": True, "Subpath": "a/b"}}
    create(world, "more", HostConfig={"VolumesFrom": ["web"]})
    assert linux_options(world.vm("more"))["VolumeOptions"]["/data"]["Subpath"] == "a/b"
    create(world, "whole", HostConfig={"Mounts": [mount(VolumeOptions={"Subpath": "a/.."})]})
    assert "VolumeOptions" not in linux_options(world.vm("whole"))


def test_older_versions_know_no_parts_of_volumes(world):
    call = world.call("container.create", version=ApiVersion(1, 44))
    with pytest.raises(InvalidParameter, match=r"VolumeOptions.Subpath needs API v1.45 or newer"):
        create(world, call=call, HostConfig={"Mounts": [mount(VolumeOptions={"Subpath": "a"})]})


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (mount(Source="/etc"), InvalidParameter, '"/etc" includes invalid characters for a local volume name'),
        (mount(Target=""), InvalidParameter, "field Target must not be empty"),
        (mount(Target="data"), InvalidParameter, 'must start with "/"'),
        (mount(BindOptions={"Propagation": "shared"}), InvalidParameter, "field BindOptions must not be specified"),
        (mount(VolumeOptions={"Labels": [1]}), InvalidParameter, 'invalid mount config for type "volume"'),
        (mount(VolumeOptions={"Subpath": "a"}), NotImplementedHere, "volume-subpath is not supported"),
        (mount(VolumeOptions={"Subpath": "/a"}), InvalidParameter, "subpath must be a relative path within the volume"),
        (mount(VolumeOptions={"Subpath": "a/../../b"}), InvalidParameter, "subpath must be a relative path within"),
        (
            mount(Source="", VolumeOptions={"Subpath": "a"}),
            InvalidParameter,
            "must not set Subpath when using anonymous",
        ),
        (mount(VolumeOptions={"DriverConfig": {"Name": "nfs"}}), NotFound, 'plugin "nfs" not found'),
        (mount(Source="", VolumeOptions={"Labels": {"a": "b"}}), NotImplementedHere, "needs a name"),
    ],
)
def test_mounts_that_are_refused(world, wrong, kind, words):
    with pytest.raises(kind, match=words):
        create(world, HostConfig={"Mounts": [wrong]})
    assert (world.vmapi.vms, world.volapi.volumes) == ({}, {})


def test_a_missing_volume_with_labels_is_made_first_and_on_the_networks_of_the_container(world):
    options = {"Labels": {"a": "b"}, "DriverConfig": {"Options": {"size": "20G"}}}
    create(world, HostConfig={"Mounts": [mount(VolumeOptions=options)]})
    (asked,) = world.volapi.asked
    assert (asked["networks"], asked["size"], asked["labels"]["a"]) == ([FABRIC], 20480, "b")
    assert world.volapi.named("data")["refs"] == [world.vm("web1")["uuid"]]


def test_a_volume_that_is_there_keeps_its_labels(world):
    create(world, "one", HostConfig={"Binds": ["data:/data"]})
    create(world, "two", HostConfig={"Mounts": [mount(VolumeOptions={"Labels": {"a": "b"}})]})
    assert len(world.volapi.asked) == 1
    assert len(world.volapi.named("data")["refs"]) == 2


def test_what_was_made_for_a_container_that_cannot_be_made_goes_again(world):
    world.vmapi.failing["provision"] = {"name": "InternalError", "message": "no"}
    call = world.call("container.create")
    with pytest.raises(InternalError):
        create(world, call=call, HostConfig={"Mounts": [mount(VolumeOptions={"Labels": {"a": "b"}})]})
    for undo in reversed(call.undo):
        undo()
    assert world.volapi.named("data")["state"] == "deleting"


@pytest.mark.parametrize(("capabilities", "told"), [(LINUX | {"volume-options"}, True), (LINUX, False)])
def test_nodes_that_fill_volumes_are_told_where_not_to(world, capabilities, told):
    world.capabilities = capabilities
    host = {"Binds": ["data:/data:nocopy", "more:/more"]}
    create(world, HostConfig=host)
    options = json.loads(world.vm("web1")["internal_metadata"].get("docker:linux", "{}"))
    assert options.get("VolumeOptions") == ({"/data": {"NoCopy": True}} if told else None)


def test_mounts_and_binds_are_shown(world):
    host = {"Binds": ["data:/data:ro", "more:/more"], "Mounts": [mount(Source="third", Target="/third")]}
    create(world, "web", HostConfig=host)
    shown = inspect(world.call(), "web")
    assert shown["Mounts"][0] == {
        "Type": "volume", "Name": "data", "Source": "10.0.0.9:/exports/data", "Destination": "/data", "Driver": "local",
        "Mode": "ro", "RW": False, "Propagation": "",
    }  # fmt: skip
    assert [(item["Name"], item["Mode"], item["RW"]) for item in shown["Mounts"][1:]] == [
        ("more", "z", True), ("third", "z", True),
    ]  # fmt: skip
    assert shown["HostConfig"]["Binds"] == host["Binds"]
    assert shown["HostConfig"]["Mounts"] == host["Mounts"]
    listed = list_containers(world.call("container.list", all=1))[0]["Mounts"]
    assert [item["Name"] for item in listed] == ["data", "more", "third"]


def test_volumes_of_a_container_that_another_gateway_made(world):
    """sdc-docker keeps no HostConfig; platforms write the mode in either of two ways."""
    create(world, "web")
    vm = world.vmapi.vms[world.vm("web")["uuid"]]
    told = [
        {"name": "data", "mountpoint": "/data", "nfsvolume": "10.0.0.9:/exports/data", "readonly": True},
        {"name": "more", "mountpoint": "/more", "nfsvolume": "10.0.0.8:/exports/data", "mode": "rw"},
    ]
    vm["internal_metadata"]["docker:nfsvolumes"] = json.dumps(told)
    vm["internal_metadata"].pop("docker:hostconfig", None)
    shown = inspect(world.call(), "web")
    assert shown["HostConfig"]["Binds"] == ["data:/data:ro", "more:/more"]
    assert [item["RW"] for item in shown["Mounts"]] == [False, True]


@pytest.mark.parametrize(("mode", "modes"), [("", ["ro", "rw"]), (":ro", ["ro", "ro"])])
def test_volumes_from_takes_named_volumes_along(world, monkeypatch, mode, modes):
    create(world, "data", HostConfig={"Binds": ["one:/one:ro", "two:/two", "own:/three"]})
    host = {"VolumesFrom": [f"data{mode}"], "Binds": ["mine:/three"]}
    asked = payload(world, monkeypatch, HostConfig=host)
    assert [(item["name"], item["mountpoint"]) for item in asked] == [
        ("mine", "/three"), ("one", "/one"), ("two", "/two"),
    ]  # fmt: skip
    assert [item["mode"] for item in asked[1:]] == modes


def test_filter_by_volume(world):
    create(world, "web", HostConfig={"Binds": ["data:/inside"]})
    create(world, "other")
    for wanted, names in (("data", ["/web"]), ("/inside", ["/web"]), ("absent", [])):
        found = list_containers(world.call("container.list", all=1, filters=json.dumps({"volume": [wanted]})))
        assert [item["Names"][0] for item in found] == names


def volume_events(world, owner=ALICE):
    events = [event.what for event in world.state.events.read(owner, after=0)]
    return [(what.action, what.actor_id, what.attributes) for what in events if what.type == "volume"]


def test_what_is_told_of_volumes(world):
    create(world, "web", HostConfig={"Binds": ["data:/data:ro"]})
    ident = world.vm("web")["internal_metadata"]["docker:id"]
    lifecycle.start(world.call("container.start"), "web")
    removal.remove(world.call("container.remove", force=1), "web")
    assert volume_events(world) == [
        ("create", "data", {"driver": "local"}),
        (
            "mount",
            "data",
            {"container": ident, "destination": "/data", "driver": "local", "propagation": "", "read/write": "false"},
        ),
        ("unmount", "data", {"container": ident, "driver": "local"}),
    ]
    assert volume_events(world, BOB) == []


def test_a_container_has_not_any_number_of_mounts(world):
    with pytest.raises(InvalidParameter, match="too many volumes, binds and mounts"):
        create(world, "web", HostConfig={"Binds": [f"d{n}:/d{n}" for n in range(20_000)]})

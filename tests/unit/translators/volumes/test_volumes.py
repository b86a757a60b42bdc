"""``docker volume``: dockerd's answers over volumes of the data center."""

from __future__ import annotations

import json
import re

import pytest

from gateway.errors import Conflict, InternalError, InvalidParameter, NotFound, NotImplementedHere
from gateway.versions import ApiVersion
from tests.unit.translators.containers.conftest import ALICE, BOB, FABRIC
from tests.unit.translators.containers.test_create import create as create_container
from translators.system.df import disk_usage
from translators.volumes import create as creating
from translators.volumes import listing, removal
from translators.volumes.model import VolumeCreate


def create(world, name="data", owner=ALICE, **fields):
    return creating.create(world.call("volume.create", owner=owner), VolumeCreate(Name=name, **fields))


def inspect(world, name="data", owner=ALICE):
    return listing.inspect(world.call("volume.inspect", owner=owner), name)


def names(world, owner=ALICE, **filters):
    found = listing.list_volumes(world.call("volume.list", owner=owner, filters=json.dumps(filters)))
    assert found["Warnings"] is None
    return [volume["Name"] for volume in found["Volumes"]]


def remove(world, name="data", owner=ALICE, **query):
    removal.remove(world.call("volume.remove", owner=owner, **query), name)


def told(world):
    events = [event.what for event in world.state.events.read(ALICE, after=0)]
    return [(what.action, what.actor_id) for what in events if what.type == "volume"]


def test_create_asks_for_a_volume_on_the_default_network_and_waits_for_it(world):
    made = create(world, Labels={"a": "b"})
    assert world.volapi.asked == [
        {"owner_uuid": ALICE, "name": "data", "type": "tritonnfs", "networks": [FABRIC], "labels": {"a": "b"}}
    ]
    created = made.pop("CreatedAt")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created)
    assert made == {
        "Driver": "local", "Labels": {"a": "b"}, "Mountpoint": "10.0.0.9:/exports/data", "Name": "data", "Options": None,
        "Scope": "local",
    }  # fmt: skip
    shown = inspect(world)
    assert shown.pop("Status")["size"] == 10240
    assert shown == made | {"CreatedAt": created}
    assert told(world) == [("create", "data")]


def test_create_again_gives_what_is_there(world):
    first = create(world, Labels={"a": "b"})
    assert create(world, Labels={"c": "d"}) == first
    assert len(world.volapi.volumes) == 1
    assert told(world) == [("create", "data")]


def test_create_beside_somebody_who_is_faster(world, monkeypatch):
    """Between the look and the question somebody else made it."""
    create(world)
    looked = iter([[], *[world.volapi.list_volumes()] * 2])
    monkeypatch.setattr(world.volapi, "list_volumes", lambda **_: next(looked))
    assert create(world)["Name"] == "data"


def test_without_a_name_it_is_anonymous(world):
    made = create(world, name="", Labels={"a": "b"})
    assert re.fullmatch(r"[0-9a-f]{64}", made["Name"])
    assert made["Labels"] == {"a": "b", "com.docker.volume.anonymous": ""}


def test_driver_and_options_are_shown_as_they_were_asked_for(world):
    made = create(world, Driver="tritonnfs", DriverOpts={"size": "20G", "network": "My-Fabric-Network"})
    assert (made["Driver"], made["Options"]) == ("tritonnfs", {"size": "20G", "network": "My-Fabric-Network"})
    assert made["Labels"] is None
    assert world.volapi.asked[0]["size"] == 20480
    with pytest.raises(Conflict, match="driver 'tritonnfs' already has volume 'data'"):
        create(world, Driver="local")
    assert create(world)["Driver"] == "tritonnfs"


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"name": "d"}, InvalidParameter, "volume name is too short, names should be at least two"),
        ({"name": "-data"}, InvalidParameter, '"-data" includes invalid characters for a local volume name'),
        ({"name": "../etc"}, InvalidParameter, "If you intended to pass a host directory, use absolute path"),
        ({"name": "d" * 256}, InvalidParameter, "volume name is too long"),
        ({"Driver": "nfs"}, NotFound, 'error looking up volume plugin nfs: plugin "nfs" not found'),
        ({"DriverOpts": {"size": "10GB"}}, InvalidParameter, 'Volume size: "10GB" is not a valid volume size'),
        ({"DriverOpts": {"size": "15G"}}, Conflict, "Volume size not available. Available sizes: 10G, 20G"),
        ({"DriverOpts": {"network": "absent"}}, NotFound, "network absent not found"),
        ({"DriverOpts": {"type": "nfs"}}, NotImplementedHere, "would mount a file system of a compute node"),
        ({"DriverOpts": {"colour": "red"}}, InvalidParameter, 'invalid option: "colour"'),
        ({"ClusterVolumeSpec": {}}, NotImplementedHere, "cluster volumes are not supported"),
    ],
)
def test_what_is_refused(world, fields, kind, words):
    with pytest.raises(kind, match=re.escape(words)):
        create(world, **fields)
    assert (world.volapi.volumes, told(world)) == ({}, [])


def test_a_volume_that_cannot_be_made_is_taken_away(world):
    world.volapi.failing = {"data"}
    with pytest.raises(InternalError, match="create data: volume creation failed"):
        create(world)
    assert [volume["state"] for volume in world.volapi.volumes.values()] == ["deleting"]
    assert told(world) == []


def test_filters(world):
    create(world, "used", Labels={"a": "1"})
    create(world, "idle", Labels={"a": "2", "b": ""})
    create(world, "other", Driver="tritonnfs")
    create_container(world, "web", HostConfig={"Binds": ["used:/data"]})
    for filters, found in (
        ({}, ["used", "idle", "other"]),
        ({"name": ["dl"]}, ["idle"]),
        ({"name": ["^.dle$", "used"]}, ["used", "idle"]),
        ({"name": ["("]}, []),
        ({"label": ["a"]}, ["used", "idle"]),
        ({"label": ["a=2", "b"]}, ["idle"]),
        ({"dangling": ["true"]}, ["idle", "other"]),
        ({"dangling": ["false"]}, ["used"]),
        ({"driver": ["local"]}, ["used", "idle"]),
        ({"driver": ["tritonnfs"]}, ["other"]),
        ({"dangling": ["1"], "label": ["a"]}, ["idle"]),
    ):
        assert names(world, **filters) == found, filters
    for wrong in ({"colour": ["red"]}, {"dangling": ["perhaps"]}):
        with pytest.raises(InvalidParameter):
            names(world, **wrong)


def test_volumes_that_failed_are_nobody_s(world):
    create(world)
    world.volapi.named("data")["state"] = "failed"
    assert names(world) == []
    with pytest.raises(NotFound):
        inspect(world)


def test_volumes_inside_containers_are_listed_with_them(world):
    create_container(world, "web", Volumes={"/data": {}})
    (name,) = names(world)
    shown = inspect(world, name)
    assert (shown["Labels"], shown["Driver"]) == ({"com.docker.volume.anonymous": ""}, "local")
    assert names(world, dangling=["true"]) == []
    with pytest.raises(Conflict, match=re.escape(f"remove {name}: volume is in use - [")):
        remove(world, name)
    for owner in (BOB,):
        assert names(world, owner) == []


def test_remove(world):
    create(world)
    remove(world)
    assert world.volapi.volumes == {}
    assert told(world) == [("create", "data"), ("destroy", "data")]
    with pytest.raises(NotFound, match="get data: no such volume"):
        remove(world)
    remove(world, force=1)


def test_remove_of_a_used_one_names_the_containers(world):
    create_container(world, "web", HostConfig={"Binds": ["data:/data"]})
    ident = world.vm("web")["internal_metadata"]["docker:id"]
    for query in ({}, {"force": 1}):
        with pytest.raises(Conflict, match=re.escape(f"remove data: volume is in use - [{ident}]")):
            remove(world, **query)
    assert world.volapi.named("data")["state"] == "ready"


def test_remove_of_one_that_a_container_takes_meanwhile(world, monkeypatch):
    create(world)
    looked = world.volapi.list_volumes()
    create_container(world, "web", HostConfig={"Binds": ["data:/data"]})
    monkeypatch.setattr(world.volapi, "list_volumes", lambda **_: looked)
    with pytest.raises(Conflict, match="volume is in use - "):
        remove(world)


def test_nobody_reaches_others_volumes(world):
    create(world)
    assert names(world, BOB) == []
    for what in (inspect, remove):
        with pytest.raises(NotFound, match="get data: no such volume"):
            what(world, owner=BOB)
    create(world, owner=BOB)
    assert len(world.volapi.volumes) == 2


def prune(world, version="1.51", **filters):
    call = world.call("volume.prune", version=ApiVersion.parse(version), filters=json.dumps(filters))
    return removal.prune(call)["VolumesDeleted"]


@pytest.mark.parametrize(
    ("version", "filters", "gone"),
    [
        ("1.51", {}, {"anonymous"}),
        ("1.51", {"all": ["false"]}, {"anonymous"}),
        ("1.51", {"all": ["true"]}, {"anonymous", "idle"}),
        ("1.51", {"all": ["1"], "label": ["a"]}, {"idle"}),
        ("1.51", {"all": ["1"], "label!": ["a"]}, {"anonymous"}),
        ("1.41", {}, {"anonymous", "idle"}),
        ("1.41", {"label": ["absent"]}, set()),
    ],
)
def test_prune(world, version, filters, gone):
    anonymous = create(world, "")["Name"]
    create(world, "idle", Labels={"a": "b"})
    create_container(world, "web", Volumes={"/own": {}}, HostConfig={"Binds": ["used:/data"]})
    deleted = prune(world, version, **filters)
    assert {"anonymous" if name == anonymous else name for name in deleted or ()} == gone
    assert (deleted is None) == (not gone)
    assert world.volapi.named("used") is not None
    assert told(world)[-1] == ("prune", "")


def test_prune_takes_no_other_filters(world):
    for wrong in ({"until": ["1h"]}, {"all": ["true", "false"]}):
        with pytest.raises(InvalidParameter):
            prune(world, **wrong)


def test_disk_usage(world):
    """Nodes tell the size of shared volumes where they can; of those inside containers nobody does."""
    world.capabilities = {"disk-usage"}
    create(world)
    create_container(world, "web", HostConfig={"Binds": ["data:/data"]}, Volumes={"/own": {}})
    storage = world.volapi.named("data")["vm_uuid"]
    server = world.vm("web")["server_uuid"]
    world.vmapi.vms[storage] = {"uuid": storage, "owner_uuid": ALICE, "server_uuid": server, "state": "running"}
    world.services.cnapi.docker_exec = lambda _server, vm, _: {"Written": 1234} if vm == storage else {"Written": 1}
    usage = disk_usage(world.call("system.df", type="volume"))["Volumes"]
    assert [item["UsageData"] for item in usage] == [{"Size": 1234, "RefCount": 1}, {"Size": -1, "RefCount": 1}]
    del world.vmapi.vms[storage]
    assert disk_usage(world.call("system.df", type="volume"))["Volumes"][0]["UsageData"]["Size"] == -1

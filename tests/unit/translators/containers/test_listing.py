"""The list: filters in both forms, limits, order, wording; and what inspect shows of states and ports."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.errors import InvalidParameter, NotFound
from gateway.versions import ApiVersion
from sdc.errors import SdcUnavailable
from tests.unit.translators.containers.conftest import EXTERNAL, SERVER
from tests.unit.translators.containers.test_create import create
from translators.containers.inspect import inspect
from translators.containers.listing import command_line, list_containers, status_text
from translators.durations import human_duration
from translators.networks.predefined import predefined_id

BOOT = "2026-11-23T10:00:00.000Z"


@pytest.fixture
def three(world):
    """Old and exited, newer and running with a published port, newest and never started."""
    world.add_image("nginx", {"Cmd": ["nginx"], "ExposedPorts": {"443/tcp": {}}}, "2")
    create(world, "old", Labels={"tier": "front", "eq": "a=b"}, Volumes={"/data": {}})
    create(world, "web", Image="nginx", HostConfig={"PortBindings": {"80/tcp": []}}, Labels={"tier": "back"})
    create(world, "new", HostConfig={"NetworkMode": "none"})
    for at, name in enumerate(("old", "web", "new")):
        world.vm(name)["create_timestamp"] = f"2026-11-23T09:00:0{at}.000Z"
    world.vm("old").update(state="stopped", exit_status=3, exit_timestamp=BOOT, boot_timestamp=BOOT)
    world.vm("web").update(state="running", boot_timestamp=BOOT, pid=5)
    return world


def names(world, version=ApiVersion(1, 51), **query):
    if "filters" in query:
        query["filters"] = json.dumps(query["filters"])
    return [item["Names"][0][1:] for item in list_containers(world.call("container.list", version=version, **query))]


@pytest.mark.parametrize(("query", "found"), [
    ({}, ["web"]),
    ({"all": "1"}, ["new", "web", "old"]),
    ({"all": "0"}, ["web"]),
    ({"limit": "2"}, ["new", "web"]),
    ({"limit": "-1"}, ["web"]),
    ({"since": "old"}, ["new", "web"]),
    ({"before": "new"}, ["web", "old"]),
    ({"filters": {"since": ["old"]}}, ["web"]),
    ({"all": "1", "filters": {"before": ["web"]}}, ["old"]),
    ({"filters": {"status": ["exited", "created"]}}, ["new", "old"]),
    ({"filters": {"status": {"running": True}}}, ["web"]),
    ({"all": "1", "filters": {"exited": ["3"]}}, ["old"]),
    ({"filters": {"exited": ["3"]}}, []),
    ({"all": "1", "filters": {"name": ["e"]}}, ["new", "web"]),
    ({"all": "1", "filters": {"name": ["^/?old$"]}}, ["old"]),
    ({"all": "1", "filters": {"label": ["tier"]}}, ["web", "old"]),
    ({"all": "1", "filters": {"label": {"tier=front": True, "eq=a=b": True}}}, ["old"]),
    ({"all": "1", "filters": {"label": ["com.joyent.package=sample-128M"]}}, ["new", "web", "old"]),
    ({"all": "1", "filters": {"ancestor": ["nginx"]}}, ["web"]),
    ({"all": "1", "filters": {"ancestor": ["ghost"]}}, []),
    ({"filters": {"publish": ["80"]}}, ["web"]),
    ({"filters": {"publish": ["79-81/tcp"]}}, ["web"]),
    ({"filters": {"publish": ["443"]}}, []),
    ({"filters": {"expose": ["443/tcp"]}}, ["web"]),
    ({"all": "1", "filters": {"network": ["external"]}}, ["web"]),
    ({"all": "1", "filters": {"network": ["none"]}}, ["new"]),
    ({"all": "1", "filters": {"network": ["bridge"]}}, ["web", "old"]),
    ({"all": "1", "filters": {"volume": ["/data"]}}, ["old"]),
    ({"all": "1", "filters": {"health": ["none"]}}, ["new", "web", "old"]),
    ({"all": "1", "filters": {"health": ["healthy"]}}, []),
    ({"all": "1", "filters": {"is-task": ["false"]}}, ["new", "web", "old"]),
    ({"all": "1", "filters": {"is-task": ["true"]}}, []),
    ({"all": "1", "filters": {"isolation": ["default"]}}, ["new", "web", "old"]),
    ({"all": "1", "filters": {"status": None}}, ["new", "web", "old"]),
    ({"all": "1", "filters": None}, ["new", "web", "old"]),
])  # fmt: skip
def test_filters(three, query, found):
    assert names(three, **query) == found


def test_an_id_is_found_by_its_beginning(three):
    docker_id = three.vm("old")["internal_metadata"]["docker:id"]
    for value, found in ((docker_id[:12], ["old"]), (docker_id, ["old"]), (docker_id[1:12], []), ("", []), ("(", [])):
        assert names(three, all="1", filters={"id": [value]}) == found
    same = three.vm("web")["internal_metadata"]
    same["docker:id"] = docker_id[:8] + same["docker:id"][8:]
    assert names(three, all="1", filters={"id": [docker_id[:8]]}) == []  # whose it is cannot be told


def test_ports_are_those_that_the_list_shows(three):
    three.vm("web").update(state="stopped")
    for key, port in (("publish", "80"), ("expose", "80"), ("expose", "443")):
        assert names(three, all="1", filters={key: [port]}) == []


def test_descendants_are_made_from_an_image_and_not_just_like_it(three):
    three.add_image("child", {"Cmd": ["sh"]}, "3")
    three.add_image("alike", {"Cmd": ["sh"]}, "4")
    images, owner = three.state.images, three.call("container.list").owner.uuid
    busybox, child, alike = (images.get(owner, "sha256:" + digit * 64) for digit in "134")
    images.put(replace(child, parent=busybox.config_digest, manifest_str=busybox.manifest_str))
    images.put(replace(alike, manifest_str=busybox.manifest_str))
    create(three, "young", Image="child")
    create(three, "twin", Image="alike")
    assert set(names(three, all="1", filters={"ancestor": ["busybox"]})) == {"old", "new", "young"}
    assert names(three, all="1", filters={"ancestor": ["child"]}) == ["young"]


@pytest.mark.parametrize(("filters", "kind", "words"), [
    ('{"bogus":["1"]}', InvalidParameter, "invalid filter 'bogus'"),
    ('{"status":["up"]}', InvalidParameter, "invalid filter 'status=up'"),
    ('{"exited":["x"]}', InvalidParameter, "invalid filter 'exited=x'"),
    ('{"health":["well"]}', InvalidParameter, "invalid filter 'health=well'"),
    ('{"is-task":["perhaps"]}', InvalidParameter, "invalid filter 'is-task=[perhaps]'"),
    ('{"publish":["x"]}', InvalidParameter, "invalid port specification"),
    ('{"since":["ghost"]}', NotFound, "No such container: ghost"),
    ("{", InvalidParameter, "invalid filters"),
    ('["a"]', InvalidParameter, "invalid filters"),
])  # fmt: skip
def test_bad_filters(three, filters, kind, words):
    with pytest.raises(kind) as refused:
        list_containers(three.call("container.list", filters=filters))
    assert words in refused.value.message


def test_an_item_has_all_that_docker_shows(three):
    item = list_containers(three.call("container.list", size="1"))[0]
    vm = three.vm("web")
    assert item["Ports"] == [
        {"IP": "10.0.1.7", "PrivatePort": 80, "PublicPort": 80, "Type": "tcp"}, {"PrivatePort": 443, "Type": "tcp"},
    ]  # fmt: skip
    assert item["Id"] == vm["internal_metadata"]["docker:id"]
    assert item["Labels"] == {"tier": "back", "com.joyent.package": "sample-128M"}
    assert (item["Image"], item["ImageID"], item["State"], item["Command"]) == (
        "nginx",
        "sha256:" + "2" * 64,
        "running",
        "nginx",
    )
    assert item["Status"].startswith("Up ")
    assert item["SizeRootFs"] == 4096
    assert "SizeRw" not in item  # this data center cannot tell
    assert item["HostConfig"] == {"NetworkMode": "bridge"}
    assert {n: e["NetworkID"] for n, e in item["NetworkSettings"]["Networks"].items()} == {
        "external": EXTERNAL.replace("-", "") * 2, "bridge": predefined_id("bridge"),
    }  # fmt: skip


def test_published_ports_are_reached_at_the_containers_own_address(three):
    shown = inspect(three.call(), "web")["NetworkSettings"]
    assert shown["Ports"] == {"443/tcp": None, "80/tcp": [{"HostIp": "10.0.1.7", "HostPort": "80"}]}
    assert (shown["IPAddress"], shown["IPPrefixLen"], shown["Gateway"]) == ("10.0.1.7", 22, "10.0.1.1")
    assert inspect(three.call(), "new")["NetworkSettings"]["Networks"].keys() == {"none"}


def test_state_of_an_ended_container(three):
    three.vm("old")["internal_metadata"]["docker:oomkilled"] = True
    state = inspect(three.call(), "old")["State"]
    assert state == {
        "Status": "exited", "Running": False, "Paused": False, "Restarting": False, "OOMKilled": True, "Dead": False,
        "Pid": 0, "ExitCode": 3, "Error": "", "StartedAt": BOOT, "FinishedAt": BOOT,
    }  # fmt: skip
    assert inspect(three.call(), "new")["State"]["StartedAt"] == "0001-01-01T00:00:00Z"
    mounts = inspect(three.call(), "old")["Mounts"]
    assert [(m["Type"], m["Destination"], m["Driver"], m["RW"]) for m in mounts] == [("volume", "/data", "local", True)]


@pytest.mark.parametrize(("version", "lacks", "has"), [
    ((1, 24), ["AutoRemove", "NanoCpus", "CgroupnsMode"], ["KernelMemory"]),
    ((1, 40), ["CgroupnsMode", "Annotations"], ["KernelMemory", "DeviceRequests", "AutoRemove"]),
    ((1, 51), ["KernelMemory", "KernelMemoryTCP"], ["CgroupnsMode", "MaskedPaths"]),
])  # fmt: skip
def test_older_versions_see_less(three, version, lacks, has):
    shown = inspect(three.call(version=ApiVersion(*version)), "web")
    assert not set(lacks) & shown["HostConfig"].keys()
    assert set(has) <= shown["HostConfig"].keys()
    endpoint = shown["NetworkSettings"]["Networks"]["external"]
    assert ("DNSNames" in endpoint) is (version >= (1, 44))
    assert ("GwPriority" in endpoint) is (version >= (1, 48))


def test_a_container_of_sdc_docker_is_shown_too(world):
    create(world, "theirs")
    vm = world.vm("theirs")
    for key in ("docker:linux", "docker:hostconfig"):
        vm["internal_metadata"].pop(key, None)
    vm["tags"]["triton.cns.disable"] = True
    shown = inspect(world.call(), "theirs")
    assert shown["HostConfig"]["Dns"] == ["8.8.8.8"]
    assert shown["Config"]["Labels"]["triton.cns.disable"] == "true"
    del vm["internal_metadata"]
    assert inspect(world.call(), "theirs")["Id"] == vm["uuid"].replace("-", "")


NOW = 1795428000.0  # 2026-11-23T10:00:00Z


@pytest.mark.parametrize(("vm", "text"), [
    ({"state": "running", "boot_timestamp": "2026-11-23T09:58:59.000Z"}, "Up About a minute"),
    ({"state": "provisioning", "create_timestamp": "2026-11-23T09:59:50.000Z"}, "Provisioning 10 seconds"),
    ({"state": "stopped", "exit_status": 0, "exit_timestamp": "2026-11-23T07:00:00.000Z"}, "Exited (0) 3 hours ago"),
    ({"state": "stopped", "internal_metadata": {"docker:restartcount": 2}}, "Exited"),
    ({"state": "stopped"}, "Created"),
    ({"state": "unknown"}, "Dead"),
])  # fmt: skip
def test_status_texts(vm, text):
    assert status_text(vm, NOW) == text


@pytest.mark.parametrize(("seconds", "text"), [
    (0.4, "Less than a second"), (1, "1 second"), (45, "45 seconds"), (60, "About a minute"), (119, "About a minute"),
    (120, "2 minutes"), (3599, "59 minutes"), (3600, "About an hour"), (5400, "2 hours"), (86400, "24 hours"),
    (47 * 3600, "47 hours"), (48 * 3600, "2 days"), (13 * 86400, "13 days"), (14 * 86400, "2 weeks"),
    (59 * 86400, "8 weeks"), (60 * 86400, "2 months"), (729 * 86400, "24 months"), (730 * 86400, "2 years"),
])  # fmt: skip
def test_durations(seconds, text):
    assert human_duration(seconds) == text


def test_command_line_quotes_for_people():
    assert command_line(["/bin/sh", "-c", "sleep 100"]) == "/bin/sh -c 'sleep 100'"


class TellingCnapi:
    """CNAPI of a data center whose node tells what a container has written, unless it is away."""

    def __init__(self, *, away):
        self.away = away
        self.asked = []

    def list_servers(self, **_):
        return [{"uuid": SERVER, "sysinfo": {"Docker Capabilities": ["disk-usage"]}}]

    def docker_exec(self, server_uuid, vm_uuid, command):
        self.asked.append((server_uuid, vm_uuid, command))
        if self.away:
            raise SdcUnavailable("cnapi", 503, "ServiceUnavailable", "starting")
        return {"Written": 100}


@pytest.mark.parametrize(("away", "told"), [(False, {"SizeRw": 100, "SizeRootFs": 4196}), (True, {"SizeRootFs": 4096})])
def test_sizes_where_the_node_tells_them(three, away, told):
    three.services.cnapi = TellingCnapi(away=away)
    item = list_containers(three.call("container.list", size="1"))[0]
    assert three.services.cnapi.asked == [(SERVER, three.vm("web")["uuid"], {"DiskUsage": True})]
    container = inspect(three.call(size="1"), "web")
    for shown in (item, container):
        assert {key: value for key, value in shown.items() if key.startswith("Size")} == told

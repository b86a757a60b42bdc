"""Create, payload, VM, inspect: whatever is asked for with an option that is honoured is shown again.

The table of options says which ones those are; values are drawn, not picked.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.versions import CEILING
from tests.contract.house import lasting_house
from tests.contract.test_options import ABLE, FABRIC
from translators.options import OPTIONS, Fate, Place

MIB = 1 << 20
CREATE = [
    row for row in OPTIONS
    if row.operation == "container.create" and row.place is Place.BODY and row.fate in {Fate.HONOURED, Fate.MAPPED}
]  # fmt: skip
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: "/mnt/" + "/".join(parts))
DEVICES = st.sampled_from(["/dev/sda", "/dev/nvme0n1"])
PORTS = st.integers(1, 65535)
ADDRESSES = st.ip_addresses(v=4).map(str)
TRUE = st.just(value=True)
SECONDS = st.integers(1, 3600).map(lambda seconds: seconds * 10**9)


def listed(element: st.SearchStrategy[Any], most: int = 3, **more: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(element, min_size=1, max_size=most, **more)


def mapping(keys: st.SearchStrategy[str], values: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[Any]:
    return st.dictionaries(keys, values, min_size=1, max_size=most)


def ports(protocols: tuple[str, ...] = ("tcp", "udp")) -> st.SearchStrategy[str]:
    return st.builds(lambda number, protocol: f"{number}/{protocol}", PORTS, st.sampled_from(protocols))


def parted(parts: dict[str, st.SearchStrategy[Any]], *needed: str) -> st.SearchStrategy[dict[str, Any]]:
    given = {name: parts[name] for name in needed}
    return st.fixed_dictionaries(given, optional={name: parts[name] for name in parts if name not in needed})


def throttle() -> dict[str, st.SearchStrategy[Any]]:
    return {"Path": DEVICES, "Rate": st.integers(1, 2**40)}


PARTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Healthcheck": {
        "Test": st.builds(lambda kind, words: [kind, *words], st.sampled_from(["CMD", "CMD-SHELL"]), listed(WORDS, 1))
        | st.just(["NONE"]),
        "Interval": SECONDS, "Timeout": SECONDS, "Retries": st.integers(1, 99),
        "StartPeriod": SECONDS, "StartInterval": SECONDS,
    },
    "HostConfig.LogConfig": {
        "Type": st.just("json-file"),
        "Config": st.fixed_dictionaries({}, optional={
            "max-size": st.integers(1, 99).map("{}m".format), "max-file": st.integers(1, 9).map(str),
        }),
    },
    "HostConfig.RestartPolicy": {"Name": st.just("on-failure"), "MaximumRetryCount": st.integers(0, 99)},
    "HostConfig.PortBindings.*.*": {"HostIp": st.just(""), "HostPort": PORTS.map(str)},
    "HostConfig.Ulimits.*": {
        "Name": st.sampled_from(["nofile", "core"]), "Soft": st.integers(1, 1000), "Hard": st.integers(1000, 2000),
    },
    "HostConfig.BlkioWeightDevice.*": {"Path": DEVICES, "Weight": st.integers(10, 1000)},
    "HostConfig.BlkioDeviceReadBps.*": throttle(),
    "HostConfig.BlkioDeviceWriteBps.*": throttle(),
    "HostConfig.BlkioDeviceReadIOps.*": throttle(),
    "HostConfig.BlkioDeviceWriteIOps.*": throttle(),
    "HostConfig.Mounts.*.TmpfsOptions": {
        "SizeBytes": st.integers(1, 64).map(lambda size: size * MIB), "Mode": st.integers(1, 0o777),
        "Options": listed(st.sampled_from([["noexec"], ["uid", "7"]]), unique_by=str),
    },
}  # fmt: skip
"""Strategies for the fields of what an option is made of."""
PARTS["HostConfig.Mounts.*"] = {
    "Type": st.just("volume"), "Source": NAMES.map("vol-{}".format), "Target": PATHS, "ReadOnly": TRUE,
    "VolumeOptions": st.fixed_dictionaries({"Labels": mapping(NAMES, WORDS)}) | st.just({"NoCopy": True}),
    "TmpfsOptions": parted(PARTS["HostConfig.Mounts.*.TmpfsOptions"]),
}  # fmt: skip
_MOUNT = PARTS["HostConfig.Mounts.*"]
VOLUME = parted({key: _MOUNT[key] for key in _MOUNT if key != "TmpfsOptions"}, "Type", "Source", "Target")
TMPFS = parted({"Type": st.just("tmpfs"), **{key: _MOUNT[key] for key in ("Target", "TmpfsOptions")}}, "Type", "Target")


@dataclass(frozen=True)
class Trip:
    """How an option is asked for and what inspect says of it then: the same, unless ``shown`` says otherwise."""

    values: st.SearchStrategy[Any]
    shown: Callable[[Any], Any] = lambda value: value
    beside: dict[str, Any] = field(default_factory=dict)
    """What a request with it must have, too."""
    within: bool = False
    """Others add to what is shown: it is among that."""


def devices(name: str, key: str = "Path") -> Trip:
    return Trip(
        listed(parted(PARTS[f"HostConfig.{name}.*"], *PARTS[f"HostConfig.{name}.*"]), 2, unique_by=lambda d: d[key])
    )


def boolean() -> Trip:
    return Trip(TRUE)


CAPABILITIES = st.sampled_from(["NET_ADMIN", "NET_RAW", "CHOWN", "KILL"])
NO_PRIVILEGES = st.sampled_from(
    [["no-new-privileges"], ["label=disable"], ["apparmor=unconfined"], ["seccomp=builtin"]]
)
TRIPS: dict[str, Trip] = {
    "Image": Trip(st.sampled_from(["busybox", "busybox:latest", f"sha256:{'1' * 64}", "1" * 12])),
    "Hostname": Trip(NAMES),
    "Domainname": Trip(NAMES.map("{}.test".format)),
    "User": Trip(NAMES | st.integers(0, 2**31 - 1).map(str) | st.sampled_from(["33:33", "www-data:0"])),
    "AttachStdin": boolean(), "AttachStdout": boolean(), "AttachStderr": boolean(), "Tty": boolean(),
    "OpenStdin": boolean(), "StdinOnce": Trip(TRUE, beside={"OpenStdin": True}),
    "ExposedPorts": Trip(mapping(ports(), st.just({})), within=True),
    "Env": Trip(
        listed(st.builds("{}={}".format, NAMES.map(str.upper), WORDS), unique_by=lambda pair: pair.partition("=")[0]),
        within=True,
    ),
    "Cmd": Trip(listed(WORDS)),
    "Entrypoint": Trip(listed(WORDS)),
    "Healthcheck": Trip(parted(PARTS["Healthcheck"], "Test")),
    "Volumes": Trip(mapping(PATHS, st.just({}))),
    "WorkingDir": Trip(PATHS),
    "NetworkDisabled": Trip(TRUE, lambda _: "none"),
    "Labels": Trip(mapping(WORDS.filter(lambda key: not key.startswith("triton.")), WORDS), within=True),
    "StopSignal": Trip(st.sampled_from(["SIGTERM", "USR1", "9", "RTMIN+3"])),
    "StopTimeout": Trip(st.integers(-1, 10**6)),
    "HostConfig.Memory": Trip(st.integers(6 * MIB, 4096 * MIB)),
    "HostConfig.MemorySwap": Trip(st.integers(64 * MIB, 256 * MIB), beside={"HostConfig.Memory": 64 * MIB}),
    "HostConfig.MemoryReservation": Trip(st.integers(6 * MIB, 64 * MIB)),
    "HostConfig.MemorySwappiness": Trip(st.integers(0, 100)),
    "HostConfig.OomKillDisable": boolean(),
    "HostConfig.NanoCpus": Trip(st.integers(1, 400).map(lambda hundredth: hundredth * 10**7)),
    "HostConfig.CpuShares": Trip(st.integers(2, 2**18)),
    "HostConfig.CpuPeriod": Trip(st.integers(1000, 10**6)),
    "HostConfig.CpuQuota": Trip(st.integers(1000, 10**6)),
    "HostConfig.CpusetCpus": Trip(st.sampled_from(["0", "0-1", "1", "0,1"])),
    "HostConfig.CpusetMems": Trip(st.just("0")),
    "HostConfig.PidsLimit": Trip(st.integers(1, 1000)),
    "HostConfig.BlkioWeight": Trip(st.integers(10, 1000)),
    "HostConfig.BlkioWeightDevice": devices("BlkioWeightDevice"),
    "HostConfig.BlkioDeviceReadBps": devices("BlkioDeviceReadBps"),
    "HostConfig.BlkioDeviceWriteBps": devices("BlkioDeviceWriteBps"),
    "HostConfig.BlkioDeviceReadIOps": devices("BlkioDeviceReadIOps"),
    "HostConfig.BlkioDeviceWriteIOps": devices("BlkioDeviceWriteIOps"),
    "HostConfig.Ulimits": devices("Ulimits", "Name"),
    "HostConfig.OomScoreAdj": Trip(st.integers(1, 1000)),
    "HostConfig.StorageOpt": Trip(st.integers(1, 20).map(lambda size: {"size": f"{size}G"})),
    "HostConfig.CapAdd": Trip(listed(CAPABILITIES, unique=True)),
    "HostConfig.CapDrop": Trip(listed(CAPABILITIES, unique=True) | st.just(["ALL"])),
    "HostConfig.Init": boolean(),
    "HostConfig.Tmpfs": Trip(mapping(PATHS, st.sampled_from(["", "size=8m,exec", "mode=1777,uid=7"]))),
    "HostConfig.ReadonlyRootfs": boolean(),
    "HostConfig.ShmSize": Trip(st.integers(1, 2**32)),
    "HostConfig.Sysctls": Trip(mapping(NAMES.map("net.ipv4.{}".format), st.integers(0, 99).map(str))),
    "HostConfig.GroupAdd": Trip(listed(NAMES | st.integers(0, 65535).map(str))),
    "HostConfig.SecurityOpt": Trip(NO_PRIVILEGES),
    "HostConfig.MaskedPaths": Trip(listed(PATHS, unique=True)),
    "HostConfig.ReadonlyPaths": Trip(listed(PATHS, unique=True)),
    "HostConfig.IpcMode": Trip(st.sampled_from(["private", "shareable"])),
    "HostConfig.UsernsMode": Trip(st.just("host")),
    "HostConfig.CgroupnsMode": Trip(st.just("private")),
    "HostConfig.NetworkMode": Trip(
        st.sampled_from(["bridge", "default", "none", FABRIC]), lambda mode: "bridge" if mode == "default" else mode
    ),
    "HostConfig.PortBindings": Trip(
        mapping(ports(), st.tuples(parted(PARTS["HostConfig.PortBindings.*.*"], "HostIp", "HostPort")).map(list)),
        within=True,
    ),
    "HostConfig.PublishAllPorts": Trip(TRUE, beside={"ExposedPorts": {"81/tcp": {}}}),
    "HostConfig.Dns": Trip(listed(ADDRESSES, 2)),
    "HostConfig.DnsOptions": Trip(listed(st.sampled_from(["ndots:3", "rotate", "timeout:2"]))),
    "HostConfig.DnsSearch": Trip(listed(NAMES.map("{}.test".format))),
    "HostConfig.ExtraHosts": Trip(listed(st.builds("{}:{}".format, NAMES, ADDRESSES))),
    "HostConfig.Links": Trip(NAMES.map(lambda alias: [f"up:{alias}"]), lambda links: ["/" + links[0].replace(":", ":/trip/")]),
    "HostConfig.Binds": Trip(
        listed(st.builds("vol-{}:{}{}".format, NAMES, PATHS, st.sampled_from(["", ":ro"])), 2,
               unique_by=lambda bind: bind.split(":")[1])
    ),
    "HostConfig.Mounts": Trip(listed(VOLUME | TMPFS, 2, unique_by=lambda mount: mount["Target"])),
    "HostConfig.VolumesFrom": Trip(st.sampled_from([["donor"], ["donor:ro"], ["donor:rw"]])),
    "HostConfig.LogConfig": Trip(parted(PARTS["HostConfig.LogConfig"], "Type", "Config")),
    "HostConfig.RestartPolicy": Trip(
        parted(PARTS["HostConfig.RestartPolicy"], "Name", "MaximumRetryCount")
        | st.sampled_from(["always", "unless-stopped"]).map(lambda name: {"Name": name, "MaximumRetryCount": 0})
    ),
    "HostConfig.AutoRemove": boolean(),
    "HostConfig.Annotations": Trip(mapping(WORDS, WORDS)),
    "NetworkingConfig.EndpointsConfig": Trip(st.just({FABRIC: {}}), within=True),
    "NetworkingConfig.EndpointsConfig.*.Aliases": Trip(listed(NAMES, unique=True)),
    "NetworkingConfig.EndpointsConfig.*.Links": Trip(NAMES.map(lambda alias: [f"up:{alias}"])),
    "NetworkingConfig.EndpointsConfig.*.GwPriority": Trip(st.integers(-(2**31), 2**31)),
    "NetworkingConfig.EndpointsConfig.*.IPAMConfig.IPv4Address": Trip(st.integers(100, 200).map("10.128.0.{}".format)),
}  # fmt: skip
ALONE = ({"NanoCpus", "CpuPeriod", "CpuQuota"}, {"AutoRemove", "RestartPolicy"},
         {"NetworkMode", "NetworkDisabled", "PortBindings", "PublishAllPorts", "Links", "EndpointsConfig", "GwPriority",
          "IPv4Address", "Aliases"},
         {"Tmpfs", "Mounts", "Binds", "Volumes", "VolumesFrom"}, {"Memory", "MemorySwap", "MemoryReservation"},
         {"OpenStdin", "StdinOnce"}, {"StorageOpt", "Memory"}, {"ExposedPorts", "PublishAllPorts"})  # fmt: skip
"""Options of which a request has one, for they speak of the same thing."""


def test_every_option_that_is_honoured_makes_the_trip():
    whole = {row.name for row in CREATE if not row.proof.startswith("option:")}
    assert set(TRIPS) == whole
    parts = {row.name for row in CREATE} - whole
    assert {f"{parent}.{name}" for parent, fields in PARTS.items() for name in fields} == parts


def put(body: dict[str, Any], name: str, value: Any) -> None:
    *parents, leaf = name.replace("EndpointsConfig.*", f"EndpointsConfig.{FABRIC}").split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[leaf] = value


def shown_at(container: dict[str, Any], name: str) -> Any:
    """Find an option again in what inspect says."""
    if name == "HostConfig.LogConfig":
        return container["HostConfig"]["LogConfig"]
    for part in PLACES.get(name, name if name.startswith("HostConfig.") else f"Config.{name}").split("."):
        container = container[part]
    return container


PLACES = {
    "NetworkDisabled": "HostConfig.NetworkMode",
    "NetworkingConfig.EndpointsConfig": "NetworkSettings.Networks",
    "NetworkingConfig.EndpointsConfig.*.Aliases": f"NetworkSettings.Networks.{FABRIC}.Aliases",
    "NetworkingConfig.EndpointsConfig.*.Links": f"NetworkSettings.Networks.{FABRIC}.Links",
    "NetworkingConfig.EndpointsConfig.*.GwPriority": f"NetworkSettings.Networks.{FABRIC}.GwPriority",
    "NetworkingConfig.EndpointsConfig.*.IPAMConfig.IPv4Address":
        f"NetworkSettings.Networks.{FABRIC}.IPAMConfig.IPv4Address",
}  # fmt: skip


def holds(trip: Trip, value: Any, shown: Any) -> bool:
    wanted = trip.shown(value)
    if not trip.within:
        return bool(shown == wanted)
    if isinstance(wanted, list):
        return all(item in shown for item in wanted)
    return all(key in shown and (not item or shown[key] == item) for key, item in wanted.items())


@pytest.fixture(scope="module")
def able_house(tmp_path_factory):
    with lasting_house(tmp_path_factory.mktemp("trips"), ABLE - {"privileged"} | {"restart-policies"}) as house:
        body = {"Image": "busybox", "Volumes": {"/given": {}}}
        assert house.http.post("/containers/create?name=donor", json=body).status_code == 201
        yield house


def travel(house, asked: dict[str, Any]) -> None:
    """Create with all that is asked for, inspect, compare, and remove again."""
    body: dict[str, Any] = {"Image": "busybox", "Cmd": ["sh"], "HostConfig": {}}
    for name, value in asked.items():
        for other, needed in TRIPS[name].beside.items():
            put(body, other, needed)
        put(body, name, value)
    before = house.things()
    answer = house.http.post(f"/v{CEILING}/containers/create?name=trip", json=body)
    assert answer.status_code == 201, (body, answer.text)
    try:
        container = house.http.get(f"/containers/{answer.json['Id']}/json").json
        for name, value in asked.items():
            shown = shown_at(container, name)
            assert holds(TRIPS[name], value, shown), (name, value, shown)
    finally:
        assert house.http.delete(f"/containers/{answer.json['Id']}?force=1&v=1").status_code == 204
        for volume in house.http.get("/volumes").json["Volumes"]:
            if volume["Name"].startswith("vol-"):
                assert house.http.delete(f"/volumes/{volume['Name']}").status_code == 204
    assert house.things() == before


MANY = settings(deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", TRIPS)
def test_each_comes_back(able_house, name):
    @settings(MANY, max_examples=5)
    @given(TRIPS[name].values)
    def trip(value):
        travel(able_house, {name: value})

    trip()


def test_any_mix_comes_back(able_house):
    @settings(MANY, max_examples=30)
    @given(st.data())
    def trip(data):
        chosen: dict[str, Any] = {}
        leaves: set[str] = set()
        for name in data.draw(st.lists(st.sampled_from(sorted(TRIPS)), min_size=2, max_size=8, unique=True)):
            leaf = name.rpartition(".")[2]
            if not any(leaf in group and group & leaves for group in ALONE):
                leaves.add(leaf)
                chosen[name] = data.draw(TRIPS[name].values, label=name)
        travel(able_house, chosen)

    trip()

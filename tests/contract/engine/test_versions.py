"""Which fields an inspect, a list and others have in each version: what is new to a version is not told below it."""

from __future__ import annotations

import pytest

from gateway.versions import ApiVersion
from tests.contract.engine.asked import CREATE
from tests.contract.house import house, make_house
from tests.contract.test_options import ABLE

__all__ = ["house", "make_house"]

VERSIONS = ("1.51", "1.47", "1.44", "1.41", "1.40", "1.25", "1.24")

NEWEST = {
    "inspect": """
        AppArmorProfile Args Config Created Driver ExecIDs GraphDriver HostConfig HostnamePath HostsPath Id Image LogPath
        MountLabel Mounts Name NetworkSettings Path Platform ProcessLabel ResolvConfPath RestartCount SizeRootFs State
    """,
    "HostConfig": """
        Annotations AutoRemove Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps
        BlkioWeight BlkioWeightDevice CapAdd CapDrop Cgroup CgroupParent CgroupnsMode ConsoleSize ContainerIDFile CpuCount
        CpuPercent CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpuShares CpusetCpus CpusetMems
        DeviceCgroupRules DeviceRequests Devices Dns DnsOptions DnsSearch ExtraHosts GroupAdd IOMaximumBandwidth
        IOMaximumIOps Init IpcMode Isolation Links LogConfig MaskedPaths Memory MemoryReservation MemorySwap
        MemorySwappiness Mounts NanoCpus NetworkMode OomKillDisable OomScoreAdj PidMode PidsLimit PortBindings Privileged
        PublishAllPorts ReadonlyPaths ReadonlyRootfs RestartPolicy Runtime SecurityOpt ShmSize Sysctls Tmpfs UTSMode
        Ulimits UsernsMode VolumeDriver VolumesFrom
    """,
    "Config": """
        AttachStderr AttachStdin AttachStdout Cmd Domainname Entrypoint Env ExposedPorts Healthcheck Hostname Image Labels
        OnBuild OpenStdin StdinOnce StopSignal StopTimeout Tty User Volumes WorkingDir
    """,
    "Healthcheck": "Interval StartInterval StartPeriod Test",
    "NetworkSettings": """
        Bridge EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen HairpinMode IPAddress IPPrefixLen IPv6Gateway
        LinkLocalIPv6Address LinkLocalIPv6PrefixLen MacAddress Networks Ports SandboxID SandboxKey SecondaryIPAddresses
        SecondaryIPv6Addresses
    """,
    "endpoint": """
        Aliases DNSNames DriverOpts EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen GwPriority IPAMConfig IPAddress
        IPPrefixLen IPv6Gateway Links MacAddress NetworkID
    """,
    "list": """
        Command Created HostConfig Id Image ImageID Labels Mounts Names NetworkSettings Ports SizeRootFs State Status
    """,
    "list HostConfig": "Annotations NetworkMode",
    "image": """
        Architecture Author Comment Config Created DockerVersion GraphDriver Id Metadata Os Parent RepoDigests RepoTags
        RootFS Size
    """,
    "image Config": "Cmd Entrypoint Env Labels OnBuild User Volumes WorkingDir",
    "image list": "Containers Created Id Labels ParentId RepoDigests RepoTags SharedSize Size",
    "df": "BuildCache Containers Images LayersSize Volumes",
}

NEW = {
    "inspect": {"1.32": "Platform"},
    "HostConfig": {
        "1.25": "AutoRemove CpuRealtimePeriod CpuRealtimeRuntime Init Mounts NanoCpus",
        "1.28": "DeviceCgroupRules",
        "1.38": "MaskedPaths ReadonlyPaths",
        "1.40": "DeviceRequests",
        "1.41": "CgroupnsMode",
        "1.43": "Annotations",
    },
    "Config": {"1.25": "StopTimeout"},
    "Healthcheck": {"1.29": "StartPeriod", "1.44": "StartInterval"},
    "endpoint": {"1.32": "DriverOpts", "1.44": "DNSNames", "1.48": "GwPriority"},
    "list HostConfig": {"1.46": "Annotations"},
}
"""The version that brought a field. Fields that came into all versions at once are not here."""

GONE = {
    "HostConfig": {"1.42": "KernelMemory"},
    "image": {"1.44": "VirtualSize", "1.45": "Container ContainerConfig"},
    "image Config": {"1.50": "AttachStderr AttachStdin AttachStdout Domainname Hostname Image OpenStdin StdinOnce Tty"},
    "image list": {"1.44": "VirtualSize"},
}
"""The version that dropped a field."""


def expected(part, version):
    parsed = ApiVersion.parse(version)
    names = set(NEWEST[part].split())
    for since, fields in NEW.get(part, {}).items():
        if parsed < ApiVersion.parse(since):
            names -= set(fields.split())
    for since, fields in GONE.get(part, {}).items():
        if parsed < ApiVersion.parse(since):
            names |= set(fields.split())
    if part == "HostConfig" and (1, 40) <= parsed < (1, 42):  # one of few that came and went
        names.add("KernelMemoryTCP")
    return names


@pytest.fixture
def full(make_house):
    house = make_house(ABLE)
    assert house.http.post("/containers/create?name=full", json=CREATE).status_code == 201
    assert house.http.post("/containers/full/start").status_code == 204
    return house


def told(house, version):
    """What the gateway tells of one container and its image, by part."""

    def get(path):
        answer = house.http.get(f"/v{version}{path}")
        assert answer.status_code == 200, answer.text
        return answer.json

    container, image = get("/containers/full/json?size=1"), get("/images/busybox/json")
    (listed,) = [item for item in get("/containers/json?size=1") if item["Names"] == ["/full"]]
    endpoint, *_ = container["NetworkSettings"]["Networks"].values()
    shown, *_ = listed["NetworkSettings"]["Networks"].values()
    assert shown.keys() == endpoint.keys()
    return {
        "inspect": container,
        "HostConfig": container["HostConfig"],
        "Config": container["Config"],
        "Healthcheck": container["Config"]["Healthcheck"],
        "NetworkSettings": container["NetworkSettings"],
        "endpoint": endpoint,
        "list": listed,
        "list HostConfig": listed["HostConfig"],
        "image": image,
        "image Config": image["Config"],
        "image list": get("/images/json")[0],
        "df": get("/system/df"),
    }


def test_every_version_is_told_what_it_knows(full):
    assert {version: {part: set(shown) for part, shown in told(full, version).items()} for version in VERSIONS} == {
        version: {part: expected(part, version) for part in NEWEST} for version in VERSIONS
    }


@pytest.mark.parametrize(
    ("version", "has", "has_not"),
    [
        ("1.40", {"SystemStatus", "BridgeNfIptables", "BridgeNfIp6tables"}, set()),
        ("1.41", {"BridgeNfIptables"}, {"SystemStatus"}),
        ("1.49", {"BridgeNfIptables", "BridgeNfIp6tables"}, {"SystemStatus"}),
        ("1.50", set(), {"BridgeNfIptables", "BridgeNfIp6tables", "SystemStatus"}),
    ],
)
def test_what_info_tells_no_more(house, version, has, has_not):
    info = house.http.get(f"/v{version}/info").json
    assert has <= info.keys()
    assert not has_not & info.keys()


@pytest.mark.parametrize(("version", "commit"), [("1.48", {"ID": "", "Expected": ""}), ("1.49", {"ID": ""})])
def test_a_commit_was_expected(house, version, commit):
    info = house.http.get(f"/v{version}/info").json
    assert [info[f"{part}Commit"] for part in ("Containerd", "Runc", "Init")] == [commit] * 3

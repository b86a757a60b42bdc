"""The data center, described as one Docker host."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from gateway.call import Call
from gateway.versions import GATEWAY_VERSION, ApiVersion
from translators.capabilities import capabilities
from translators.containers.lookup import mine, mine_up
from translators.containers.states import status
from translators.errors import speaking_docker

_NAMESPACE = uuid.UUID("0b7e1f0e-7d0c-5b6e-9d59-5b1c2f3a4d5e")


def info(call: Call) -> dict[str, Any]:
    """Describe the account's view of the data center: its containers and images, everybody's machines.

    NCPU and MemTotal (bytes) are sums over the compute nodes that are set up; counts are the account's own.

    Docker: GET /info   SDC: VMAPI HEAD /vms, GET /vms, CNAPI GET /servers
    """
    with speaking_docker("problem getting information about the data center"):
        servers = call.services.cnapi.list_servers()
        up = call.services.vmapi.count_vms(predicate=mine_up(call.owner.uuid))
        paused = _paused(call)
        total = call.services.vmapi.count_vms(predicate=mine(call.owner.uuid))
    name = call.config.datacenter_name
    sysinfos = [server.get("sysinfo") or {} for server in servers]
    return {
        "ID": str(uuid.uuid5(_NAMESPACE, name)),
        "Name": name,
        "Containers": total,
        "ContainersRunning": max(0, up - paused),
        "ContainersPaused": paused,
        "ContainersStopped": max(0, total - up),
        "Images": call.state.images.count(call.owner.uuid),
        "NCPU": sum(int(sysinfo.get("CPU Total Cores") or 0) for sysinfo in sysinfos),
        "MemTotal": sum(int(sysinfo.get("MiB of Memory") or 0) for sysinfo in sysinfos) * 1024 * 1024,
        "DriverStatus": [["SDCAccount", call.owner.login], ["Compute Nodes", _nodes(sysinfos)]],
        "SystemTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "Labels": [f"triton.capability={name}" for name in sorted(capabilities(call))],
        **_plugins(call.config.log_drivers),
        **_registries(call.config.insecure_registries),
        **_HOST,
        **_NO_SWARM,
        **_former(call.version),
    }


def _former(version: ApiVersion) -> dict[str, Any]:
    """Return what newer versions tell no more."""
    former: dict[str, Any] = {}
    if version < (1, 41):
        former["SystemStatus"] = None
    if version < (1, 50):
        former |= {"BridgeNfIptables": False, "BridgeNfIp6tables": False}
    commit = {"ID": ""} if version >= (1, 49) else {"ID": "", "Expected": ""}
    return former | {f"{part}Commit": commit for part in ("Containerd", "Runc", "Init")}


def _nodes(sysinfos: list[dict[str, Any]]) -> str:
    """How many nodes there are, and how many of them keep books alone."""
    simulated = sum(1 for sysinfo in sysinfos if sysinfo.get("Simulated"))
    return f"{len(sysinfos)} ({simulated} simulated)" if simulated else str(len(sysinfos))


def _plugins(log_drivers: Iterable[str]) -> dict[str, Any]:
    return {
        "Plugins": {"Volume": ["local"], "Network": ["Triton"], "Authorization": None, "Log": list(log_drivers)},
        "LoggingDriver": "json-file",
    }


def _registries(insecure: Iterable[str]) -> dict[str, Any]:
    hub = {"Name": "docker.io", "Mirrors": [], "Secure": True, "Official": True}
    return {
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {
            "InsecureRegistryCIDRs": [registry for registry in insecure if "/" in registry],
            "IndexConfigs": {"docker.io": hub},
            "Mirrors": [],
        },
    }


_HOST = {
    "Driver": "sdc",
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsPeriod": True,
    "CpuCfsQuota": True,
    "CPUShares": True,
    "CPUSet": True,
    "PidsLimit": True,
    "OomKillDisable": False,
    "IPv4Forwarding": True,
    "Debug": False,
    "NFd": 0,
    "NGoroutines": 0,
    "NEventsListener": 0,
    "CgroupDriver": "none",
    "KernelVersion": platform.release(),
    "OperatingSystem": "SmartDataCenter",
    "OSVersion": "",
    "OSType": "linux",
    "Architecture": platform.machine(),
    "HttpProxy": "",
    "HttpsProxy": "",
    "NoProxy": "",
    "ExperimentalBuild": False,
    "ServerVersion": GATEWAY_VERSION,
    "Runtimes": {"sdc": {"path": "sdc"}},
    "DefaultRuntime": "sdc",
    "LiveRestoreEnabled": True,
    "Isolation": "",
    "InitBinary": "",
    "SecurityOptions": ["name=seccomp,profile=default"],
    "Warnings": None,
}
"""What is the same for every account and every data center."""

_NO_SWARM = {
    "Swarm": {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    },
}


def _paused(call: Call) -> int:
    """Count paused containers: VMAPI takes them for running ones, and knows no predicate of what tells them apart.

    SDC: VMAPI GET /vms?predicate=, where nodes can pause at all
    """
    if "pause" not in capabilities(call):
        return 0
    running = mine(call.owner.uuid, {"eq": ["state", "running"]})
    return sum(status(vm) == "paused" for vm in call.services.vmapi.list_vms(predicate=running))

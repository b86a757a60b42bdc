"""What the node says of itself: a compute node's sysinfo, with the capabilities a real one lacks."""

from __future__ import annotations

import os
import platform
import time
from typing import Any

from datacenter.node.home import Home
from datacenter.node.spec import Host

CAPABILITIES = (
    "stdio-frames",
    "attach-before-start",
    "logs-filter",
    "exec-options",
    "console-resize",
    "disk-usage",
    "linux-options",
    "oom-status",
    "archive",
    "export",
    "changes",
    "stats",
    "restart-policies",
    "health",
    "pause",
    "volume-options",
    "nic-hotplug",
    "commit",
    "security-profiles",
    "build",
    "port-remapping",
    "network-names",
    "network-sharing",
)
"""What every embedded node can do; limits that depend on its kernel, and what its operator allows, come on top."""
ADMIN_IP = "127.0.0.1"
GIB = 1024


def capabilities_of(host: Host) -> list[str]:
    """The names of what a node can do, as the gateway's table of options knows them."""
    allowed = [name for name, given in (("privileged", host.privileged), ("host-binds", host.binds)) if given]
    return [*CAPABILITIES, *sorted(host.features), *allowed]


def ulimits_of(host: Host) -> dict[str, int]:
    """The hard limits that containers may have here, by Docker's names; -1 is no limit."""
    return {name.lower(): hard for name, (_, hard) in sorted(host.limits.items()) if name != "OFILE"}


def sysinfo(home: Home, host: Host) -> dict[str, Any]:
    """The sysinfo object; memory in MiB, disk in GiB, both as the settings share the machine out among its nodes."""
    settings = home.settings
    uuid = home.server_uuid()
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1 << 20)
    memory = settings.node_memory_mib or machine // settings.nodes
    booted = int(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
    return {
        "UUID": uuid,
        "Hostname": home.hostname,
        "Datacenter Name": settings.name,
        "System Type": "Linux",
        "Live Image": "20260101T000000Z",
        "Boot Time": str(booted),
        "Setup": "true",
        "Kernel Version": platform.release(),
        "Manufacturer": "embedded",
        "Product": "container host",
        "CPU Type": platform.machine(),
        "CPU Virtualization": "none",
        "CPU Physical Cores": 1,
        "CPU Total Cores": os.cpu_count() or 1,
        "MiB of Memory": str(memory),
        "Zpool": "zones",
        "Zpool Size in GiB": settings.node_disk_mib // GIB,
        "Admin IP": ADMIN_IP,
        "CN Agent IP": ADMIN_IP,
        "CN Agent Port": settings.node_port(home.number),
        "Network Interfaces": {
            "lo": {
                "MAC Address": "00:00:00:00:00:00",
                "ip4addr": ADMIN_IP,
                "Link Status": "up",
                "NIC Names": ["admin", "external"],
            },
        },
        "Virtual Network Interfaces": {},
        "SDC Agents": [{"name": "firewaller", "version": "1.0.0"}],
        "Docker Capabilities": capabilities_of(host),
        "Docker Ulimits": ulimits_of(host),
    }

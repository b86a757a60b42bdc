"""What a simulated node says of itself: a big server, and in so many words that it is none."""

from __future__ import annotations

import uuid
from typing import Any

from datacenter.settings import DcSettings

MEMORY_MIB = 256 * 1024
CORES = 48
GIB_IN_MIB = 1024
ADMIN_IP = "127.0.0.1"
PLATFORM = "simulated"
"""Stands as ``Live Image``, so that every VM says it, too, in its ``platform_buildstamp``."""


def server_uuid(settings: DcSettings, number: int) -> str:
    """A node's stable identity; never that of a real node of the instance."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"file://{settings.state.resolve()}/simulated/{number}"))


def sysinfo(settings: DcSettings, number: int) -> dict[str, Any]:
    """The sysinfo object. It lists no capabilities: nothing that needs a process can be done here."""
    return {
        "UUID": server_uuid(settings, number),
        "Hostname": f"{settings.name}-sim{number}",
        "Datacenter Name": settings.name,
        "Simulated": True,
        "System Type": "Linux",
        "Live Image": PLATFORM,
        "Setup": "true",
        "Manufacturer": "embedded",
        "Product": "simulated compute node",
        "CPU Total Cores": CORES,
        "MiB of Memory": str(settings.node_memory_mib or MEMORY_MIB),
        "Zpool": "zones",
        "Zpool Size in GiB": settings.node_disk_mib // GIB_IN_MIB,
        "Admin IP": ADMIN_IP,
        "CN Agent IP": ADMIN_IP,
        "CN Agent Port": settings.simulation_port,
        "Network Interfaces": {
            "lo": {
                "MAC Address": "00:00:00:00:00:00",
                "ip4addr": ADMIN_IP,
                "Link Status": "up",
                "NIC Names": ["admin", "external"],
            },
        },
        "Virtual Network Interfaces": {},
        "SDC Agents": [],
        "Docker Capabilities": [],
    }

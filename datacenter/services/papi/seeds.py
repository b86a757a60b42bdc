"""The packages a new data center starts with."""

from __future__ import annotations

import uuid
from typing import Any

_NAMESPACE = uuid.UUID("6d7a2f0e-5d3b-4c57-9a3e-0f3f6f0f5b11")

# name, memory MiB, cpu_cap percent, quota GiB, max_lwps, fss
_SAMPLES = (
    ("sample-128M", 128, 100, 3, 1000, 25),
    ("sample-256M", 256, 100, 6, 1000, 30),
    ("sample-512M", 512, 150, 12, 1000, 40),
    ("sample-1G", 1024, 200, 25, 1000, 50),
    ("sample-2G", 2048, 200, 50, 2000, 100),
    ("sample-4G", 4096, 400, 100, 4000, 200),
    ("sample-8G", 8192, 400, 200, 4000, 400),
    ("sample-16G", 16384, 800, 300, 8000, 800),
    ("sample-32G", 32768, 800, 400, 8000, 1600),
    ("sample-64G", 65536, 1600, 500, 16000, 3200),
)

# NFS volumes differ by their size alone
_VOLUME_GIB = (10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000)


def packages() -> list[dict[str, Any]]:
    """Every default package, with the same uuids in every data center."""
    samples = [
        _package(name, memory=memory, cpu_cap=cpu, quota=quota * 1024, max_lwps=lwps, fss=fss, group="sample")
        for name, memory, cpu, quota, lwps, fss in _SAMPLES
    ]
    volumes = [
        _package(
            f"sdc_volume_nfs_{size}", memory=256, cpu_cap=100, quota=size * 1024, max_lwps=1000, fss=25, group="volumes"
        )
        for size in _VOLUME_GIB
    ]
    return samples + volumes


def _package(
    name: str, *, memory: int, cpu_cap: int, quota: int, max_lwps: int, fss: int, group: str
) -> dict[str, Any]:
    return {
        "uuid": str(uuid.uuid5(_NAMESPACE, name)),
        "name": name,
        "version": "1.0.0",
        "active": True,
        "vcpus": 1,
        "cpu_cap": cpu_cap,
        "max_lwps": max_lwps,
        "max_physical_memory": memory,
        "max_swap": memory * 4,
        "quota": quota,
        "zfs_io_priority": 100,
        "fss": fss,
        "default": False,
        "group": group,
        "v": 1,
    }

"""The machine's devices: numbers for limits, and entries for containers that may have them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datacenter.node.tasks import TaskError

Json = dict[str, Any]
DEV = Path("/dev")
PRIVATE = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"})
"""What a container has of its own in /dev."""


def device_numbers(path: str) -> tuple[int, int]:
    """Return a block device's numbers. Raises TaskError NotSupported when this machine has no such device."""
    found = _look(Path(path))
    if found is None or found["type"] != "b":
        raise TaskError("NotSupported", f"this node has no block device {path}")
    return found["major"], found["minor"]


def container_devices(asked: list[Json]) -> list[tuple[Json, str]]:
    """Return OCI devices for Docker's DeviceMappings, each with its access. Raises TaskError.

    A folder stands for the devices in it.
    """
    found: list[tuple[Json, str]] = []
    for item in asked:
        source = str(item.get("PathOnHost", ""))
        target = str(item.get("PathInContainer") or source)
        access = str(item.get("CgroupPermissions") or "rwm")
        if not set(access) <= set("rwm"):
            raise TaskError("InvalidArgument", f"invalid device mode: {access}")
        entries = [(entry, target + str(entry)[len(source) :]) for entry in _below(Path(source))]
        devices = [(device, at) for entry, at in entries if (device := _look(entry))]
        if not devices:
            raise TaskError("NotSupported", f"this node has no device {source}")
        found += [({**device, "path": at}, access) for device, at in devices]
    return found


def all_devices() -> list[Json]:
    """Every device of the machine, for a privileged container."""
    return [device for entry in _below(DEV) if (device := _look(entry))]


def _below(path: Path) -> Iterator[Path]:
    if not path.is_dir() or path.is_symlink():
        yield path
        return
    for entry in sorted(path.iterdir()):
        if entry.name not in PRIVATE:
            yield from _below(entry)


def _look(path: Path) -> Json | None:
    """Describe a device node as OCI ``linux.devices`` does; None for anything else."""
    try:
        seen = path.stat()
    except OSError:
        return None
    kind = "b" if stat.S_ISBLK(seen.st_mode) else "c" if stat.S_ISCHR(seen.st_mode) else None
    if kind is None:
        return None
    return {
        "path": str(path),
        "type": kind,
        "major": os.major(seen.st_rdev),
        "minor": os.minor(seen.st_rdev),
        "fileMode": stat.S_IMODE(seen.st_mode),
        "uid": seen.st_uid,
        "gid": seen.st_gid,
    }

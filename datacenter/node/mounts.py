"""The mounts of a container: Docker's own, its three /etc files, its volumes and tmpfs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from datacenter.node.tasks import TaskError

Json = dict[str, Any]

MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
    "/sys/firmware",
)  # fmt: skip
READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
SHM_BYTES = 64 << 20
INIT_PATH = "/sbin/docker-init"
_ZONE_VOLUME = re.compile(r"/zones/(?P<zone>[0-9a-f-]{36})/volumes/(?P<volume>[0-9a-f-]{36})")
_VOLUME = re.compile(r"[0-9a-f-]{36}")


def _mount(target: str, kind: str, source: str, *options: str) -> Json:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


def system_mounts(linux: Json, *, writable: bool = False) -> list[Json]:
    """/proc, /dev and /sys as dockerd lays them out; /sys is ``writable`` in a privileged container."""
    sys = () if writable else ("ro",)
    shm = linux.get("ShmSize") or SHM_BYTES
    return [
        _mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount(
            "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"
        ),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", *sys),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", *sys, "nosuid", "noexec", "nodev"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", f"size={shm}"),  # noqa: S108 - the container's
    ]


def file_mounts(bundle: Path) -> list[Json]:
    """The files the node writes for each container."""
    names = ("resolv.conf", "hostname", "hosts")
    return [_mount(f"/etc/{name}", "bind", str(bundle / name), "bind", "rprivate") for name in names]


def tmpfs_mounts(linux: Json) -> list[Json]:
    """``--tmpfs``; Docker's own options come first so that the user's override them."""
    return [
        _mount(path, "tmpfs", "tmpfs", "nosuid", "nodev", "noexec", *filter(None, (options or "").split(",")))
        for path, options in (linux.get("Tmpfs") or {}).items()
    ]


def volume_mounts(vm: Json, zones: Path) -> list[Json]:
    """The record's ``filesystems`` as bind mounts."""
    found = []
    for item in vm.get("filesystems") or []:
        mode = "ro" if "ro" in (item.get("options") or []) else "rw"
        source = volume_source(item, vm["uuid"], zones)
        found.append(_mount(item["target"], "bind", str(source), "rbind", "rprivate", mode))
    return found


def volume_source(item: Json, uuid: str, zones: Path) -> Path:
    """Where a volume's files are: the zone's own, by uuid, or another zone's of this node, by its SDC path.

    Raises TaskError NotSupported for anything else: no host path is ever bound.
    """
    source = str(item.get("source", ""))
    if item.get("type", "lofs") == "lofs":
        if _VOLUME.fullmatch(source):
            return zones / uuid / "volumes" / source
        other = _ZONE_VOLUME.fullmatch(source)
        if other:
            return zones / other["zone"] / "volumes" / other["volume"]
    raise TaskError("NotSupported", f"file system {source} can't be mounted on this node")


def in_order(mounts: list[Json]) -> list[Json]:
    """Parents before children; among equals a later mount wins, as a user's own over Docker's."""
    last = {mount["destination"].rstrip("/") or "/": mount for mount in mounts}
    return [last[path] for path in sorted(last, key=lambda path: path.count("/"))]

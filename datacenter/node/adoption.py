"""Take up the zones an earlier agent left, running or not, and clear away what belongs to none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from datacenter.node import cgroups, rootfs
from datacenter.node.zone import Zone

if TYPE_CHECKING:
    from datacenter.node.agent import Node

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def load_zones(node: Node) -> None:
    """Read every zone's record; a folder whose record was never finished is discarded."""
    for folder in node.home.zones.iterdir():
        try:
            zone = Zone.load(folder)
        except (FileNotFoundError, msgspec.DecodeError):
            rootfs.unmount(folder / "rootfs")
            node.discard(folder)
        else:
            shutil.rmtree(folder / "exec", ignore_errors=True)  # of execs that nobody is joined to any more
            rootfs.complete(zone)
            node.zones[zone.uuid] = zone


def adopt(node: Node) -> None:
    """Sort the zones into those that still run, those that ended meanwhile, and those in the middle of a boot.

    Must run after the exit files were taken: a zone that is down without one has lost its exit code.
    """
    known = set(node.runtime.known())
    for zone in list(node.zones.values()):
        node.lifecycle.let_go(zone)
        if _has_ended_since(node, zone):
            continue
        if zone.life.state == "starting" or (zone.running and not _is_alive(zone)):
            node.lifecycle.lost(zone)
        elif zone.running:
            node.lifecycle.watch(zone)
        elif zone.uuid in known or (node.home.netns / zone.uuid).exists() or zone.rootfs.is_mount():
            node.lifecycle.clear_now(zone)
    _remove_strangers(node)


def take_up_policies(node: Node) -> None:
    """Have restart policies begin, and find out whether the host was booted since the last agent ran."""
    now = BOOT_ID.read_text().strip()
    kept = node.home.real / "boot_id"
    node.lifecycle.restarts.begin(node.zones.values(), host_booted=kept.exists() and kept.read_text().strip() != now)
    kept.write_text(now)


def _has_ended_since(node: Node, zone: Zone) -> bool:
    """Whether a zone ended after the exit files were taken: conmon leaves one before it goes."""
    if not zone.running or _is_alive(zone):
        return False
    node.look()
    return bool(zone.ended.is_set())


def _is_alive(zone: Zone) -> bool:
    """Whether the zone's conmon lives and is its conmon, not a later process with that number."""
    try:
        words = Path(f"/proc/{zone.life.conmon_pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.path.basename(words[0]) == b"conmon" and zone.uuid.encode() in words  # noqa: PTH119 - bytes


def _remove_strangers(node: Node) -> None:
    """Remove containers and network namespaces without a zone, and what was being deleted."""
    for uuid in node.runtime.known():
        if uuid not in node.zones:
            node.runtime.delete(uuid)
    node.network.remove_strays(node.zones)
    node.images.discard_unfinished()
    node.empty_trash()


def clean_up(node: Node) -> None:
    """Kill and remove every zone of the node, and all it ever mounted or made. The images stay."""
    for zone in list(node.zones.values()):
        if zone.running and _is_alive(zone):
            node.lifecycle.unpause(zone)  # what is frozen can't be killed
        node.lifecycle.clear_now(zone)
        rootfs.unmount_root(zone)
        node.discard(zone.folder)
        del node.zones[zone.uuid]
    node.exports.discard_own(node)
    node.outside.sweep()
    _remove_strangers(node)
    node.network.remove_unused()
    cgroups.kill_all(node.home.cgroup)  # containers whose records somebody deleted
    cgroups.remove_empty(node.home.cgroup)

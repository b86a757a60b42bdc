"""Take up the zones an earlier agent left, running or not, and clear away what belongs to none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from datacenter.node import cgroups, conmon, rootfs
from datacenter.node.whole import write_whole
from datacenter.node.zone import Zone

if TYPE_CHECKING:
    from datacenter.node.agent import Node

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def load_zones(node: Node) -> None:
    """Read every zone's record; a folder whose record was never finished is discarded, and so is what is none."""
    for folder in node.home.zones.iterdir():
        try:
            zone = Zone.load(folder)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            rootfs.unmount(folder / "rootfs")
            node.discard(folder)
        else:
            shutil.rmtree(folder / "exec", ignore_errors=True)  # of execs that nobody is joined to any more
            rootfs.complete(zone)
            node.zones[zone.uuid] = zone


def adopt(node: Node) -> None:
    """Go on with every zone's life from where its record stands.

    ============  ===================================  =======================================================
    on record     which is so since                    the new agent
    ============  ===================================  =======================================================
    stopped       an end, or a start that failed       clears away what the life may have left
    starting      before conmon was started            takes it back: kills what makes a container, and clears
    ... made      conmon had told the container's pid  lets its process run, unless it does, and is at "running"
    running       its process was let run              waits for the end of its conmon, which may be over; what
                                                       conmon left in the life's own folder tells how it ended
    ============  ===================================  =======================================================
    """
    known = set(node.runtime.known())
    for zone in list(node.zones.values()):
        node.lifecycle.let_go(zone)
        if zone.life.state == "starting" and zone.life.made:
            node.lifecycle.carry_on(zone)
        elif zone.life.state == "starting":
            node.lifecycle.take_back(zone)
        elif zone.running:
            node.lifecycle.watch(zone)
        elif _has_left(node, zone, known):
            node.lifecycle.clear_now(zone)
    _remove_strangers(node)


def _has_left(node: Node, zone: Zone, known: set[str]) -> bool:
    """Whether something of a stopped zone's last life is there."""
    left = zone.uuid in known or (node.home.netns / zone.uuid).exists() or zone.lives.exists()
    return left or zone.rootfs.is_mount()


def take_up_policies(node: Node) -> None:
    """Have restart policies begin, and find out whether the host was booted since the last agent ran."""
    now = BOOT_ID.read_text().strip()
    kept = node.home.real / "boot_id"
    before = kept.read_text().strip() if kept.exists() else None
    node.lifecycle.restarts.begin(node.zones.values(), host_booted=before not in {None, now})
    if before != now:
        write_whole(kept, now.encode())


def _remove_strangers(node: Node) -> None:
    """Remove containers and network namespaces without a zone, and what was being deleted."""
    for uuid in node.runtime.known():
        if uuid not in node.zones:
            node.runtime.delete(uuid)
    node.network.remove_strays(node.zones)
    node.images.discard_unfinished()
    node.trash.empty()


def clean_up(node: Node) -> None:
    """Kill and remove every zone of the node, and all it ever mounted or made. The images stay."""
    for zone in list(node.zones.values()):
        if zone.running and conmon.is_alive(zone):
            node.lifecycle.unpause(zone)  # what is frozen can't be killed
        if zone.life.state == "starting":
            node.lifecycle.take_back(zone)
        node.lifecycle.clear_now(zone)
        rootfs.unmount_root(zone)
        node.discard(zone.folder)
        del node.zones[zone.uuid]
    node.exports.discard_own(node)
    node.outside.sweep()
    _remove_strangers(node)
    cgroups.kill_all(node.home.cgroup)  # containers whose records somebody deleted
    cgroups.sweep(node.home.cgroup)
    cgroups.remove_empty(node.home.cgroup)
    node.network.remove_unused()

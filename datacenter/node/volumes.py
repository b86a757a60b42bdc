"""The volumes of zones: made at first use, whoever uses them first, and filled from their own zone's image."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from datacenter.node import spawn
from datacenter.node.home import Home
from datacenter.node.layers import Layers
from datacenter.node.mounts import volume_source
from datacenter.node.rootfs import mount_root, unmount_root
from datacenter.node.rootpath import resolve
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Zone


class Volumes:
    """Makes the folders that a zone's ``filesystems`` are mounted from. ``cleared`` waits for a zone's last life."""

    def __init__(self, home: Home, images: Layers, zones: Mapping[str, Zone], cleared: Callable[[Zone], None]) -> None:
        self._home = home
        self._images = images
        self._zones = zones
        self._cleared = cleared

    def prepare(self, zone: Zone) -> None:
        """Make what is missing of a zone's volumes, those it has from other zones too; its root is mounted.

        Raises TaskError InitFailed when a volume's zone is not there any more, and OSError.
        """
        for item in zone.record.get("filesystems") or []:
            source = volume_source(item, zone.uuid, self._home.zones)
            if source.parent != zone.volumes:
                self._prepare_other(zone, source)
            elif not source.exists():
                _fill(zone, item, source)

    def _prepare_other(self, zone: Zone, source: Path) -> None:
        """Have another zone of the account make its volumes, if it never ran.

        Its lock can be held by nothing that waits for ours: a zone shares volumes only of older ones.
        """
        other = self._zones.get(source.parent.parent.name)
        if other is None or other.record.get("owner_uuid") != zone.record.get("owner_uuid"):
            raise TaskError("InitFailed", f"volume {source.name} is gone: the container it belonged to was removed")
        if source.exists():
            return
        with other.lock:
            if source.exists():
                return
            self._cleared(other)
            mount_root(other, self._home, self._images.ensure(other.record["image_uuid"]))
            try:
                self.prepare(other)
            finally:
                unmount_root(other)
        if not source.exists():
            raise TaskError("InitFailed", f"volume {source.name} is gone: its container does not have it any more")


def _fill(zone: Zone, item: dict[str, Any], source: Path) -> None:
    """Make one volume with what the image has at its place, as Docker does."""
    fresh = source.with_name(source.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    inside = resolve(zone.rootfs, item["target"])
    if inside.is_dir():
        copy_tree(inside, fresh)
    else:
        fresh.mkdir(mode=0o755)
    fresh.rename(source)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder with owners, modes, times, links and special files."""
    code, output = spawn.run(["cp", "-a", "--reflink=auto", str(source), str(target)])
    if code:
        raise OSError(f"volume: {output.strip()}")

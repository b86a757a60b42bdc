"""Snapshots of what a zone wrote over its image, and zones that begin anew: on an older layer, or on another image."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.node import rootfs, spawn
from datacenter.node.lifecycle import node_fields
from datacenter.node.tasks import Params, Result, Task, TaskError
from datacenter.node.zone import Zone

if TYPE_CHECKING:
    from datacenter.node.agent import Node

_NAME = re.compile(r"[A-Za-z0-9_.:%-]{1,64}")


def machine_create_snapshot(node: Node, params: Params) -> Result:
    """Copy the writable layer, while the zone's processes stand still; its volumes are no part of it.

    Raises TaskError: InvalidArgument, SnapshotExists, SnapshotLimit.
    """
    zone, name = node.zone(params["uuid"]), _name(params)
    with zone.lock:
        held = _snapshots(zone)
        if any(snapshot["name"] == name for snapshot in held):
            raise TaskError("SnapshotExists", f"VM {zone.uuid} has a snapshot {name} already")
        limit = zone.record.get("zfs_snapshot_limit")
        if limit is not None and len(held) >= int(limit):
            raise TaskError("SnapshotLimit", f"VM {zone.uuid} may have {limit} snapshots")
        target = _folder(zone, name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # of an agent that died before it was on record
        with node.lifecycle.still(zone):
            created = iso()
            _copy(zone.upper, target)
        _record(zone, [*held, {"name": name, "created_at": created}])
        return {"vm": node_fields(zone)}


def machine_rollback_snapshot(node: Node, params: Params) -> Result:
    """Stop a zone and put a copy of a snapshot in place of what it wrote since. Raises TaskError SnapshotNotFound."""
    zone, name = node.zone(params["uuid"]), _name(params)
    with zone.lock:
        source = _find(zone, name)
        fresh = zone.fresh_upper
        shutil.rmtree(fresh, ignore_errors=True)
        node.lifecycle.stop(zone, zone.stop_timeout(params.get("timeout")))
        _copy(source, fresh)
        _replace_upper(node, zone)
        return {"vm": node_fields(zone)}


def machine_delete_snapshot(node: Node, params: Params) -> Result:
    """Remove a snapshot. Raises TaskError SnapshotNotFound."""
    zone, name = node.zone(params["uuid"]), _name(params)
    with zone.lock:
        folder = _find(zone, name)
        _record(zone, [snapshot for snapshot in _snapshots(zone) if snapshot["name"] != name])
        node.discard(folder)
        return {"vm": node_fields(zone)}


def machine_reprovision(node: Node, params: Params) -> Result:
    """Stop a zone and put it on another image, or on its own once more: what it wrote goes, snapshots of it too.

    Metadata, nics and volumes stay. Raises TaskError ImageNotFound, ImageInstallError.
    """
    zone, image = node.zone(params["uuid"]), str(params["image_uuid"])
    node.images.ensure(image)
    with zone.lock:
        node.lifecycle.stop(zone, zone.stop_timeout(params.get("timeout")))
        fresh = zone.fresh_upper
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o755)
        zone.record = {**zone.record, "image_uuid": image}
        _replace_upper(node, zone)
        if _snapshots(zone):
            _record(zone, [])
            node.discard(zone.folder / "snapshots")
        return {"vm": {**node_fields(zone), "image_uuid": image}}


def _replace_upper(node: Node, zone: Zone) -> None:
    """Give a stopped zone its ``fresh_upper``. When the agent dies in between, the next one ends it."""
    node.lifecycle.cleared(zone)
    rootfs.unmount_root(zone)  # a copy may still have it
    node.discard(zone.folder / "work")
    node.discard(zone.upper)
    rootfs.complete(zone)
    zone.save()


def _copy(source: Path, target: Path) -> None:
    """Copy a layer as it is: owners, times, links, and the marks by which overlayfs knows what was deleted."""
    code, output = spawn.run(["cp", "-a", "--reflink=auto", str(source), str(target)])
    if code:
        shutil.rmtree(target, ignore_errors=True)
        raise TaskError("InternalError", f"snapshot: {output.strip()}")


def _name(params: Params) -> str:
    name = str(params.get("snapshot_name") or "")
    if not _NAME.fullmatch(name):
        raise TaskError("InvalidArgument", f"not a snapshot's name: {name}")
    return name


def _folder(zone: Zone, name: str) -> Path:
    """Where a snapshot is kept; the prefix keeps a name of dots inside."""
    return zone.folder / "snapshots" / f"vmsnap-{name}"


def _snapshots(zone: Zone) -> list[dict[str, Any]]:
    return list(zone.record.get("snapshots") or [])


def _find(zone: Zone, name: str) -> Path:
    if not any(snapshot["name"] == name for snapshot in _snapshots(zone)):
        raise TaskError("SnapshotNotFound", f"VM {zone.uuid} has no snapshot {name}")
    return _folder(zone, name)


def _record(zone: Zone, snapshots: list[dict[str, Any]]) -> None:
    zone.change_record({**zone.record, "snapshots": snapshots})


TASKS: dict[str, Task] = {
    "machine_create_snapshot": machine_create_snapshot,
    "machine_rollback_snapshot": machine_rollback_snapshot,
    "machine_delete_snapshot": machine_delete_snapshot,
    "machine_reprovision": machine_reprovision,
}

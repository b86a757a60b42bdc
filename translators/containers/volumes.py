"""What a container mounts: named volumes, anonymous ones of its own, folders of the node, and what others share.

Anonymous ones live in the container's zone and die with it. Facts: docker-on-triton 4.12.
"""

from __future__ import annotations

import posixpath
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import InvalidParameter, NotImplementedHere
from translators.containers import host_binds
from translators.containers.host_binds import HostBind
from translators.containers.model import ContainerCreate, Mount
from translators.containers.named_volumes import NamedVolume, VolumeOptions, of_bind, of_mount, volume_options

Vm = dict[str, Any]
Filesystem = dict[str, Any]
Mounted = NamedVolume | HostBind

MOST_VOLUMES = 8
MOST_VOLUMES_FROM = 2
MOST_MOUNTS = 1000
"""Of all kinds together, in a request."""
_OWN_VOLUME = re.compile(r"/volumes/([0-9a-f-]{36})/?$")


@dataclass(slots=True)
class VolumePlan:
    """What is mounted where: mount points of new anonymous volumes in the order they were asked for, and named ones."""

    targets: list[str] = field(default_factory=list)
    readonly: set[str] = field(default_factory=set)
    """Those of ``targets`` that the container may not write to."""
    named: list[NamedVolume] = field(default_factory=list)
    binds: list[HostBind] = field(default_factory=list)

    @property
    def taken(self) -> set[str]:
        """The mount points of what is no anonymous volume."""
        return {volume.target for volume in self.named} | {bind.target for bind in self.binds}

    def add(self, path: str, *, readonly: bool = False) -> None:
        """Add an anonymous volume; anything else at the same mount point wins, as docker-compose sends both."""
        target = volume_target(path)
        if target not in {*self.targets, *self.taken}:
            self.targets.append(target)
            if readonly:
                self.readonly.add(target)

    def add_mount(self, mount: Mounted) -> None:
        """Add a named volume or a bind. Raises InvalidParameter when another one is at its mount point."""
        if mount.target in self.taken:
            raise InvalidParameter(f"Duplicate mount point: {mount.target}")
        if isinstance(mount, HostBind):
            self.binds.append(mount)
        else:
            self.named.append(mount)
        if mount.target in self.targets:
            self.targets.remove(mount.target)


def volume_target(path: str) -> str:
    """Normalise a mount point. Raises InvalidParameter for one that cannot be."""
    if not path.startswith("/"):
        raise InvalidParameter(f'Invalid volume name "{path}" must start with "/"')
    if "\0" in path:
        raise InvalidParameter("Invalid volume name: cannot contain \\0")
    if not path.strip("/"):
        raise InvalidParameter("Invalid volume name: must contain at least one non-/ character")
    return posixpath.normpath("/" + path.lstrip("/"))


def plan_volumes(body: ContainerCreate, image_volumes: Iterable[str], prefixes: tuple[str, ...] = ()) -> VolumePlan:
    """Collect the volumes of request and image. Raises InvalidParameter, NotFound, NotImplementedHere.

    ``prefixes`` are the paths of the node below which the account may bind; most data centers have none.
    """
    host = body.HostConfig
    if len(body.Volumes) + len(host.Binds) + len(host.Mounts) > MOST_MOUNTS:
        raise InvalidParameter(f"too many volumes, binds and mounts: max {MOST_MOUNTS}")
    plan = VolumePlan()
    for path in body.Volumes:
        plan.add(path)
    for bind in host.Binds:
        _add_bind(plan, bind, prefixes)
    for mount in host.Mounts:
        if mount.Type == "volume":
            _add_mount(plan, mount)
        elif mount.Type == "bind" and prefixes:
            plan.add_mount(host_binds.of_mount(mount, prefixes))
        elif mount.Type != "tmpfs":
            _refuse_mount(mount.Type, mount.Source)
    if len(plan.targets) > MOST_VOLUMES:
        raise InvalidParameter(f"too many data volumes: max {MOST_VOLUMES}")
    for path in image_volumes:
        plan.add(path)
    return plan


def _add_bind(plan: VolumePlan, bind: str, prefixes: tuple[str, ...]) -> None:
    source, colon, target = bind.partition(":")
    if not colon:
        plan.add(bind)
        return
    if source.startswith(("/", "~", ".")) and not prefixes:
        raise host_binds.not_supported(source)
    parts = target.split(":")
    if len(parts) > 2 or not parts[0]:
        raise InvalidParameter(f"invalid volume specification: '{bind}'")
    words = parts[1] if len(parts) == 2 else ""
    if source.startswith("/"):
        plan.add_mount(host_binds.of_bind(bind, source, parts[0], words, prefixes))
    else:
        plan.add_mount(of_bind(source, volume_target(parts[0]), words))


def _add_mount(plan: VolumePlan, mount: Mount) -> None:
    if not mount.Target:
        raise InvalidParameter('invalid mount config for type "volume": field Target must not be empty')
    options = volume_options(mount)
    if mount.Source:
        plan.add_mount(of_mount(mount, options, volume_target(mount.Target)))
        return
    if options != VolumeOptions():
        raise NotImplementedHere(
            f"the volume at {mount.Target} lives in its container: to have labels, options or no copy of the image's "
            "files it needs a name (src=...)"
        )
    plan.add(mount.Target, readonly=mount.ReadOnly)


def _refuse_mount(kind: str, source: str) -> None:
    if kind == "bind":
        raise host_binds.not_supported(source)
    if kind not in {"npipe", "cluster", "image"}:
        raise InvalidParameter(f"invalid mount config: mount type unknown: {kind!r}")
    raise NotImplementedHere(f"mounts of type {kind} are not supported")


def new_filesystems(plan: VolumePlan, taken: Iterable[Filesystem]) -> list[Filesystem]:
    """Make VMAPI ``filesystems`` entries; a mount point that ``--volumes-from`` provides is left to it."""
    occupied = {entry["target"] for entry in taken} | plan.taken
    return [
        {
            "source": str(uuid.uuid4()),
            "target": target,
            "type": "lofs",
            "options": ["ro"] if target in plan.readonly else [],
        }
        for target in plan.targets
        if target not in occupied
    ]


def parse_volumes_from(entries: list[str]) -> list[tuple[str, str]]:
    """Read ``name[:ro|rw]`` entries into pairs. Raises InvalidParameter."""
    if len(entries) > MOST_VOLUMES_FROM:
        raise InvalidParameter(f"too many --volumes-from: max {MOST_VOLUMES_FROM}")
    pairs = []
    for entry in entries:
        name, _, mode = entry.partition(":")
        if not name or mode not in {"", "ro", "rw"}:
            raise InvalidParameter(f"invalid volumes-from entry: {entry}")
        pairs.append((name, mode))
    return pairs


def is_own_volume(vm: Vm, entry: Filesystem) -> bool:
    """Whether a filesystem of a VM is a volume made for it, and not one shared with it."""
    source = str(entry.get("source", ""))
    return bool(_OWN_VOLUME.search(source)) and source.startswith(f"{vm.get('zonepath') or '/zones/' + vm['uuid']}/")


def shared_filesystems(source: Vm, mode: str) -> list[Filesystem]:
    """Take over a container's own volumes, not those that it itself got from others."""
    return [
        {
            "source": entry["source"],
            "target": entry["target"],
            "type": "lofs",
            "options": ["ro"] if mode == "ro" else [],
        }
        for entry in source.get("filesystems") or []
        if is_own_volume(source, entry)
    ]


def volume_name(entry: Filesystem) -> str:
    """Name an anonymous volume after the uuid its folder has."""
    return posixpath.basename(str(entry.get("source", "")).rstrip("/"))

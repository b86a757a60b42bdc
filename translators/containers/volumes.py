"""Local data volumes: anonymous ones of the container's own, and those shared with ``--volumes-from``.

They live in the container's zone and die with it. Facts: docker-on-triton 4.12.
"""

from __future__ import annotations

import posixpath
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import InvalidParameter, NotImplementedHere
from translators.containers.model import ContainerCreate

Vm = dict[str, Any]
Filesystem = dict[str, Any]

MOST_VOLUMES = 8
MOST_VOLUMES_FROM = 2
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_OWN_VOLUME = re.compile(r"/volumes/([0-9a-f-]{36})/?$")


@dataclass(slots=True)
class VolumePlan:
    """Mount points of new volumes, in the order they were asked for."""

    targets: list[str] = field(default_factory=list)

    def add(self, path: str) -> None:
        target = volume_target(path)
        if target not in self.targets:
            self.targets.append(target)


def volume_target(path: str) -> str:
    """Normalise a mount point. Raises InvalidParameter for one that cannot be."""
    if not path.startswith("/"):
        raise InvalidParameter(f'Invalid volume name "{path}" must start with "/"')
    if "\0" in path:
        raise InvalidParameter("Invalid volume name: cannot contain \\0")
    if not path.strip("/"):
        raise InvalidParameter("Invalid volume name: must contain at least one non-/ character")
    return posixpath.normpath("/" + path.lstrip("/"))


def plan_volumes(body: ContainerCreate, image_volumes: Iterable[str]) -> VolumePlan:
    """Collect the anonymous volumes of request and image. Raises InvalidParameter, NotImplementedHere."""
    plan = VolumePlan()
    for path in body.Volumes:
        plan.add(path)
    for bind in body.HostConfig.Binds:
        _add_bind(plan, bind)
    for mount in body.HostConfig.Mounts:
        if mount.Type == "volume":
            if mount.Source:
                raise _no_named_volumes(mount.Source)
            plan.add(mount.Target)
        elif mount.Type != "tmpfs":
            _refuse_mount(mount.Type, mount.Source)
    if len(plan.targets) > MOST_VOLUMES:
        raise InvalidParameter(f"too many data volumes: max {MOST_VOLUMES}")
    for path in image_volumes:
        plan.add(path)
    return plan


def _add_bind(plan: VolumePlan, bind: str) -> None:
    source, colon, target = bind.partition(":")
    if not colon:
        plan.add(bind)
        return
    if source.startswith(("/", "~", ".")):
        raise NotImplementedHere(
            f"host volumes are not supported: {source} would be a folder of the compute node, which belongs to "
            "everybody; copy the files into the container with docker cp, or into an image"
        )
    parts = target.split(":")
    if len(parts) > 2 or not parts[0]:
        raise InvalidParameter(f"Invalid binds: {bind}: {bind} is not of the form: volumeName:/mount/point[:flags]")
    if not _NAME.fullmatch(source):
        raise InvalidParameter(f"Invalid binds: {bind}: {source} is not a valid volume name")
    raise _no_named_volumes(source)


def _no_named_volumes(name: str) -> NotImplementedHere:
    return NotImplementedHere(
        f"named volumes are not supported by this data center: use an anonymous volume instead of {name}, "
        "and --volumes-from to share it"
    )


def _refuse_mount(kind: str, source: str) -> None:
    if kind == "bind":
        raise NotImplementedHere(f"host volumes are not supported: {source} would be a folder of the compute node")
    if kind not in {"npipe", "cluster", "image"}:
        raise InvalidParameter(f"invalid mount config: mount type unknown: {kind!r}")
    raise NotImplementedHere(f"mounts of type {kind} are not supported")


def new_filesystems(targets: Iterable[str], taken: Iterable[Filesystem]) -> list[Filesystem]:
    """Make VMAPI ``filesystems`` entries; a mount point that ``--volumes-from`` provides is left to it."""
    occupied = {entry["target"] for entry in taken}
    return [
        {"source": str(uuid.uuid4()), "target": target, "type": "lofs", "options": []}
        for target in targets
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

"""Named volumes of a container: asked for by ``-v name:/path`` and ``--mount``, and read back from its VM. Pure.

VMAPI makes what is missing; the platform mounts what ``docker:nfsvolumes`` tells. Facts: docker-on-triton 4.12.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.errors import InvalidParameter, NotImplementedHere
from translators.containers.model import Mount
from translators.containers.states import json_metadata, linux_options
from translators.volumes.naming import TRITON_DRIVER, check_driver, check_name

Vm = dict[str, Any]
Json = dict[str, Any]

VOLUME_OPTIONS = "volume-options"
"""Capability of nodes that fill empty volumes from the image, and leave it when told so."""
VOLUME_SUBPATH = "volume-subpath"
"""Capability of nodes that mount a folder or file of a volume, and let no link in it lead out of the volume."""
_WRONG = 'invalid mount config for type "volume": '
_MODES = frozenset({"", "ro", "rw", "z", "Z", "nocopy"})
"""What may stand after the mount point. SELinux's z and Z change nothing: nodes have none."""


class DriverConfig(msgspec.Struct, kw_only=True):
    Name: str = ""
    Options: dict[str, str] = msgspec.field(default_factory=dict)


class VolumeOptions(msgspec.Struct, kw_only=True):
    """``VolumeOptions`` of a mount."""

    NoCopy: bool = False
    Labels: dict[str, str] = msgspec.field(default_factory=dict)
    DriverConfig: DriverConfig | None = None
    Subpath: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedVolume:
    """A volume by name, where a container has it, and what it is to be made with when it is missing."""

    name: str
    target: str
    readonly: bool = False
    nocopy: bool = False
    subpath: str = ""
    """The part of it that is mounted, clean and relative; all of it when empty."""
    driver: str = ""
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def is_special(self) -> bool:
        """Whether it is made otherwise than VMAPI makes what is missing."""
        return bool(self.labels or self.options or self.driver == TRITON_DRIVER)

    def payload(self) -> Json:
        """Write one element of VMAPI's ``volumes``."""
        mode = "ro" if self.readonly else "rw"
        return {"name": self.name, "mountpoint": self.target, "mode": mode, "type": TRITON_DRIVER}


def of_bind(source: str, target: str, words: str) -> NamedVolume:
    """Read ``-v name:/path[:words]``. Raises InvalidParameter."""
    modes = words.split(",") if words else []
    if set(modes) - _MODES or {"ro", "rw"} <= set(modes):
        raise InvalidParameter(f"invalid mode: {words}")
    return NamedVolume(name=check_name(source), target=target, readonly="ro" in modes, nocopy="nocopy" in modes)


def volume_options(mount: Mount) -> VolumeOptions:
    """Read the options of ``--mount type=volume``. Raises InvalidParameter."""
    if mount.BindOptions or mount.TmpfsOptions:
        wrong = "BindOptions" if mount.BindOptions else "TmpfsOptions"
        raise InvalidParameter(f"{_WRONG}field {wrong} must not be specified")
    try:
        options = msgspec.convert(mount.VolumeOptions, VolumeOptions)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"{_WRONG}{error}") from error
    if options.Subpath:
        options.Subpath = _subpath(options.Subpath, named=bool(mount.Source))
    return options


def _subpath(path: str, *, named: bool) -> str:
    """Clean the path of a part of a volume; empty for all of it. Raises InvalidParameter."""
    clean = posixpath.normpath(path)
    if not named:
        raise InvalidParameter(f"{_WRONG}must not set Subpath when using anonymous volumes")
    if clean.startswith("/") or clean.split("/")[0] == ".." or "\0" in clean:
        raise InvalidParameter(f"{_WRONG}subpath must be a relative path within the volume")
    return "" if clean == "." else clean


def of_mount(mount: Mount, options: VolumeOptions, target: str) -> NamedVolume:
    """Read ``--mount type=volume,src=name``. Raises InvalidParameter, NotFound."""
    config = options.DriverConfig or DriverConfig()
    check_driver(config.Name, mount.Source)
    return NamedVolume(
        name=check_name(mount.Source),
        target=target,
        readonly=mount.ReadOnly,
        nocopy=options.NoCopy,
        subpath=options.Subpath,
        driver=config.Name,
        options=config.Options,
        labels=options.Labels,
    )


def special(mounts: list[Mount]) -> list[NamedVolume]:
    """Return the volumes that a request wants made otherwise than VMAPI makes what is missing."""
    asked = [mount for mount in mounts if mount.Type == "volume" and mount.Source]
    found = [of_mount(mount, volume_options(mount), mount.Target) for mount in asked]
    return [volume for volume in found if volume.is_special]


def node_options(volumes: list[NamedVolume], offered: frozenset[str]) -> Json:
    """Write what nodes are told beyond VMAPI's payload, by mount point. Raises NotImplementedHere.

    A volume that nodes would fill though they should not is no harm, one mounted whole would be.
    """
    told: Json = {}
    for volume in volumes:
        if volume.subpath and VOLUME_SUBPATH not in offered:
            raise NotImplementedHere(
                f"volume-subpath is not supported: mount the whole volume {volume.name} and use {volume.subpath} in it"
            )
        options = {"NoCopy": volume.nocopy and VOLUME_OPTIONS in offered, "Subpath": volume.subpath}
        if any(options.values()):
            told[volume.target] = {key: value for key, value in options.items() if value}
    return told


def mounted(vm: Vm) -> list[Json]:
    """Return what a VM mounts, as the platform was told: ``name``, ``mountpoint``, ``nfsvolume``, ``mode``."""
    found: list[Json] = json_metadata(vm, "docker:nfsvolumes", [])
    return found or json_metadata(vm, "sdc:volumes", [])


def is_readonly(item: Json) -> bool:
    return item.get("mode") == "ro" or item.get("readonly") is True


def shared(vm: Vm, mode: str) -> list[NamedVolume]:
    """Return the named volumes that ``--volumes-from`` takes over, ``mode`` if it is not theirs."""
    told = linux_options(vm).get("VolumeOptions") or {}
    return [
        NamedVolume(
            name=item["name"],
            target=item["mountpoint"],
            readonly=mode == "ro" or is_readonly(item),
            nocopy=True,
            subpath=(told.get(item["mountpoint"]) or {}).get("Subpath", ""),
        )
        for item in mounted(vm)
    ]


def binds(vm: Vm) -> list[str]:
    """Write a VM's named volumes as ``Binds``; for containers that this gateway did not make."""
    return [f"{item['name']}:{item['mountpoint']}{':ro' if is_readonly(item) else ''}" for item in mounted(vm)]


def mount_point(item: Json) -> Json:
    """Describe one named volume in ``Mounts``. dockerd writes the mode z where none was asked for."""
    readonly = is_readonly(item)
    return {
        "Type": "volume",
        "Name": item["name"],
        "Source": item.get("nfsvolume", ""),
        "Destination": item["mountpoint"],
        "Driver": "local",
        "Mode": "ro" if readonly else "z",
        "RW": not readonly,
        "Propagation": "",
    }

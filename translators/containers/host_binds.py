"""Folders and files of the compute node in containers: ``-v /srv/ci:/ci`` and ``--mount type=bind``. Pure.

Refused as long as the operator names no prefix below which an account may bind, and nodes do not advertise
``host-binds``. What is asked for goes to the node in ``docker:linux``; whether it is there, and where its links lead,
only the node can say. Facts: moby volume/mounts/linux_parser.go.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import Forbidden, InvalidParameter, NotImplementedHere
from translators.containers.model import Mount
from translators.containers.states import linux_options

Vm = dict[str, Any]
Json = dict[str, Any]

HOST_BINDS = "host-binds"
"""Capability of nodes that find a source without following a link out of its prefix, and mount it."""

_PRIVATE = ("private", "rprivate")
_PROPAGATIONS = frozenset((*_PRIVATE, "shared", "rshared", "slave", "rslave"))
_GROUPS = (frozenset(("ro", "rw")), frozenset("zZ"), frozenset(("cached", "consistent", "delegated")), _PROPAGATIONS)
"""What may stand after the mount point, one of each. SELinux's and macOS' words change nothing on nodes."""


class BindOptions(msgspec.Struct, kw_only=True):
    """``BindOptions`` of a mount."""

    Propagation: str = ""
    NonRecursive: bool = False
    CreateMountpoint: bool = False
    ReadOnlyNonRecursive: bool = False
    ReadOnlyForceRecursive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostBind:
    """A path of the node, where a container has it, and the prefix that lets its account have it."""

    source: str
    target: str
    within: str
    readonly: bool = False
    create: bool = False
    """Make a folder of it when it is missing, as dockerd does for ``-v``."""
    recursive: bool = True
    readonly_recursive: bool = True
    mode: str = ""
    """The words after the mount point of ``-v``."""
    propagation: str = "rprivate"

    def told(self) -> Json:
        """Write one element of ``HostBinds`` in ``docker:linux``; ``Mode`` and ``Propagation`` are for inspect."""
        return {
            "Source": self.source,
            "Target": self.target,
            "Within": self.within,
            "ReadOnly": self.readonly,
            "Create": self.create,
            "Recursive": self.recursive,
            "ReadOnlyRecursive": self.readonly_recursive,
            "Mode": self.mode,
            "Propagation": self.propagation,
        }


def of_bind(bind: str, source: str, target: str, words: str, prefixes: tuple[str, ...]) -> HostBind:
    """Read ``-v /source:/target[:words]``. Raises InvalidParameter, Forbidden, NotImplementedHere."""
    wrong = f"invalid volume specification: '{bind}': invalid mount config for type \"bind\": "
    modes = words.split(",") if words else []
    known = [[mode for mode in modes if mode in group] for group in _GROUPS]
    if sum(map(len, known)) != len(modes) or any(len(found) > 1 for found in known):
        raise InvalidParameter(f"invalid mode: {words}")
    propagation = next(iter(known[-1]), "rprivate")
    return HostBind(
        source=_clean(source),
        target=_target(target, wrong),
        within=_prefix(source, prefixes),
        readonly="ro" in modes,
        create=True,
        mode=words,
        propagation=_propagation(propagation),
    )


def of_mount(mount: Mount, prefixes: tuple[str, ...]) -> HostBind:
    """Read ``--mount type=bind``. Raises InvalidParameter, Forbidden, NotImplementedHere."""
    wrong = 'invalid mount config for type "bind": '
    for name in ("Target", "Source"):
        if not getattr(mount, name):
            raise InvalidParameter(f"{wrong}field {name} must not be empty")
    for name in ("VolumeOptions", "TmpfsOptions", "ImageOptions", "ClusterOptions"):
        if getattr(mount, name):
            raise InvalidParameter(f"{wrong}field {name} must not be specified")
    if not mount.Source.startswith("/"):
        raise InvalidParameter(f"{wrong}invalid mount path: '{mount.Source}' mount path must be absolute")
    try:
        options = msgspec.convert(mount.BindOptions, BindOptions)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"{wrong}{error}") from error
    if options.Propagation and options.Propagation not in _PROPAGATIONS:
        raise InvalidParameter(f"{wrong}invalid propagation mode: {options.Propagation}")
    return HostBind(
        source=_clean(mount.Source),
        target=_target(mount.Target, wrong),
        within=_prefix(mount.Source, prefixes),
        readonly=mount.ReadOnly,
        create=options.CreateMountpoint,
        recursive=not options.NonRecursive,
        readonly_recursive=not options.ReadOnlyNonRecursive,
        propagation=_propagation(options.Propagation or "rprivate"),
    )


def not_supported(source: str) -> NotImplementedHere:
    """Return the refusal of who may bind nothing."""
    return NotImplementedHere(
        f"host volumes are not supported: {source} would be a folder of the compute node, which belongs to "
        "everybody; copy the files into the container with docker cp, or into an image, or use a named volume"
    )


def _clean(path: str) -> str:
    """Clean an absolute path as dockerd does."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _target(path: str, wrong: str) -> str:
    if not path.startswith("/"):
        raise InvalidParameter(f"{wrong}invalid mount path: '{path}' mount path must be absolute")
    clean = _clean(path)
    if clean == "/" or "\0" in clean:
        raise InvalidParameter(f"{wrong}invalid specification: destination can't be '/'")
    return clean


def _propagation(word: str) -> str:
    if word not in _PRIVATE:
        raise NotImplementedHere(
            f"bind propagation {word} is not supported: what a container mounts stays in it, and what the compute node "
            "mounts later is not seen in it"
        )
    return word


def _prefix(source: str, prefixes: tuple[str, ...]) -> str:
    """Choose the shortest prefix that a source is below. Raises Forbidden, InvalidParameter, NotImplementedHere."""
    clean = _clean(source)
    if "\0" in clean:
        raise InvalidParameter("invalid volume specification: a path holds no NUL")
    if not prefixes:
        raise not_supported(source)
    found = [one for one in prefixes if clean == one or clean.startswith(f"{one}/")]
    if not found:
        raise Forbidden(f"binding {source} is not allowed: your account may bind what is below {', '.join(prefixes)}")
    return min(found, key=len)


def shared(vm: Vm, mode: str, prefixes: tuple[str, ...]) -> list[HostBind]:
    """Return the binds that ``--volumes-from`` takes over, as far as the account may still have them."""
    return [
        HostBind(
            source=item["Source"],
            target=item["Target"],
            within=_prefix(item["Source"], prefixes),
            readonly=mode == "ro" or item["ReadOnly"],
            create=item["Create"],
            recursive=item["Recursive"],
            readonly_recursive=item["ReadOnlyRecursive"],
            mode=mode or item["Mode"],
            propagation=item["Propagation"],
        )
        for item in told(vm)
    ]


def told(vm: Vm) -> list[Json]:
    """Return what a VM has of its node, as the node was told."""
    found: list[Json] = linux_options(vm).get("HostBinds") or []
    return found


def mount_point(item: Json) -> Json:
    """Describe one bind in ``Mounts``."""
    return {
        "Type": "bind",
        "Source": item["Source"],
        "Destination": item["Target"],
        "Mode": item["Mode"],
        "RW": not item["ReadOnly"],
        "Propagation": item["Propagation"],
    }

"""A container's root: overlayfs over its layers, and the three files in /etc the node writes."""

from __future__ import annotations

import errno
import os
import posixpath
from pathlib import Path
from typing import Any

from datacenter.images.tree import Tree, UnsafePath, parts_of
from datacenter.node import syscalls
from datacenter.node.home import Home
from datacenter.node.names import resolvconf
from datacenter.node.plainfile import MOST, read_plain
from datacenter.node.spec import hostname, json_list
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Zone

DEFAULT_HOSTS = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff00::0\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)


def make_folders(zone: Zone) -> None:
    """Make a new zone's folders."""
    for folder in (zone.bundle, zone.rootfs, zone.upper, zone.folder / "work", zone.volumes):
        folder.mkdir(parents=True)
    zone.folder.chmod(0o700)
    zone.upper.chmod(0o755)


def complete(zone: Zone) -> None:
    """Put a fresh writable layer in the place of one that has gone; a zone that lacks nothing is left alone."""
    if not zone.upper.exists() and zone.fresh_upper.exists():
        zone.fresh_upper.rename(zone.upper)
    (zone.folder / "work").mkdir(exist_ok=True)


def mount_root(zone: Zone, home: Home, layers: list[str]) -> None:
    """Mount the zone's root; ``layers`` are folder names, top first. Raises OSError.

    The lower folders are given relative to the layers' folder, to keep the options below one page.
    """
    if zone.rootfs.is_mount():
        return
    options = f"index=off,lowerdir={':'.join(layers)},upperdir={zone.upper},workdir={zone.folder / 'work'}"
    _mount(zone.rootfs, home, options)


def mount_image(target: Path, home: Home, layers: list[str]) -> None:
    """Mount at least two layers to be read, top first. Raises OSError."""
    _mount(target, home, f"lowerdir={':'.join(layers)}", syscalls.MS_RDONLY)


def _mount(target: Path, home: Home, options: str, flags: int = 0) -> None:
    before = os.getcwd()  # noqa: PTH109 - paired with chdir
    os.chdir(home.layers)
    try:
        syscalls.mount("overlay", target, "overlay", flags, options)
    finally:
        os.chdir(before)


def unmount_root(zone: Zone) -> None:
    unmount(zone.rootfs)


def unmount(root: Path) -> None:
    """Unmount a root; one that is not mounted, or not there, is no error."""
    try:
        syscalls.unmount(root)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOENT, errno.ENOTDIR}:  # not mounted: nothing to do
            raise


def make_workdir(zone: Zone) -> None:
    """Make the working directory when the image has none; it belongs to root, as dockerd makes it.

    A copy into the container may change its tree meanwhile: every step is made from an open folder, and none leads out.
    Raises TaskError InitFailed when a file is in its place.
    """
    workdir = zone.metadata.get("docker:workdir")
    if not workdir:
        return
    try:
        with Tree(zone.rootfs) as tree:
            tree.directory(parts_of(posixpath.normpath(f"/{workdir}")))
    except UnsafePath as error:
        raise TaskError("InitFailed", f"Cannot mkdir: {workdir} is not a directory") from error


def write_etc(zone: Zone) -> None:
    """Write resolv.conf, hostname and hosts into the bundle."""
    texts = {
        "hostname": hostname(zone.record) + "\n",
        "hosts": hosts(zone.record),
        "resolv.conf": resolvconf.text(zone),
    }
    for name, text in texts.items():
        (zone.bundle / name).unlink(missing_ok=True)  # another zone may have had it, too
        (zone.bundle / name).write_text(text)


def hosts(vm: dict[str, Any]) -> str:
    """The text of /etc/hosts: Docker's own lines, --add-host, links, then the container's addresses."""
    meta = vm.get("internal_metadata") or {}
    lines = list(DEFAULT_HOSTS)
    for extra in json_list(meta.get("docker:extraHosts")):
        name, _, address = extra.partition(":")
        lines.append(f"{address}\t{name}")
    lines += str(meta.get("docker:linkHosts") or "").splitlines()
    lines += _own_lines(vm, vm.get("nics") or [])
    return "\n".join(lines) + "\n"


def _own_lines(vm: dict[str, Any], nics: list[dict[str, Any]]) -> list[str]:
    """The lines of /etc/hosts that give a container's own name to its addresses."""
    name = hostname(vm)
    names = f"{name}.{vm['dns_domain']} {name}" if vm.get("dns_domain") else name
    return [f"{nic['ip']}\t{names}" for nic in nics if nic.get("ip")]


def change_hosts(zone: Zone, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Follow a change of nics in the /etc/hosts of a running container, whose other lines may be its own by now."""
    path = zone.bundle / "hosts"
    old, new = _own_lines(zone.record, before), _own_lines(zone.record, after)
    found = read_plain(path)
    if len(found) == MOST:
        return  # no file of hosts: what the container has made of it is left to it
    held = found.decode(errors="surrogateescape").splitlines()
    lines = [line for line in held if line not in old or line in new]
    lines += [line for line in new if line not in lines]
    text = "\n".join(lines) + "\n"
    path.write_bytes(text.encode(errors="surrogateescape"))  # in place: the file is mounted into the container

"""Fill a shared volume from an image, as Docker does when a container is made: if, and only if, it is empty."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import gevent

from datacenter.node.beneath import find, opened
from datacenter.node.exports import Exports, asked
from datacenter.node.home import Home
from datacenter.node.outside import subpath, volume_options
from datacenter.node.rootfs import mount_root, unmount_root
from datacenter.node.rootpath import resolve
from datacenter.node.volumes import copy_tree
from datacenter.node.zone import Zone


def fill_volumes(zone: Zone, home: Home, layers: list[str], exports: Exports) -> None:
    """Fill what is empty of a new zone's volumes with what its image has there. Raises TaskError and OSError."""
    wanted = [item for item in asked(zone.record) if not volume_options(zone, item).get("NoCopy")]
    if not wanted:
        return
    sources = [(exports.source(zone.record, item), item) for item in wanted]
    with ExitStack() as stack:
        parts = [(data, _part(data, subpath(zone, item), stack), item) for data, item in sources]
        mount_root(zone, home, layers)
        stack.callback(unmount_root, zone)
        for data, part, item in parts:
            inside = resolve(zone.rootfs, item["mountpoint"])
            if part is not None and inside.is_dir():
                fill(inside, part, beside=data.parent)


def _part(data: Path, path: str, stack: ExitStack) -> Path | None:
    """Hold the part of a volume that is to be filled; None when it is no folder in it: the start will tell."""
    if not path:
        return data
    try:
        with opened(str(data)) as top:
            fd = find(top, path)
    except OSError:
        return None
    stack.callback(os.close, fd)
    return Path(f"/proc/self/fd/{fd}") if stat.S_ISDIR(os.fstat(fd).st_mode) else None


def fill(source: Path, data: Path, *, beside: Path) -> None:
    """Give an empty volume, or folder of one, the content of a folder, and the folder's owner and mode.

    Containers may have the volume mounted meanwhile. So nothing is written through names in it: the copy is made
    ``beside`` it and moved in, and a move follows no link.
    """
    with _locked(beside):
        if os.listdir(data):  # noqa: PTH208 - whether there is anything
            return
        fresh = beside / "seed"
        shutil.rmtree(fresh, ignore_errors=True)
        copy_tree(source, fresh)
        for entry in fresh.iterdir():
            try:
                entry.rename(data / entry.name)
            except OSError:
                continue  # a container was faster: what it wrote stays
        found = source.stat()
        os.chown(data, found.st_uid, found.st_gid)
        shutil.copystat(source, data)
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder against every node of the instance."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        gevent.get_hub().threadpool.apply(fcntl.flock, (fd, fcntl.LOCK_EX))
        yield
    finally:
        os.close(fd)

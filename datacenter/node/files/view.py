"""A container's tree as seen from inside: its root and volumes, mounted for this process alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from datacenter.images.tree import Tree, parts_of
from datacenter.node import syscalls

_HARMLESS = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
"""A device that a container made is copied, never opened."""


def enter(root: Path, mounts: list[dict[str, Any]], *, readonly: bool) -> None:
    """Make the container's root this process's own, with ``mounts`` (``source``, ``target``, ``readonly``) in it.

    Afterwards the kernel itself follows links inside the container only, whatever its processes do meanwhile,
    and Python can import nothing more: there it would find the container's files. Raises OSError and UnsafePath.
    """
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("", Path("/"), flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.bind(root, root)
    for item in mounts:
        _bind(root, item)
    _restrict(root, readonly=readonly)
    os.chroot(root)
    os.chdir("/")
    os.umask(0)
    sys.path.clear()
    sys.meta_path.clear()
    sys.tracebacklimit = 0  # nor may a traceback look for our source there


def _bind(root: Path, item: dict[str, Any]) -> None:
    """Mount one source where the container has it. A file's place must exist, a folder's is made."""
    source = Path(item["source"])
    syscalls.bind(source, source)
    _restrict(source, readonly=item["readonly"])  # what is bound next inherits it
    *above, name = parts_of(item["target"])
    with Tree(root) as tree:
        if source.is_dir():
            syscalls.bind(source, _place(tree.directory((*above, name))))
            return
        folder = tree.existing(tuple(above))
        if folder is None:
            return
        try:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            return  # a container that never ran has no such file yet
        syscalls.bind(source, _place(fd))


def _place(fd: int) -> Path:
    """A path that is this file and no other, whatever becomes of its name."""
    return Path(f"/proc/self/fd/{fd}")


def _restrict(target: Path, *, readonly: bool) -> None:
    flags = syscalls.MS_BIND | syscalls.MS_REMOUNT | _HARMLESS | (syscalls.MS_RDONLY if readonly else 0)
    syscalls.mount("", target, flags=flags)

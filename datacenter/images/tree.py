"""A folder that is written to by names from an untrusted archive, and that no name leaves."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40
"""Symbolic links followed in one path, as in Linux itself."""

Parts = tuple[str, ...]


class UnsafePath(ValueError):
    """A name in an archive that points outside of it, or through something that is no folder."""


def parts_of(name: str) -> Parts:
    """Split an archive's name into clean components; ``/``, ``.`` and the empty name are the root: ``()``.

    Raises UnsafePath when ``..`` climbs above the root: such an archive is refused whole, as Docker does.
    """
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                raise UnsafePath(f"invalid path in archive: {name!r}")
            parts.pop()
        elif "\0" in part:
            raise UnsafePath(f"invalid path in archive: {name!r}")
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)


def is_whiteout(info: os.stat_result) -> bool:
    """Whether this is overlayfs' mark of a deleted name: character device 0/0."""
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


class Tree:
    """Names below one root, reached by directory descriptors only.

    Every step is an ``openat`` that follows no link. Links inside the tree are resolved by hand, as if
    the root were ``/`` (chroot's rule), so neither ``..`` nor an absolute target leads out of it. The last
    folder is kept open: archives list a folder's files one after another.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _DIRECTORY)
        self._last: Parts = ()
        self._last_fd = os.dup(self._root)
        self._stale = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._last_fd)
        os.close(self._root)

    def directory(self, parts: Parts) -> int:
        """Return a descriptor of a folder, made with mode 0755 where it is missing.

        It stays valid until the next call. Raises UnsafePath when a component is neither folder nor link.
        """
        if parts != self._last or self._stale:
            self._keep(parts, self._walk(parts, make=True))
        return self._last_fd

    def existing(self, parts: Parts) -> int | None:
        """Return a descriptor of a folder if it is there, as ``directory`` does; make nothing."""
        if parts == self._last and not self._stale:
            return self._last_fd
        try:
            fd = self._walk(parts, make=False)
        except (FileNotFoundError, UnsafePath):
            return None
        self._keep(parts, fd)
        return fd

    def remove(self, fd: int, name: str) -> None:
        """Remove a name and everything below it, links not followed. ``fd`` stays valid."""
        try:
            os.unlink(name, dir_fd=fd)
        except IsADirectoryError:
            shutil.rmtree(name, dir_fd=fd)
        self._stale = True

    def _keep(self, parts: Parts, fd: int) -> None:
        os.close(self._last_fd)
        self._last, self._last_fd, self._stale = parts, fd, False

    def _walk(self, parts: Parts, *, make: bool) -> int:
        trail = [os.dup(self._root)]
        ahead = list(reversed(parts))
        links = 0
        try:
            while ahead:
                part = ahead.pop()
                if part == "..":
                    if len(trail) > 1:
                        os.close(trail.pop())
                elif part not in ("", "."):
                    fd = _enter(trail[-1], part, make=make)
                    if fd is not None:
                        trail.append(fd)
                        continue
                    links += 1
                    if links > _MOST_LINKS:
                        raise UnsafePath(f"too many links on the way to {'/'.join(parts)!r}")
                    target = os.readlink(part, dir_fd=trail[-1])
                    while target.startswith("/") and len(trail) > 1:
                        os.close(trail.pop())
                    ahead.extend(reversed(target.split("/")))
            return trail.pop()
        finally:
            for fd in trail:
                os.close(fd)


def _enter(parent: int, name: str, *, make: bool) -> int | None:
    """Open a folder by its name, making it when there is none; None when the name is a symbolic link."""
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        if not make:
            raise
        return _make(parent, name)
    except NotADirectoryError:
        info = os.lstat(name, dir_fd=parent)
        if stat.S_ISLNK(info.st_mode):
            return None
        if not make or not is_whiteout(info):
            raise UnsafePath(f"not a folder: {name!r}") from None
        os.unlink(name, dir_fd=parent)
        fd = _make(parent, name)
        make_opaque(fd)
        return fd


def _make(parent: int, name: str) -> int:
    os.mkdir(name, dir_fd=parent)
    fd = os.open(name, _DIRECTORY, dir_fd=parent)
    os.fchmod(fd, 0o755)  # whatever the process' umask
    return fd


def make_opaque(fd: int) -> None:
    """Mark a folder as hiding the whole of its namesake in the layers below (overlayfs)."""
    os.setxattr(fd, "trusted.overlay.opaque", b"y")

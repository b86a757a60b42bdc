"""Find a file or folder below another one, for sure: the kernel resolves the path, and what was found is held open.

A name says nothing for long where containers may write: between a look at it and its use it can become a link to
anything. So a place is opened once, with links followed inside the folder alone, and is a descriptor from then on.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from datacenter.node import syscalls

_TRIES = 32
_MODE = 0o755


_KERNEL = (5, 12)
"""The first that resolves paths beneath a folder and makes a mount read-only with all that is mounted below it."""


def kernel_can() -> bool:
    """Whether this machine's kernel has what is needed here and for mounting what was found."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= _KERNEL


def covers(folder: str, path: str) -> bool:
    """Whether a clean path is a folder's, or below it, as far as its text says."""
    return path == folder or path.startswith(f"{folder}/")


@contextmanager
def opened(path: str) -> Iterator[int]:
    """Hold what a trusted path leads to."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def find(folder: int, path: str, *, make: bool = False) -> int:
    """Open ``path``, clean and relative (empty: the folder itself), without leaving ``folder``; the caller closes it.

    ``make`` makes folders that are missing. Raises OSError: FileNotFoundError, NotADirectoryError, EXDEV and ELOOP for
    what leads out.
    """
    if not path:
        return os.dup(folder)
    try:
        return _open(folder, path)
    except FileNotFoundError:
        if not make:
            raise
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        _make(folder, "/".join(parts[: end - 1]), parts[end - 1])
    return _open(folder, path)


def _open(folder: int, path: str, flags: int = os.O_PATH) -> int:
    for tries_left in reversed(range(_TRIES)):
        try:
            return syscalls.open_beneath(folder, path, flags | os.O_CLOEXEC)
        except BlockingIOError:  # EAGAIN: something above was being moved
            if not tries_left:
                raise
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


def _make(folder: int, above: str, name: str) -> None:
    """Make one folder, which is root's as dockerd makes it; what is there is left alone."""
    parent = find(folder, above)
    try:
        with suppress(FileExistsError):
            os.mkdir(name, _MODE, dir_fd=parent)
            made = _open(parent, name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            os.fchmod(made, _MODE)  # whatever our umask is
            os.close(made)
    finally:
        os.close(parent)

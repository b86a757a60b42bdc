"""The few Linux calls Python 3.11 lacks. All raise OSError."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
RESOLVE_NO_MAGICLINKS, RESOLVE_BENEATH = 0x02, 0x08

_OPENAT2 = 437
"""The same number on every architecture, as all calls have that were added since 2019."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
    return result


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Attach a file system. ``options`` must stay below one page."""
    _checked(
        _libc.mount(source.encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()),
        str(target),
    )


def bind(source: Path, target: Path) -> None:
    mount(str(source), target, flags=MS_BIND)


def unmount(target: Path) -> None:
    """Detach a mount now; it goes when its last user does."""
    _checked(_libc.umount2(str(target).encode(), MNT_DETACH), str(target))


def unshare(flags: int) -> None:
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into a namespace; a mount namespace asks for a process with one thread."""
    _checked(_libc.setns(fd, kind), "setns")


def open_beneath(folder: int, path: str, flags: int) -> int:
    """Open a relative path as openat2 does, links and ``..`` followed no further than ``folder``.

    Raises OSError: EXDEV when the path leads out, ELOOP for links of /proc, EAGAIN when something moved meanwhile.
    """
    how = _OpenHow(flags, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    return _checked(_libc.syscall(_OPENAT2, folder, os.fsencode(path), ctypes.byref(how), size), path)


def is_mounted(path: Path) -> bool:
    """Whether something is mounted here; Path.is_mount can't tell for a bind mount of the same file system."""
    wanted = str(path).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012")
    with Path("/proc/self/mountinfo").open() as lines:
        return any(line.split(" ", 5)[4] == wanted for line in lines)

"""Docker's reading of a path in a container, and what it says of a file. Facts: moby daemon/archive_unix.go.

All of it runs inside the container's tree.
"""

from __future__ import annotations

import os
import posixpath
import stat
from datetime import UTC, datetime
from typing import Any

_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFREG: 0,
}
_SETUID, _SETGID, _STICKY = 1 << 23, 1 << 22, 1 << 20


def absolute(path: str) -> str:
    """Clean a path; an end of ``/`` or ``/.``, which asks for what a link points to, stays."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if clean == "/":
        return clean
    if path.endswith("/."):
        return clean + "/."
    return clean + "/" if path.endswith("/") else clean


def base(path: str) -> str:
    """The last name of an absolute path: ``.`` for ``/a/.``, ``/`` for the root."""
    return posixpath.basename(path.rstrip("/")) or "/"


def go_mode(mode: int) -> int:
    """Go's FileMode of a file: permission bits, and its kind in the high bits."""
    special = (
        (_SETUID if mode & stat.S_ISUID else 0)
        | (_SETGID if mode & stat.S_ISGID else 0)
        | (_STICKY if mode & stat.S_ISVTX else 0)
    )
    return mode & 0o777 | special | _KINDS[stat.S_IFMT(mode)]


def describe(path: str) -> dict[str, Any]:
    """``containerPathStat``: the link itself when the path ends in one. Raises OSError."""
    info = os.lstat(path)
    link = posixpath.realpath(path) if stat.S_ISLNK(info.st_mode) else ""
    return {
        "name": base(path),
        "size": info.st_size,
        "mode": go_mode(info.st_mode),
        "mtime": rfc3339(info.st_mtime_ns),
        "linkTarget": link,
    }


def rfc3339(nanoseconds: int) -> str:
    """A time as Go writes it: nanoseconds without trailing zeros, UTC."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"

"""Find files in a container's root as a process inside would, without ever leaving it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_LINKS = 40


def resolve(root: Path, path: str, cwd: str = "/") -> Path:
    """The host path of a container path, all symbolic links followed inside ``root``.

    The last parts need not exist. Raises OSError ELOOP when links go in circles.
    """
    todo = (path if path.startswith("/") else f"{cwd}/{path}").split("/")[::-1]
    at: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part in {".", ""}:
            continue
        if part == "..":
            if at:
                at.pop()
            continue
        here = root.joinpath(*at, part)
        try:
            is_link = stat.S_ISLNK(os.lstat(here).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            is_link = False
        if not is_link:
            at.append(part)
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(here)  # noqa: PTH115 - split as text: a Path keeps a leading // as a root of its own
        if target.startswith("/"):
            at = []
        todo += target.split("/")[::-1]
    return root.joinpath(*at)

"""Put an archive into a folder that may have to be made first: what COPY, ADD and WORKDIR do."""

from __future__ import annotations

import os
import posixpath
from typing import Any, BinaryIO, cast

from datacenter.node.files.unpack import RefusedError, unpack

_MODE = 0o755


def place(file: BinaryIO | None, job: dict[str, Any]) -> None:
    """Unpack into ``dest``, a path in this process's root; no archive, and the folder alone is made.

    ``rename``: the archive is of one file, which takes the place of ``dest`` unless that is a folder. Folders that are
    made belong to ``owner``, root when there is none, and ``mode`` is that of the last one. Raises OSError, ValueError
    and tarfile.TarError.
    """
    dest, owner = posixpath.realpath(job["dest"]), tuple(job["owner"]) if job["owner"] else None
    name = None
    if job["rename"] and not os.path.isdir(dest):
        dest, name = posixpath.split(dest)
    if os.path.lexists(dest) and not os.path.isdir(dest):
        raise RefusedError(f"cannot copy to non-directory: {dest}")
    _make(dest or "/", owner or (0, 0), _MODE if name or job["mode"] is None else job["mode"])
    if file is None:
        return
    os.chdir(dest or "/")
    unpack(cast("Any", file), keep_kinds=False, owner=owner, rename=name)


def _make(folder: str, owner: tuple[int, int], mode: int) -> None:
    """Make a folder and those above it, as far as they are missing."""
    missing: list[str] = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = posixpath.dirname(folder)
    for number, path in enumerate(reversed(missing)):
        os.mkdir(path, _MODE)
        os.chown(path, *owner)
        if number == len(missing) - 1:
            os.chmod(path, mode)

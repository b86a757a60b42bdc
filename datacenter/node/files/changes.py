"""What a container changed in its image: read off the upper folder of its overlay."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from datacenter.images.tree import is_whiteout

MODIFIED, ADDED, DELETED = 0, 1, 2
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = "trusted.overlay.opaque"

Change = dict[str, Any]


def changes(upper: Path, layers: list[Path], ignored: Collection[str]) -> list[Change]:
    """Return ``{"Path", "Kind"}`` by path: 0 modified, 1 added, 2 deleted. ``layers`` come top first.

    ``ignored`` are places where the node mounts something of its own. Reached by descriptors only, so that a
    running container can't lead out of its folder.
    """
    with ExitStack() as stack:
        tops = [stack.enter_context(opened(path)) for path in (upper, *layers)]
        found = _Reader(frozenset(ignored)).folder(tops[0], tops[1:], "")
    return sorted(found, key=lambda change: str(change["Path"]))


@contextmanager
def opened(path: Path | str, within: int | None = None) -> Iterator[int]:
    fd = os.open(path, _FOLDER, dir_fd=within)
    try:
        yield fd
    finally:
        os.close(fd)


class _Reader:
    def __init__(self, ignored: frozenset[str]) -> None:
        self._ignored = ignored

    def folder(self, upper: int, lowers: list[int], path: str) -> list[Change]:
        """Read one folder; ``lowers`` are its namesakes in the image, as far as they show through."""
        found: list[Change] = []
        names = sorted(os.listdir(upper))
        for name in names:
            if f"{path}/{name}" not in self._ignored:
                found += self._entry(upper, lowers, path, name)
        if path and is_opaque(upper):
            gone = {name for lower in lowers for name in os.listdir(lower)} - set(names)
            found += [_change(f"{path}/{name}", DELETED) for name in gone if shown(lowers, name)]
        return found

    def _entry(self, upper: int, lowers: list[int], folder: str, name: str) -> list[Change]:
        path = f"{folder}/{name}"
        try:
            info = os.lstat(name, dir_fd=upper)
        except FileNotFoundError:
            return []  # the container is running
        before = shown(lowers, name)
        if is_whiteout(info):
            return [_change(path, DELETED)] if before else []
        kind = MODIFIED if before else ADDED
        if not stat.S_ISDIR(info.st_mode):
            return [_change(path, kind)]
        with ExitStack() as stack:
            inner = stack.enter_context(opened(name, upper))
            below = namesakes(stack, lowers, name)
            found = self.folder(inner, below, path)
        same = before is not None and looks(before) == looks(info)
        if same and not found:
            return []  # only copied up, for something of ours
        if kind == ADDED and not found and any(place.startswith(f"{path}/") for place in self._ignored):
            return []
        return [_change(path, kind), *found]


def _change(path: str, kind: int) -> Change:
    return {"Path": os.fsencode(path).decode(errors="replace"), "Kind": kind}


def looks(info: os.stat_result) -> tuple[int, int, int]:
    """Return what tells a changed folder from one that was only copied up."""
    return info.st_mode, info.st_uid, info.st_gid


def is_opaque(fd: int) -> bool:
    """Whether a folder of an overlay hides its namesakes below."""
    try:
        return os.getxattr(fd, _OPAQUE) == b"y"
    except OSError:
        return False  # it has no such attribute


def shown(lowers: list[int], name: str) -> os.stat_result | None:
    """What the image shows by this name."""
    for lower in lowers:
        try:
            info = os.lstat(name, dir_fd=lower)
        except FileNotFoundError:
            if is_opaque(lower):
                return None
            continue
        return None if is_whiteout(info) else info
    return None


def namesakes(stack: ExitStack, lowers: list[int], name: str) -> list[int]:
    """Folders of this name in the image's layers, down to the one that hides the rest."""
    found: list[int] = []
    for lower in lowers:
        try:
            found.append(stack.enter_context(opened(name, lower)))
        except FileNotFoundError:
            if is_opaque(lower):
                break
            continue
        except OSError:
            break  # no folder: it hides those below
        if is_opaque(found[-1]):
            break
    return found

"""Places of the node's own where things are mounted that a runtime, or a copy, is about to take from there.

What was found and is held by a descriptor cannot be named to a program: its name may lead elsewhere by then. So it is
mounted here for as long as it takes. Nothing here is ever deleted with what is below it.
"""

from __future__ import annotations

import os
import stat
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path

from datacenter.node import syscalls


class Staging:
    """Places in one folder, each with a name that was never there before and will not be again.

    A program that an agent has started may still be about to take something from a place when that agent is gone and
    the next one has begun. It must find nothing then, and not what is mounted there for somebody else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def stage(self, fd: int, stack: ExitStack, *, recursive: bool = True) -> Path:
        """Mount what ``fd`` holds until ``stack`` is left. Raises FileNotFoundError when it was deleted since."""
        place = self._folder / uuid.uuid4().hex
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            place.mkdir()
        else:
            place.touch(exist_ok=False)
        stack.callback(_drop, place)
        flags = syscalls.MS_BIND | (syscalls.MS_REC if recursive else 0)
        syscalls.mount(f"/proc/self/fd/{fd}", place, flags=flags)
        return place

    def sweep(self) -> None:
        """Unmount what an agent left that died meanwhile."""
        for place in self._folder.iterdir():
            _drop(place)


def _drop(place: Path) -> None:
    """Take a mount and its place away; rmdir and unlink refuse what is still mounted."""
    with suppress(OSError):
        syscalls.unmount(place)
    with suppress(OSError):
        place.rmdir() if place.is_dir() else place.unlink()

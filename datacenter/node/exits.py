"""See containers end: conmon renames an exit file into one folder, inotify tells at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.socket import wait_read

from datacenter.node import syscalls

UUID_LENGTH = 36
UNKNOWN_EXIT = 255
"""What conmon's own death leaves us with."""


class Exits:
    """Watches the exit folder and calls ``ended(uuid, code)`` for each exit file, which it then removes.

    An agent that is killed in between leaves the file to the next, which tells the same end again.
    """

    def __init__(self, folder: Path, ended: Callable[[str, int], None]) -> None:
        self._folder = folder
        self._ended = ended
        self._fd = syscalls.inotify(folder, syscalls.IN_MOVED_TO | syscalls.IN_CLOSE_WRITE)

    def start(self) -> None:
        """Begin with the files already there: containers that ended while no agent was."""
        gevent.spawn(self._watch)

    def _watch(self) -> None:
        while True:
            self.look()
            wait_read(self._fd)
            os.read(self._fd, 65536)

    def look(self) -> None:
        """Take every complete exit file."""
        for entry in self._folder.iterdir():
            code = self._code(entry) if len(entry.name) == UUID_LENGTH else None  # not yet renamed: longer
            if code is not None:
                self._ended(entry.name, code)
                entry.unlink(missing_ok=True)  # not before the code is noted: an agent may be killed at any point

    @staticmethod
    def _code(path: Path) -> int | None:
        """The exit code in a file, None for a file that is still being written or was no exit file."""
        try:
            return int(path.read_text())
        except (ValueError, FileNotFoundError):
            return None

"""What a node has destroyed: out of sight at once, deleted in the background."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import gevent

from datacenter.node import spawn

GATHER_SECONDS = 0.25
"""How long what was discarded waits for more."""


class Trash:
    """Folders to be deleted. A program does it, so that a big tree doesn't hold up the agent.

    Many go at a time: to start the program costs more than to delete most containers' folders.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sweeper: gevent.Greenlet | None = None

    def discard(self, doomed: Path, by: Path | None = None) -> None:
        """Take a folder out of sight; one that is not there is no error.

        ``by`` is another path of the trash, for a folder that is not below the node's short home.
        """
        if doomed.exists():
            doomed.rename((by or self._folder) / f"{doomed.name}-{os.urandom(4).hex()}")
            if self._sweeper is None or self._sweeper.ready():
                self._sweeper = gevent.spawn(self._sweep)

    def empty(self, but: Collection[str] = ()) -> set[str]:
        """Delete what was discarded, and return its paths; what cannot be deleted is left."""
        doomed = {str(path) for path in self._folder.iterdir()}.difference(but)
        if doomed:
            spawn.run(["rm", "-rf", "--one-file-system", *doomed])
        return doomed

    def _sweep(self) -> None:
        """Delete until nothing more comes, and nothing twice."""
        tried: set[str] = set()
        gevent.sleep(GATHER_SECONDS)
        while doomed := self.empty(tried):
            tried |= doomed
            gevent.sleep(GATHER_SECONDS)

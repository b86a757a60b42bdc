"""Locks by name, for what may not be there yet; each lives as long as somebody holds it or waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from gevent.lock import RLock


class Turns:
    """One at a time for each name; whoever holds a turn may take it again."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, RLock] = WeakValueDictionary()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Hold the turn of a name for the block."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = RLock()
        with lock:
            yield

    def __len__(self) -> int:
        return len(self._locks)

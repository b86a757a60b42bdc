"""One SQLite database that several worker processes share."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = sqlite3.Row
_PATIENCE = 10.0


class Database:
    """A connection that never blocks the event loop for long.

    SQLite itself would wait for another worker's write inside C, with every greenlet of this worker standing
    still; so it is told not to wait, and the waiting is done here, where other greenlets may run. The greenlets of a
    worker take turns: a transaction is one's own.
    """

    def __init__(self, path: Path | str) -> None:
        self._turn = threading.RLock()
        self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._patiently("PRAGMA journal_mode=WAL", ())
        self._db.execute("PRAGMA synchronous=NORMAL")

    def _patiently(self, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
        pause, end = 0.001, time.monotonic() + _PATIENCE
        while True:
            try:
                return self._db.execute(sql, values)
            except sqlite3.OperationalError as error:
                if ("locked" not in str(error) and "busy" not in str(error)) or time.monotonic() > end:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 0.05)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows it changed."""
        with self._turn:
            return self._patiently(sql, values).rowcount

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._turn:
            return self._patiently(sql, values).fetchall()

    def generation(self) -> tuple[int, int]:
        """Return what differs once anybody, here or in another worker, has written anything. Cheap."""
        with self._turn:
            return self._db.execute("PRAGMA data_version").fetchone()[0], self._db.total_changes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several statements one. Nothing inside may wait for anything but the database."""
        with self._turn:
            self._patiently("BEGIN IMMEDIATE", ())
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()

"""One worker of all on this host, for what must be done once: whoever holds the lock on a file."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_SECONDS = 2.0
"""Between two tries for the lock: how long the others need to notice that the leader died."""


@contextmanager
def leading(lock_file: Path) -> Iterator[None]:
    """Wait for the lock, which the kernel takes from a worker that dies, and hold it for as long as the block lasts."""
    idle = threading.Event()
    with lock_file.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                idle.wait(LOCK_SECONDS)
        yield

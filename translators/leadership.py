"""One worker of all on this host, for what must be done once: whoever holds the lock on a file."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

logger = structlog.get_logger("leadership")

LOCK_SECONDS = 2.0
"""Between two tries for the lock: how long the others need to notice that the leader died."""
AGAIN_SECONDS = 1.0
"""Before work that broke is taken up again."""


def lead(name: str, lock_file: Path, work: Callable[[], None]) -> None:
    """Do endless work in the background, whenever this worker holds the lock.

    Work that breaks lets go of the lock, is logged and taken up again from its beginning, here or by another worker:
    what is done for everybody must not end with one fault.
    """
    threading.Thread(target=_keep_on, args=(name, lock_file, work), name=name, daemon=True).start()


def _keep_on(name: str, lock_file: Path, work: Callable[[], None]) -> None:
    idle = threading.Event()
    while True:
        try:
            with leading(lock_file):
                work()
            return
        except Exception as error:
            logger.exception("work in the background broke", work=name, exc_info=error)
        idle.wait(AGAIN_SECONDS)


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

"""Which workers of this host live: each holds a lock on a file of its own, which the kernel takes when it dies."""

from __future__ import annotations

import fcntl
import os
import secrets
import weakref
from pathlib import Path


class Presence:
    """One worker's proof of life, given at first need, and a look at everybody else's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "workers"
        self._lock: weakref.finalize[..., Presence] | None = None
        self._token = secrets.token_hex(8)

    def token(self) -> str:
        """Return the name by which others find out whether this worker lives."""
        if self._lock is None:
            self._folder.mkdir(exist_ok=True)
            fresh = self._folder / f".{self._token}"  # locked before it can be found: nobody takes it for a dead one's
            lock = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._lock = weakref.finalize(self, os.close, lock)
            fresh.rename(self._folder / self._token)
        return self._token

    def is_alive(self, token: str) -> bool:
        """Whether a worker lives. The file of one that does not is cleared away."""
        path = self._folder / token
        try:
            with path.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        path.unlink(missing_ok=True)
        return False

    def bury(self) -> None:
        """Clear away the files of all workers that died."""
        for path in self._folder.glob("*"):
            self.is_alive(path.name)

    def close(self) -> None:
        """Be taken for dead."""
        if self._lock is not None:
            self._lock()

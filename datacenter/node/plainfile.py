"""Read files that containers write: never more than is wanted, and nothing that is no plain file.

Who opens a container's pipe waits for ever, and the whole agent with it; who opens its device file does what the device
does. A file of zeros, as long as a disk and longer, costs its container nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 4 << 20
"""Bytes of an account file, or of one about names, that are looked at."""


def read_plain(path: Path) -> bytes:
    """Return the first MOST bytes of a file. Raises OSError, EINVAL for what is no plain file."""
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)  # finds it, and opens nothing
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))
        with Path(f"/proc/self/fd/{fd}").open("rb", buffering=0) as file:
            return file.read(MOST) or b""
    finally:
        os.close(fd)

"""A tar that a client sent: tarfile takes its headers at their word, so here is how far it may.

Names and attributes may be as long as a header says, and members as many as there are headers; compressed, gigabytes
of either are a small upload.
"""

from __future__ import annotations

import tarfile
import time
from typing import BinaryIO, cast

MOST_HEADERS = 16 * 1024 * 1024
"""Bytes that all headers of an archive may have together: of some thirty thousand members."""

_TURN_EVERY = 200


def open_tar(file: BinaryIO) -> tarfile.TarFile:
    """Open a tar for reading; no more than its first header is read. Raises tarfile.TarError."""
    return tarfile.open(fileobj=cast("BinaryIO", _Metered(file)), mode="r:")


def read_members(tar: tarfile.TarFile) -> None:
    """Read all headers of what ``open_tar`` opened; contents may be read after that. Raises tarfile.TarError."""
    for number, _ in enumerate(tar):
        if number % _TURN_EVERY == 0:
            time.sleep(0)  # other greenlets' turn
    cast("_Metered", tar.fileobj).metered = False


class _Metered:
    """A file that gives so many bytes and no more, as long as it is ``metered``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MOST_HEADERS
        self.metered = True
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if self.metered:
            if not 0 <= size <= self._left:
                raise tarfile.ReadError(f"its headers are larger than {MOST_HEADERS} bytes")
            self._left -= size
        return self._file.read(size)

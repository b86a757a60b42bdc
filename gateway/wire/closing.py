"""Ending a connection so that the last bytes arrive."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import gevent
from gevent.exceptions import ConcurrentObjectUseError

LINGER = 2.0
"""Seconds to wait for the other side to hang up as well."""

MAX_DRAIN = 4 * 1024 * 1024
"""Bytes read and thrown away while waiting."""


def close_gently(sock: Any) -> None:
    """End the stream, wait a moment for the other side to do the same, then close.

    Closing with unread bytes in the kernel's buffer makes it send a reset, and a reset may overtake
    what was written last: an error answered in the middle of an upload, the end of a program's
    output while its input is still being sent.
    """
    with suppress(OSError, ConcurrentObjectUseError), gevent.Timeout(LINGER, False):
        sock.shutdown(socket.SHUT_WR)
        left = MAX_DRAIN
        while left > 0 and (data := sock.recv(65536)):
            left -= len(data)
    with suppress(OSError):
        sock.close()

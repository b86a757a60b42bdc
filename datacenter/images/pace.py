"""How the long work of moving bytes leaves room for everybody else in the process."""

from __future__ import annotations

import gevent

CHUNK = 256 * 1024
"""Bytes to handle between two breaths: about a millisecond's hashing."""


def breathe() -> None:
    """Let the other greenlets run, those that wait for a socket too.

    ``gevent.sleep(0)`` would not do: greenlets that pass the turn to one another keep the loop from polling.
    """
    gevent.sleep(0.0001)

"""Copying bytes from one connection to another."""

from __future__ import annotations

from typing import Any, Protocol

BUFFER = 256 * 1024
"""Bytes: large enough that the cost of a wake-up is spread over many records or packets."""


class Source(Protocol):
    def recv_into(self, buffer: memoryview, /) -> int: ...


class Sink(Protocol):
    def sendall(self, data: memoryview, /) -> Any: ...


def pump(source: Source, sink: Sink, size: int = BUFFER) -> int:
    """Copy until ``source`` ends and return the number of bytes; one buffer serves for all of them.

    Neither side is closed or half-closed: how an end is passed on is for the caller to say. Raises
    what the two sides raise.
    """
    buffer = memoryview(bytearray(size))
    total = 0
    while filled := source.recv_into(buffer):
        sink.sendall(buffer[:filled])
        total += filled
    return total

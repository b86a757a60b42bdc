"""Docker's multiplexed stream: frames of ``[stream u8][0, 0, 0][length u32 big-endian][payload]``."""

from __future__ import annotations

import struct
from collections.abc import Iterator

STDIN, STDOUT, STDERR, SYSTEM = 0, 1, 2, 3
"""Streams: input, output, errors, and a message of the engine itself that ends the stream."""

HEADER = struct.Struct(">BxxxI")

MAX_PAYLOAD = 2**32 - 1


class FrameError(ValueError):
    """Bytes that are no frames, or a frame beyond the decoder's limit."""


def header(stream: int, length: int) -> bytes:
    """Return the 8 bytes in front of a payload of ``length`` bytes."""
    return HEADER.pack(stream, length)


def frame(stream: int, payload: bytes) -> bytes:
    """Return one frame; an empty payload makes a frame of 8 bytes that clients skip."""
    return HEADER.pack(stream, len(payload)) + payload


class Decoder:
    """Cut a byte stream back into frames, however it was split on its way.

    One frame is held until it is whole, so ``limit`` (bytes of payload) bounds the memory a peer can
    take.
    """

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[tuple[int, bytes]]:
        """Take in ``data`` and yield every (stream, payload) that is whole now.

        Raises FrameError when the bytes cannot be frames. Iterate to the end before feeding again.
        """
        rest = self._rest
        rest += data
        start = 0
        try:
            while len(rest) - start >= HEADER.size:
                stream, length = HEADER.unpack_from(rest, start)
                if rest[start + 1 : start + 4] != b"\0\0\0" or length > self._limit:
                    raise FrameError(f"not a frame: {bytes(rest[start : start + HEADER.size]).hex()}")
                end = start + HEADER.size + length
                if len(rest) < end:
                    break
                payload = bytes(memoryview(rest)[start + HEADER.size : end])
                start = end
                yield stream, payload
        finally:
            del rest[:start]

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not whole yet; not 0 at the end means it was cut off."""
        return len(self._rest)

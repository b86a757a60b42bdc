"""The stdio framing of the embedded node: whole bytes, both directions, one TCP connection.

A frame is ``[type u8][0,0,0][length u32 BE][payload]``, so that output frames are Docker's stdcopy frames already.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec

STDIN, STDOUT, STDERR = 0, 1, 2
STDIN_EOF, RESIZE, END, DETACH = 16, 17, 18, 19

HEADER = struct.Struct(">B3xI")
SIZE = struct.Struct(">HH")
BATCH = 128 * 1024
"""Bytes of output gathered before one send; memory is touched only as far as it is used."""
CONTROL_MAX = 1024


class ProtocolError(Exception):
    """The client sent what its protocol does not know; its session ends."""


class Asked(NamedTuple):
    """What a client asked: a frame kind of STDIN, STDIN_EOF, RESIZE (payload SIZE: columns, rows) or DETACH."""

    kind: int
    data: bytes = b""


class Reader(Protocol):
    def feed(self, data: bytes) -> Iterator[Asked]: ...


class Batch(Protocol):
    """Where output is gathered on its way to one send.

    The next piece is read into ``space(lead)`` (``lead`` bytes of it are not output and get overwritten) and
    made known by ``add(kind, size)``, ``size`` without the lead; ``take()`` hands out what was gathered, and ``rest()``
    says that it is used and nothing waits to be read: who is silent for hours needs no memory meanwhile.
    """

    @property
    def full(self) -> bool: ...
    def space(self, lead: int = 0) -> memoryview: ...
    def add(self, kind: int, size: int) -> None: ...
    def finish(self, kind: int) -> None: ...
    def take(self) -> bytes | memoryview: ...
    def rest(self) -> None: ...


class Framing(Protocol):
    """One protocol between gateway and node: how a session reads its client and writes to it."""

    binary: bool
    """Whether it carries any bytes, and is the embedded node's own."""

    def reader(self) -> Reader: ...
    def batch(self) -> Batch: ...
    def output(self, kind: int, data: bytes) -> bytes: ...
    def lines(self, kind: int, lines: list[bytes]) -> bytes: ...
    def end(self, code: int | None, error: dict[str, str] | None = None) -> bytes: ...


def frame(kind: int, payload: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


class Frames:
    """Protocol ``frames/1``."""

    binary = True

    def reader(self) -> Reader:
        return FrameReader()

    def batch(self) -> Batch:
        return FrameBatch()

    def output(self, kind: int, data: bytes) -> bytes:
        return frame(kind, data)

    def lines(self, kind: int, lines: list[bytes]) -> bytes:
        """One frame a line, as clients that iterate a log expect."""
        sizes = [len(line) for line in lines]
        headers = {size: HEADER.pack(kind, size) for size in set(sizes)}
        parts = [b""] * (2 * len(lines))
        parts[::2] = [headers[size] for size in sizes]
        parts[1::2] = lines
        return b"".join(parts)

    def end(self, code: int | None, error: dict[str, str] | None = None) -> bytes:
        """Say how the process ended; ``error`` (restCode, message) when it never ran."""
        told: dict[str, Any] = {"code": code, "signal": None}
        if error is not None:
            told["error"] = error
        return frame(END, msgspec.json.encode(told))


class FrameReader:
    """Turn the client's bytes into events, stdin as it comes, control frames when they are whole."""

    def __init__(self) -> None:
        self._kind = STDIN
        self._left = 0
        self._held = b""

    def feed(self, data: bytes) -> Iterator[Asked]:
        """Yield the events ``data`` completes. Raises ProtocolError for frames a client may not send."""
        data = self._held + data
        at = 0
        while True:
            if self._kind == STDIN and self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if piece:
                    yield Asked(STDIN, piece)
            if len(data) - at < HEADER.size:
                break
            kind, length = HEADER.unpack_from(data, at)
            if kind == STDIN:
                self._left = length
                at += HEADER.size
                continue
            _check(kind, length)
            end = at + HEADER.size + length
            if len(data) < end:
                break
            yield Asked(kind, data[at + HEADER.size : end])
            at = end
        self._held = data[at:]


def _check(kind: int, length: int) -> None:
    if kind not in (STDIN_EOF, RESIZE, DETACH):
        raise ProtocolError(f"unknown frame type {kind}")
    if length != (SIZE.size if kind == RESIZE else 0):
        raise ProtocolError(f"frame type {kind} of {length} bytes")


class FrameBatch:
    """Output frames built in place: the kernel writes each piece behind the room of its header."""

    ROOM = 16 * 1024
    """A piece is read only while this much is free: twice conmon's largest packet."""

    SPARE = 8
    _spare: ClassVar[list[memoryview]] = []
    """Buffers of batches at rest, for whoever has something to read next."""

    def __init__(self) -> None:
        self._held: memoryview | None = None
        self._end = 0

    @property
    def _view(self) -> memoryview:
        if self._held is None:
            self._held = self._spare.pop() if self._spare else memoryview(bytearray(BATCH))
        return self._held

    @property
    def full(self) -> bool:
        return BATCH - self._end < self.ROOM

    def space(self, lead: int = 0) -> memoryview:
        return self._view[self._end + HEADER.size - lead :]

    def add(self, kind: int, size: int) -> None:
        HEADER.pack_into(self._view, self._end, kind, size)
        self._end += HEADER.size + size

    def finish(self, kind: int) -> None:
        """Nothing: bytes are never held back."""

    def take(self) -> memoryview:
        """The frames so far; good until the next piece is read, or the batch rests."""
        taken = self._view[: self._end]
        self._end = 0
        return taken

    def rest(self) -> None:
        view, self._held = self._held, None
        if view is not None and len(self._spare) < self.SPARE:
            self._spare.append(view)

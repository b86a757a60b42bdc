"""The stdio protocol of a real compute node: one JSON object a line, text in UTF-8.

It can't carry bytes that are no UTF-8. Facts: sdc-cn-agent's docker-stdio.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator
from typing import Any

import msgspec

from datacenter.node.frames import (
    BATCH,
    DETACH,
    RESIZE,
    SIZE,
    STDERR,
    STDIN,
    STDIN_EOF,
    STDOUT,
    Asked,
    Batch,
    ProtocolError,
    Reader,
)

NAMES = {STDOUT: "stdout", STDERR: "stderr"}
CTRL_P, CTRL_Q = "\x10", "\x11"


def line(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message) + b"\r\n"


class Lines:
    """The line-JSON protocol; ``tty`` labels all output ``tty``."""

    binary = False

    def __init__(self, *, tty: bool = False) -> None:
        self.names = dict.fromkeys(NAMES, "tty") if tty else NAMES

    def reader(self) -> Reader:
        return LineReader()

    def batch(self) -> Batch:
        return LineBatch(self.names)

    def output(self, kind: int, data: bytes) -> bytes:
        return line({"type": self.names[kind], "data": data.decode(errors="replace")})

    def lines(self, kind: int, lines: list[bytes]) -> bytes:
        return b"".join(self.output(kind, text) for text in lines)

    def end(self, code: int | None, error: dict[str, str] | None = None) -> bytes:
        """Say how the process ended. There is no room for ``error``: the real node only prints it on stderr."""
        del error
        return line({"type": "end", "data": {"code": code, "signal": None}})


class LineReader:
    """Turn the client's lines into events.

    A Ctrl-P alone in its message is swallowed, and a Ctrl-Q alone in the next detaches.
    """

    def __init__(self) -> None:
        self._held = b""
        self._escaping = False

    def feed(self, data: bytes) -> Iterator[Asked]:
        """Yield the events ``data`` completes. Raises ProtocolError for anything but the three known types."""
        *lines, self._held = (self._held + data).split(b"\n")
        for text in lines:
            if text.strip():
                yield from self._message(text)

    def _message(self, text: bytes) -> Iterator[Asked]:
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise ProtocolError(f"not a JSON line: {error}") from error
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "end":
            yield Asked(STDIN_EOF)
        elif kind in ("stdin", "tty"):
            yield from self._keys(message.get("data") or "")
            if message.get("resize"):
                yield _resize(message["resize"])
        else:
            raise ProtocolError(f"unknown message type {kind!r}")

    def _keys(self, keys: str) -> Iterator[Asked]:
        if not keys:
            return
        escaping, self._escaping = self._escaping, keys == CTRL_P
        if self._escaping:
            return
        if escaping and keys == CTRL_Q:
            yield Asked(DETACH)
        else:
            yield Asked(STDIN, keys.encode(errors="replace"))


def _resize(size: Any) -> Asked:
    try:
        return Asked(RESIZE, SIZE.pack(int(size["w"]), int(size["h"])))
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise ProtocolError("resize needs w and h, 0 to 65535") from error


class LineBatch:
    """Output as lines; a character split between two pieces waits for its end."""

    PIECE = 64 * 1024

    def __init__(self, names: dict[int, str]) -> None:
        self._names = names
        self._view = memoryview(b"")
        self._lead = 0
        self._decoders = {kind: codecs.getincrementaldecoder("utf-8")("replace") for kind in names}
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def full(self) -> bool:
        return self._size >= BATCH

    def space(self, lead: int = 0) -> memoryview:
        self._lead = lead
        if not self._view:
            self._view = memoryview(bytearray(self.PIECE))
        return self._view

    def add(self, kind: int, size: int) -> None:
        piece = bytes(self._view[self._lead : self._lead + size])
        self._append(kind, self._decoders[kind].decode(piece))

    def finish(self, kind: int) -> None:
        """Give out the rest of a character that will never be whole."""
        self._append(kind, self._decoders[kind].decode(b"", final=True))

    def _append(self, kind: int, text: str) -> None:
        if text:
            self._lines.append(line({"type": self._names[kind], "data": text}))
            self._size += len(self._lines[-1])

    def take(self) -> bytes:
        taken = b"".join(self._lines)
        self._lines.clear()
        self._size = 0
        return taken

    def rest(self) -> None:
        self._view = memoryview(b"")

"""The compute node's stream sockets: exec, attach and logs. Facts: sdc-apis 5.

A real node speaks one JSON object a line, text only. A node that advertises ``stdio-frames`` also speaks frames
of ``[kind, 0, 0, 0, length as u32 big-endian]`` and raw bytes: kinds 1 and 2 are Docker's own stdcopy frames, so
that what arrives can be passed on untouched. Connect exactly once: each connection runs the command again.
"""

from __future__ import annotations

import codecs
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import msgspec

from sdc.errors import SdcUnavailable

FRAMES = "frames/1"
STDIN, STDOUT, STDERR, STDIN_END, RESIZE, END, DETACH = 0, 1, 2, 16, 17, 18, 19
SYSTEM = 3
"""Docker's kind for a message of the engine itself, which ends the client's reading with an error."""
_LOST = b"the container's compute node was lost"
_HEADER = struct.Struct(">BxxxL")
_BUFFER = 256 * 1024
_CONNECT_SECONDS = 5.0
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A node that is switched off says nothing: its silent streams end after a minute and a half."""

_ONE = bytearray(1)


class _Buffers:
    """Buffers for those who have something to read now: thousands of silent streams need none."""

    KEPT = 8

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    @contextmanager
    def lend(self) -> Iterator[bytearray]:
        buffer = self._free.pop() if self._free else bytearray(_BUFFER)
        try:
            yield buffer
        finally:
            if len(self._free) < self.KEPT:
                self._free.append(buffer)


_BUFFERS = _Buffers()


class Console(Protocol):
    """A connection to a process on a compute node."""

    ended: dict[str, Any] | None
    """What the node said at the end: ``{"code": n, "signal": s}``, with ``error`` when it never ran; else None."""

    def output(self, *, framed: bool) -> Iterator[bytes | memoryview]:
        """Yield output as it comes until the end.

        ``framed`` keeps Docker's stdcopy headers, else bytes come bare. A yielded memoryview is only good until
        the next one is asked for.
        """

    def loss(self) -> bytes:
        """Return the frame, of Docker's own kind, that says that output ended because the node was lost.

        Empty when it was not, when the framing does not tell, and when output broke off in the middle of a frame.
        """

    def send(self, data: bytes) -> None:
        """Send bytes to the process's stdin."""

    def end_stdin(self) -> None: ...

    def resize(self, width: int, height: int) -> None: ...

    def detach(self) -> None:
        """Leave; the process goes on."""

    def close(self) -> None: ...


def connect(answer: dict[str, Any], *, tty: bool) -> Console:
    """Connect to what docker-exec answered, in the framing it agreed to. Raises SdcUnavailable."""
    sock = open_socket(answer)
    if answer.get("framing") == FRAMES:
        return FrameConsole(sock)
    return LineConsole(sock, tty=tty)


def open_socket(answer: dict[str, Any]) -> socket.socket:
    """Connect to the port that a node answered with. Raises SdcUnavailable."""
    try:
        sock = _dial(answer["host"], int(answer["port"]))
    except OSError as error:
        raise SdcUnavailable("cn-agent", 503, "ConnectError", str(error)) from error
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_NODELAY, 1), *_KEEPALIVE):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    return sock


def _dial(host: str, port: int) -> socket.socket:
    """Connect; to an IPv4 address past the resolver, which is a thread of a gevent worker. Raises OSError."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(_CONNECT_SECONDS)
        sock.connect((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


class FrameConsole:
    """Byte-exact framing, for nodes that offer it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = b""  # an unfinished header or end frame
        self._rest = 0  # payload bytes of the current output frame still to come
        self._open = True
        self.ended: dict[str, Any] | None = None
        self._lost = False

    def fileno(self) -> int:
        return self._sock.fileno()

    def output(self, *, framed: bool) -> Iterator[bytes | memoryview]:
        while self._open:
            self._await()
            with _BUFFERS.lend() as buffer:
                data = self._read(buffer, framed=framed)
                if data:
                    yield data

    def pour(self, write: Callable[[bytes | memoryview], Any], *, framed: bool) -> bool:
        """Read once, without waiting, and write the output in it; False at the end.

        For a console whose ``fileno`` somebody watches. What is written is only good during the call.
        """
        self._sock.settimeout(0.0)
        try:
            with _BUFFERS.lend() as buffer:
                data = self._read(buffer, framed=framed)
                if data:
                    write(data)
        except BlockingIOError:
            pass
        finally:
            self._sock.settimeout(None)
        return self._open

    def _await(self) -> None:
        """Wait without a buffer until there is something, or the end."""
        with suppress(OSError):
            self._sock.recv_into(_ONE, 1, socket.MSG_PEEK)

    def _read(self, buffer: bytearray, *, framed: bool) -> bytes | memoryview:
        """Receive once and return the output in it. Raises BlockingIOError."""
        view, kept = memoryview(buffer), len(self._held)
        view[:kept] = self._held
        try:
            got = self._sock.recv_into(view[kept:])
        except BlockingIOError:
            raise
        except OSError:
            got = 0  # the node is gone: the end without an end frame
        if not got:
            self._open = False
            self._lost = not self._rest and not kept
            return b""
        pieces, whole = self._cut(view[: kept + got])
        self._held = bytes(view[whole : kept + got])
        if framed:
            return view[:whole]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _cut(self, data: memoryview) -> tuple[list[memoryview], int]:
        """Return the payloads in the data and where its last whole frame, or begun payload, of output ends."""
        at, pieces = 0, []
        while at < len(data):
            if self._rest:
                piece = data[at : at + self._rest]
                pieces.append(piece)
                at, self._rest = at + len(piece), self._rest - len(piece)
                continue
            if len(data) - at < _HEADER.size:
                break
            kind, length = _HEADER.unpack_from(data, at)
            if kind in (STDOUT, STDERR):
                at, self._rest = at + _HEADER.size, length
                continue
            if len(data) - at < _HEADER.size + length:
                break
            if kind != END:
                raise SdcUnavailable("cn-agent", 502, "BadFrame", f"unknown frame kind {kind}")
            self.ended = msgspec.json.decode(data[at + _HEADER.size : at + _HEADER.size + length])
            self._open = False
            break
        return pieces, at

    def loss(self) -> bytes:
        return _HEADER.pack(SYSTEM, len(_LOST)) + _LOST if self._lost else b""

    def _send(self, kind: int, payload: bytes = b"") -> None:
        self._sock.sendall(_HEADER.pack(kind, len(payload)) + payload)

    def send(self, data: bytes) -> None:
        self._send(STDIN, data)

    def end_stdin(self) -> None:
        self._send(STDIN_END)

    def resize(self, width: int, height: int) -> None:
        self._send(RESIZE, struct.pack(">HH", width, height))

    def detach(self) -> None:
        self._send(DETACH)

    def close(self) -> None:
        self._sock.close()


class LineConsole:
    """The real node's protocol: JSON lines, text only, so bytes that are not UTF-8 are lost on the way."""

    def __init__(self, sock: socket.socket, *, tty: bool) -> None:
        self._sock = sock
        self._tty = tty
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.ended: dict[str, Any] | None = None

    def messages(self, over: Callable[[], bool] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the node's messages; lines that are none are skipped.

        ``over`` is asked after each second of silence and ends the stream when it is true: a real node follows
        the log of a stopped VM for ever.
        """
        pending = b""
        self._sock.settimeout(1.0 if over else None)
        while True:
            try:
                data = self._sock.recv(_BUFFER)
            except TimeoutError:
                if over is not None and over():
                    return
                continue
            except OSError:
                return
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                try:
                    message = msgspec.json.decode(line)
                except msgspec.DecodeError:
                    continue
                if isinstance(message, dict):
                    yield message

    def output(self, *, framed: bool) -> Iterator[bytes | memoryview]:
        for message in self.messages():
            kind = message.get("type")
            if kind == "end":
                self.ended = message.get("data") or {}
                return
            if kind in {"stdout", "stderr", "tty"}:
                payload = str(message.get("data", "")).encode()
                header = _HEADER.pack(STDERR if kind == "stderr" else STDOUT, len(payload))
                yield header + payload if framed else payload

    def loss(self) -> bytes:
        """A real node's stream may end in many ways without an end message."""
        return b""

    def _send(self, message: dict[str, Any]) -> None:
        self._sock.sendall(msgspec.json.encode(message) + b"\r\n")

    def send(self, data: bytes) -> None:
        text = self._decoder.decode(data)
        if text:
            self._send({"type": "tty" if self._tty else "stdin", "data": text})

    def end_stdin(self) -> None:
        self._send({"type": "end"})

    def resize(self, width: int, height: int) -> None:
        self._send({"type": "tty", "resize": {"w": width, "h": height}})

    def detach(self) -> None:
        """The real node knows only the keys: ^P and ^Q, each alone in a message."""
        if self._tty:
            self._send({"type": "tty", "data": "\x10"})
            self._send({"type": "tty", "data": "\x11"})

    def close(self) -> None:
        self._sock.close()

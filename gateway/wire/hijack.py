"""Taking a request's connection away from HTTP, for attach, exec and their like."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from flask import Response
from gunicorn.workers.base_async import ALREADY_HANDLED

from gateway.wire.closing import close_gently
from gateway.wire.resting import ABLE_TO_REST, Rest, Tap
from gateway.wire.watch import until_hung_up

RAW_STREAM = "application/vnd.docker.raw-stream"

_OWN_HEADERS = frozenset({"content-type", "content-length", "connection", "upgrade", "transfer-encoding"})

log = logging.getLogger(__name__)


def take_connection(environ: Mapping[str, Any]) -> tuple[Any, bytes]:
    """Return the request's socket and the bytes that the client sent right behind the request.

    What is left of the body is read and dropped. All that this project knows of gunicorn's private
    parts is here; a test pins it.
    """
    body = environ["wsgi.input"]
    while body.read(65536):
        pass
    reader = body.reader
    unreader = reader.unreader if hasattr(reader, "unreader") else reader.req.unreader
    return environ["gunicorn.socket"], unreader.take_buffered()


class HijackedStream:
    """The bytes of a connection after HTTP, both ways.

    One greenlet may read while another writes. Errors of the connection come as ``OSError``; a
    client that has gone shows as ``ConnectionError`` on the next write.
    """

    def __init__(self, sock: Any, early: bytes = b"") -> None:
        self._sock = sock
        self._early = early
        self._reading = False

    def is_read(self) -> bool:
        """Whether somebody reads and has not yet been told of the client's end."""
        return self._reading

    def read(self, size: int = 65536) -> bytes:
        """Return up to ``size`` bytes as they come, b"" once the client has ended its side."""
        self._reading = True
        if self._early:
            data, self._early = self._early[:size], self._early[size:]
            return data
        received: bytes = b""
        try:
            received = self._sock.recv(size)
        finally:
            self._reading = bool(received)
        return received

    def recv_into(self, buffer: memoryview) -> int:
        """Fill ``buffer`` with what has arrived; 0 once the client has ended its side."""
        if self._early:
            data = self.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        self._reading = True
        filled: int = 0
        try:
            filled = self._sock.recv_into(buffer)
        finally:
            self._reading = filled > 0
        return filled

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._sock.sendall(data)

    sendall = write

    def close_write(self) -> None:
        """Tell the client that no more comes; its own bytes can still be read."""
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the connection; readers must have been joined or killed before."""
        close_gently(self._sock)


class HijackResponse(Response):
    """A response that hands its connection to ``handler`` and never comes back to HTTP.

    With an ``Upgrade`` header in the request the head is ``101 UPGRADED`` with ``content_type``,
    without one ``200 OK`` and a raw stream, as Docker does. Headers set on the response by anybody
    are sent along. ``handler`` runs the session to its end in the request's greenlet; the connection
    is closed after it. A client that goes away ends the session quietly: at the next write, or within
    seconds when both are silent.

    ``protocol`` is named in the 101 (``tcp``, or ``h2c`` for build sessions). With a ``tap`` the session is nothing
    but its output: a worker that can lets it rest, and ``handler`` is not called.
    """

    def __init__(
        self,
        handler: Callable[[HijackedStream], Any],
        content_type: str = RAW_STREAM,
        headers: Mapping[str, str] | None = None,
        *,
        protocol: str = "tcp",
        tap: Tap | None = None,
    ) -> None:
        super().__init__(status=101, headers=headers, content_type=content_type)
        self._handler = handler
        self._protocol = protocol
        self._tap = tap

    def __call__(self, environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ARG002
        sock, early = take_connection(environ)
        stream = HijackedStream(sock, early)
        with suppress(OSError):  # a client that has gone already: its session has things to end, and meets the same
            self._greet(stream, environ)
        if self._tap is not None and ABLE_TO_REST in environ:
            return Rest(self._tap, hijacked=True)  # type: ignore[return-value]
        try:
            with until_hung_up(sock, unless=stream.is_read):
                self._handler(stream)
        except (ConnectionError, TimeoutError) as error:
            log.debug("hijacked connection of %s ended: %s", environ.get("PATH_INFO"), error)
        finally:
            stream.close()
            self.close()
        return ALREADY_HANDLED  # type: ignore[no-any-return]

    def _greet(self, stream: HijackedStream, environ: Mapping[str, Any]) -> None:
        """Send the head, after which the connection is the stream's."""
        if "HTTP_UPGRADE" in environ:
            lines = [
                "HTTP/1.1 101 UPGRADED",
                f"Content-Type: {self.content_type}",
                "Connection: Upgrade",
                f"Upgrade: {self._protocol}",
            ]
        else:
            lines = ["HTTP/1.1 200 OK", f"Content-Type: {RAW_STREAM}"]
        lines += [f"{name}: {value}" for name, value in self.own_headers()]
        stream.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def own_headers(self) -> list[tuple[str, str]]:
        """Headers set on the response by anybody, without those of the hijack itself."""
        return [(name, value) for name, value in self.headers if name.lower() not in _OWN_HEADERS]

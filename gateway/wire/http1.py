"""HTTP/1.1 on gunicorn's parser and writer, with the few changes Docker clients need."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from gunicorn import util
from gunicorn.http import message, parser, wsgi

MAX_REQUEST_LINE = 1024 * 1024
"""Bytes: the classic builder puts build arguments, labels and cache sources into the query."""

MAX_UNREAD_BODY = 256 * 1024
"""Bytes of a body nobody read that are thrown away to keep a connection; above, it is closed."""

JOIN_BELOW = 64 * 1024
"""Bytes: a first piece of body up to this size goes out in one send with the head."""


LAST_CHUNK = b"0\r\n\r\n"


def as_chunk(data: Any) -> bytes:
    """Return a piece of body, not empty, as chunked encoding has it."""
    return b"%X\r\n%b\r\n" % (len(data), data)


class ClientGoneError(Exception):
    """The client could not be written to; nobody is left to be told of anything."""


class Request(message.Request):
    """A request whose line may be long, but not endless as gunicorn's ``limit_request_line = 0``."""

    def read_line(self, unreader: Any, buf: bytearray, limit: int = 0) -> tuple[bytes, bytearray]:
        line: tuple[bytes, bytearray] = super().read_line(unreader, buf, limit or MAX_REQUEST_LINE)
        return line


class RequestParser(parser.RequestParser):
    mesg_class = Request

    def discard_body(self) -> bool:
        """Throw away what is left of the last request's body; False when it is too much."""
        return bool(self.finish_body(max_bytes=MAX_UNREAD_BODY))


class Response(wsgi.Response):
    """A response that leaves ``Server`` to the application and sends head and first bytes as one.

    An empty first piece of body still sends the head at once.
    """

    headers_sent: bool
    _head = b""

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        super().process_headers(headers)
        # gunicorn takes Server for its own business
        self.headers.extend(header for header in headers if header[0].lower() == "server")

    def send_headers(self) -> None:
        if self.headers_sent:
            return
        self.headers_sent = True
        lines = [f"HTTP/{self.req.version[0]}.{self.req.version[1]} {self.status}\r\nDate: {http_date()}\r\n"]
        if self.should_close():
            lines.append("Connection: close\r\n")
        elif self.req.version < (1, 1):
            lines.append("Connection: keep-alive\r\n")
        if self.chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        lines.extend([f"{name}: {value}\r\n" for name, value in self.headers])
        lines.append("\r\n")
        self._head = "".join(lines).encode("latin-1")

    def write(self, arg: bytes) -> None:
        super().write(arg)
        self._flush(b"")

    def close(self) -> None:
        self.send_headers()
        self._flush(LAST_CHUNK if self.chunked else b"")

    def _emit_body(self, data: bytes) -> None:
        self._flush(as_chunk(data) if self.chunked else data)

    def _flush(self, data: bytes) -> None:
        head, self._head = self._head, b""
        try:
            if head and len(data) > JOIN_BELOW:
                self.sock.sendall(head)
            elif head:
                data = head + data
            if data:
                self.sock.sendall(data)
        except OSError as error:
            raise ClientGoneError from error


def refusal(status: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Return a whole response for a request that could not even be read; its body is its status, as with Go."""
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return (
        f"HTTP/1.1 {status}\r\nDate: {http_date()}\r\nContent-Type: text/plain; charset=utf-8\r\n{more}"
        f"Content-Length: {len(status)}\r\nConnection: close\r\n\r\n{status}"
    ).encode("latin-1")


_date = (0, "")


def http_date() -> str:
    """Return the ``Date`` of now; computed once a second."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, util.http_date(now))
    return _date[1]

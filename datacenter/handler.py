"""How all servers of the data center read requests and write answers: pywsgi's handler, without what costs it most."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedIOBase
from typing import Any

from gevent.pywsgi import WSGIHandler

SMALL = 65536
"""Bodies up to this many bytes leave in one packet train with their headers."""
LONGEST_LINE = 65536
MOST_HEADERS = 100


class Head:
    """The headers of a request as pywsgi asks for them; it has the email package read them, five times as slowly.

    ``status`` says what is wrong with them, and the client gets a 400. Continuation lines are no longer HTTP.
    """

    def __init__(self, lines: BufferedIOBase) -> None:
        self.status = ""
        self._pairs: list[tuple[str, str]] = []
        while (line := lines.readline(LONGEST_LINE + 1).decode("latin-1")).rstrip("\r\n"):
            name, colon, value = line.partition(":")
            if len(line) > LONGEST_LINE or len(self._pairs) == MOST_HEADERS:
                self.status = "too many headers, or too long ones"
                return
            if not colon or not name or name != name.strip():
                self.status = "malformed header"
                return
            self._pairs.append((name, value.strip()))

    def get(self, name: str, default: Any = None) -> Any:
        """The first header of this name, in whatever case."""
        wanted = name.lower()
        return next((value for given, value in self._pairs if given.lower() == wanted), default)

    getheader = get

    def __delitem__(self, name: str) -> None:
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != name.lower()]

    @property
    def typeheader(self) -> str | None:
        found: str | None = self.get("content-type")
        return found

    @property
    def headers(self) -> Iterator[str]:
        """Each as a line."""
        return (f"{name}: {value}\r\n" for name, value in self._pairs)


class Handler(WSGIHandler):
    """pywsgi's handler without an access log and with one write per small answer."""

    def MessageClass(self, lines: BufferedIOBase, *_: Any) -> Head:  # noqa: N802 - pywsgi's name
        return Head(lines)

    def log_request(self) -> None:
        """Say nothing: request bodies and queries hold customers' data."""

    def _write_with_headers(self, data: bytes) -> None:
        """Put head and body in one send: two small ones wait for each other's acknowledgement."""
        if len(data) > SMALL:
            super()._write_with_headers(data)
            return
        self.headers_sent = True
        self.finalize_headers()
        head = bytearray(b"HTTP/1.1 " + self.status + b"\r\n")
        for name, value in self.response_headers:
            head += name + b": " + value + b"\r\n"
        head += b"\r\n"
        if self.response_use_chunked and data:  # known only now
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._sendall(bytes(head) + data)

    def _sendall(self, data: bytes) -> None:
        """Send at once what goes: gevent's ``sendall`` first asks the kernel for the size of its buffer."""
        try:
            sent = self.socket.send(data)
        except OSError:
            sent = 0  # pywsgi meets it again, and notes it
        self.response_length += sent
        if sent < len(data):
            super()._sendall(data[sent:])

"""Reading the answers of services: the usual one at once, any other as the standard library does.

``http.client`` has the email package look at each header and buffers what is small; that is most of what a question to
a service costs. The usual answer is of HTTP/1.1, of a known length, and on a connection that is kept.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
from dataclasses import dataclass
from typing import Any

CHUNK = 65536
_BLANK = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.1 (200|201|202|[45]\d\d)[ \r]")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding:|connection:(?![ \t]*keep-alive[ \t]*\r\n))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end; named as those of requests are."""

    status_code: int
    content: bytes
    told: bytes | http.client.HTTPMessage
    """The headers, looked at or as they came."""

    @property
    def headers(self) -> http.client.HTTPMessage:
        """Looked up without regard to case."""
        return http.client.parse_headers(io.BytesIO(self.told)) if isinstance(self.told, bytes) else self.told


class Response:
    """What an HTTPConnection, whose ``response_class`` this is, makes of an answer. ``begin`` sets ``answer``."""

    answer: Answer

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:  # noqa: ARG002 - the library's signature
        self._sock = sock
        self._method = method
        self.will_close = False

    def begin(self) -> None:
        """Read it all. Raises OSError, and HTTPException for what is no answer."""
        begun = self._sock.recv(CHUNK)
        length = None if self._method == "HEAD" else _length(begun)
        if length is None:
            self._read_unusual(begun)
            return
        end = begun.index(_BLANK)
        content = self._whole(begun[end + len(_BLANK) :], length)
        self.answer = Answer(int(begun[9:12]), content, begun[begun.index(b"\r\n") + 2 : end + len(_BLANK)])

    def _whole(self, content: bytes, length: int) -> bytes:
        pieces, missing = [content], length - len(content)
        while missing > 0 and (piece := self._sock.recv(CHUNK)):
            pieces.append(piece)
            missing -= len(piece)
        if missing > 0:
            raise http.client.IncompleteRead(b"".join(pieces), missing)
        self.will_close = missing < 0  # it says more than it should: nobody knows what comes next
        return b"".join(pieces)[:length]

    def _read_unusual(self, begun: bytes) -> None:
        reply = http.client.HTTPResponse(_Resumed(self._sock, begun), method=self._method)  # type: ignore[arg-type]
        reply.begin()
        self.will_close = reply.will_close
        self.answer = Answer(reply.status, reply.read(), reply.headers)

    def isclosed(self) -> bool:
        """Whether the connection may be used for the next request."""
        return True

    def close(self) -> None:
        """Do nothing: there is nothing but the connection."""


def _length(begun: bytes) -> int | None:
    """How long the body is of the answer that begins so; None for an unusual one."""
    end = begun.find(_BLANK)
    if end < 0 or not _STATUS.match(begun):
        return None
    lengths = _LENGTH.findall(begun, 0, end + 2)
    return int(lengths[0]) if len(lengths) == 1 and not _UNUSUAL.search(begun, 0, end + 2) else None


class _Resumed(io.RawIOBase):
    """A socket of which something was read already, as HTTPResponse wants one."""

    def __init__(self, sock: socket.socket, begun: bytes) -> None:
        self._sock = sock
        self._begun = begun
        self._ended = not begun

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._begun or (b"" if self._ended else self._sock.recv(len(buffer)))
        buffer[: len(data)] = data[: len(buffer)]
        self._begun = data[len(buffer) :]
        return min(len(data), len(buffer))

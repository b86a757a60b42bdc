"""Kept connections to one service, for the many small requests that a Docker call is made of.

requests and urllib3 spend half a millisecond on each, most of it on what a service is never asked for: redirects,
cookies, proxies, retries of their own. For plain HTTP the standard library's client is enough; files and streams, and
services behind TLS, go through requests.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sdc.answers import Answer, Response

KEPT = 64


class _Connection(http.client.HTTPConnection):
    """Head and body of a request leave in one send: a service would wake twice for two."""

    response_class = Response  # type: ignore[assignment]  # as much of one as is used

    def __init__(self, host: str, port: int, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._pieces: list[bytes] = []

    def send(self, data: Any) -> None:
        self._pieces.append(data)

    def flush(self) -> None:
        self.sock.sendall(b"".join(self._pieces))
        self._pieces.clear()


class Connections:
    """Any number at a time, of which ``KEPT`` are kept while nobody uses them."""

    def __init__(self, url: str, connect_seconds: float) -> None:
        """Raise ValueError for a URL that is not plain HTTP."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"not plain HTTP: {url}")
        self._host, self._port, self._prefix = parts.hostname, parts.port or 80, parts.path
        self._connect_seconds = connect_seconds
        self._idle: list[_Connection] = []

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> Answer:
        """Send one request and read all of its answer.

        ``timeout`` is how many seconds the service may be silent. Raises TimeoutError, another OSError, or
        HTTPException for an answer that is none.
        """
        connection = self._take()
        try:
            connection.sock.settimeout(timeout)
            connection.request(method, self._prefix + target, body, headers)
            connection.flush()
            response: Any = connection.getresponse()
            answer: Answer = response.answer
        except BaseException:
            connection.close()
            raise
        if response.will_close or len(self._idle) >= KEPT:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def _take(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if _quiet(connection.sock):
                return connection
            connection.close()
        connection = _Connection(self._host, self._port, self._connect_seconds)
        connection.connect()
        return connection


def _quiet(sock: socket.socket) -> bool:
    """Whether a kept connection is as it was left: one that has something to read was closed by its service."""
    sock.settimeout(0.0)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False

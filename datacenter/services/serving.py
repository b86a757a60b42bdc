"""Serve the services: one loopback port each, all in one gevent process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

from gevent.pywsgi import WSGIHandler, WSGIServer

Environ = dict[str, Any]
Application = Callable[..., Iterable[bytes]]
Upgrade = Callable[[Environ, socket.socket], None]

SMALL = 65536
"""Bodies up to this many bytes leave in one packet train with their headers."""


class Handler(WSGIHandler):
    """pywsgi's handler without an access log, with one write per small answer, and with WebSocket upgrades."""

    def log_request(self) -> None:
        """Say nothing: request bodies and queries hold customers' data."""

    def run_application(self) -> None:
        upgrade = self.server.upgrade
        if upgrade is None or self.environ.get("HTTP_UPGRADE", "").lower() != "websocket":
            super().run_application()
            return
        self.close_connection = True
        upgrade(self.environ, self.socket)

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


class Server(WSGIServer):
    """A service on one loopback port."""

    handler_class = Handler

    def __init__(self, port: int, application: Application, upgrade: Upgrade | None = None) -> None:
        super().__init__(("127.0.0.1", port), application, log=None)
        self.upgrade = upgrade

    def init_socket(self) -> None:
        """Switch Nagle's algorithm off on the listener; accepted sockets inherit that."""
        super().init_socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

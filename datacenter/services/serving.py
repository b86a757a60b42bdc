"""Serve the services: one loopback port each, all in one gevent process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

from gevent.pywsgi import WSGIServer

from datacenter.handler import Handler

Environ = dict[str, Any]
Application = Callable[..., Iterable[bytes]]
Upgrade = Callable[[Environ, socket.socket], None]


class UpgradingHandler(Handler):
    """Hands connections that want to speak WebSocket to the server's ``upgrade``."""

    def run_application(self) -> None:
        upgrade = self.server.upgrade
        if upgrade is None or self.environ.get("HTTP_UPGRADE", "").lower() != "websocket":
            super().run_application()
            return
        self.close_connection = True
        upgrade(self.environ, self.socket)


class Server(WSGIServer):
    """A service on one loopback port."""

    handler_class = UpgradingHandler

    def __init__(self, port: int, application: Application, upgrade: Upgrade | None = None) -> None:
        super().__init__(("127.0.0.1", port), application, log=None)
        self.upgrade = upgrade

    def init_socket(self) -> None:
        """Switch Nagle's algorithm off on the listener; accepted sockets inherit that."""
        super().init_socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

"""VMAPI's changefeed, version 1: a websocket that tells which VMs changed. Facts: sdc-apis 2.

Delivery is best effort: nothing is replayed, items may come twice and in any order. Whoever listens re-lists
after every connection.
"""

from __future__ import annotations

import socket
import uuid
from collections import deque
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, RejectConnection, Request, TextMessage
from wsproto.utilities import ProtocolError

from sdc.errors import SdcUnavailable

HEARTBEAT_SECONDS = 27.8
LOST_MILLISECONDS = 30_000
"""After which a heartbeat that the other machine has not acknowledged ends the connection; TCP would try for 15 min."""
CONNECT_SECONDS = 5.0
SUB_RESOURCES = ("alias", "state", "nics", "destroyed", "tags", "internal_metadata", "server_uuid")

Item = dict[str, Any]


class Changefeed:
    """One registered listener. ``items`` blocks; ``close`` from elsewhere ends it."""

    def __init__(self, url: str, *, service: str = "docker", instance: str = "") -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 80
        self._registration = {
            "instance": instance or str(uuid.uuid4()),
            "service": service,
            "changeKind": {"resource": "vm", "subResources": list(SUB_RESOURCES)},
        }
        self._socket: socket.socket | None = None
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Event] = deque()
        self._text = ""

    def __enter__(self) -> Self:
        """Connect and register. Raises SdcUnavailable."""
        try:
            self._socket = socket.create_connection((self._host, self._port), timeout=CONNECT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_MILLISECONDS)
            version = (b"accept-version", b"~1")
            request = Request(host=f"{self._host}:{self._port}", target="/changefeeds", extra_headers=[version])
            self._send(request)
            self._await_answer()
        except SdcUnavailable:
            self.close()
            raise
        except (OSError, ProtocolError) as error:
            self.close()
            raise _lost(str(error)) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _await_answer(self) -> None:
        """Wait for the upgrade, register, and wait until the registration is answered."""
        while True:
            event = self._next()
            if isinstance(event, AcceptConnection):
                self._send(TextMessage(data=msgspec.json.encode(self._registration).decode()))
            elif isinstance(event, (RejectConnection, CloseConnection)):
                raise _lost("refused")
            elif self._message(event) is not None:
                return

    def items(self) -> Iterator[Item]:
        """Yield changes as they come, sending heartbeats. Raises SdcUnavailable when the connection is lost."""
        connection = self._connected()
        connection.settimeout(HEARTBEAT_SECONDS)
        try:
            while True:
                try:
                    event = self._next()
                except TimeoutError:
                    self._send(TextMessage(data="heartbeat"))
                    continue
                if isinstance(event, Ping):
                    self._send(event.response())
                elif isinstance(event, CloseConnection):
                    raise _lost("closed")
                elif (message := self._message(event)) is not None:
                    yield msgspec.json.decode(message)
        except (OSError, ProtocolError, msgspec.DecodeError) as error:
            raise _lost(str(error)) from error

    def _message(self, event: Event) -> str | None:
        """Collect the fragments of a text message; None until one is whole."""
        if not isinstance(event, TextMessage):
            return None
        self._text += event.data
        if not event.message_finished:
            return None
        whole, self._text = self._text, ""
        return whole

    def _next(self) -> Event:
        """Return the next event; several may have come in one piece."""
        while not self._events:
            data = self._connected().recv(65536)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            self._websocket.receive_data(data)
            self._events.extend(self._websocket.events())
        return self._events.popleft()

    def _send(self, event: Event) -> None:
        self._connected().sendall(self._websocket.send(event))

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionResetError("not connected")
        return self._socket

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _lost(reason: str) -> SdcUnavailable:
    return SdcUnavailable("vmapi", 503, "ServiceUnavailable", f"changefeed: {reason}")

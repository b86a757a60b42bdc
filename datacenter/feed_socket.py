"""One listener of the change feed on its WebSocket: register, then receive items."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import Any

import gevent
import msgspec
from gevent.queue import Full, Queue
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, TextMessage
from wsproto.utilities import ProtocolError

from datacenter.changefeed import Changefeed, Listener

Doc = dict[str, Any]
Environ = dict[str, Any]

BACKLOG = 4096
"""Items a listener may lag behind before it is cut off; it reconnects and lists the things anew."""
CHUNK = 65536
BAD_REGISTRATION, REPLACED = 1008, 1000
VERSION_2 = re.compile(r"[~^]?2(\.|$)")


class RegistrationError(ValueError):
    """A first frame that is no registration."""


class FeedSocket:
    """Speak the feed's protocol, version 1 or 2, on a connection that asked for an upgrade."""

    def __init__(self, feed: Changefeed, environ: Environ, sock: socket.socket) -> None:
        self._feed = feed
        self._sock = sock
        self._version2 = VERSION_2.match(environ.get("HTTP_ACCEPT_VERSION", "").strip()) is not None
        self._ws = WSConnection(ConnectionType.SERVER)
        headers = [
            (name[5:].replace("_", "-").lower().encode(), str(value).encode("latin-1"))
            for name, value in environ.items()
            if name.startswith("HTTP_")
        ]
        self._ws.initiate_upgrade_connection(headers, environ.get("PATH_INFO", "/"))
        self._out: Queue = Queue(BACKLOG)
        self._listener: Listener | None = None
        self._text = ""

    def run(self) -> None:
        """Serve until either side closes. The caller owns the socket."""
        writer = gevent.spawn(self._write)
        try:
            self._send(AcceptConnection())
            while self._read():
                pass
        except (OSError, ProtocolError):
            pass  # the listener has gone or talks nonsense: either way it is over
        finally:
            if self._listener is not None:
                self._feed.unsubscribe(self._listener)
            with suppress(Full):  # then the writer is stuck, or has gone
                self._out.put_nowait(None)
            writer.join(timeout=5)
            writer.kill()

    def _read(self) -> bool:
        """Take in what the listener sends; False when the conversation is over."""
        data = self._sock.recv(CHUNK)
        self._ws.receive_data(data or None)
        for event in self._ws.events():
            if isinstance(event, CloseConnection):
                if data:
                    self._send(event.response())
                return False
            if isinstance(event, Ping):
                self._send(event.response())
            elif isinstance(event, Message) and self._listener is None and not self._take(event):
                return False
        return bool(data)

    def _take(self, event: Message[Any]) -> bool:
        """Collect the registration; what comes after it are heartbeats, which nobody answers."""
        self._text += event.data if isinstance(event.data, str) else event.data.decode("utf-8", "replace")
        if len(self._text) > CHUNK:
            raise ProtocolError
        if not event.message_finished:
            return True
        try:
            self._listener = self._register(self._text)
        except RegistrationError as error:
            self._send(CloseConnection(code=BAD_REGISTRATION, reason=str(error)))
            return False
        self._feed.subscribe(self._listener)
        return True

    def _register(self, text: str) -> Listener:
        try:
            asked = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise RegistrationError("registration is not JSON") from error
        if not isinstance(asked, dict) or not all(isinstance(asked.get(key), str) for key in ("instance", "service")):
            raise RegistrationError("registration needs instance and service")
        kinds = asked.get("resources") if self._version2 else [asked.get("changeKind")]
        if not isinstance(kinds, list) or not kinds:
            raise RegistrationError("registration names no resource")
        wanted: set[tuple[str, str]] = set()
        for kind in kinds:
            wanted |= self._parts(kind)
        names = dict.fromkeys(kind["resource"] for kind in kinds)
        ways = [self._feed.resources[name].bootstrap_route for name in names]
        answer: Doc = {"bootstrapRoutes": ways} if self._version2 else {**kinds[0], "bootstrapRoute": ways[0]}
        self._send(TextMessage(data=msgspec.json.encode(answer).decode()))
        return Listener(asked["instance"], asked["service"], frozenset(wanted), self._deliver, self._dismiss)

    def _parts(self, kind: Any) -> set[tuple[str, str]]:
        """The parts of one resource that a registration names. Raises RegistrationError."""
        resource = self._feed.resources.get(str(kind.get("resource"))) if isinstance(kind, dict) else None
        if resource is None:
            raise RegistrationError(f"unknown resource; there is: {', '.join(self._feed.resources)}")
        wanted, known = kind.get("subResources"), resource.sub_resources
        if not isinstance(wanted, list) or not wanted or not all(name in known for name in wanted):
            raise RegistrationError(f"unknown subResources; there are: {', '.join(known)}")
        return {(resource.name, name) for name in wanted}

    def _dismiss(self) -> None:
        """Say goodbye: another connection of the same instance gets the items now."""
        self._send(CloseConnection(code=REPLACED, reason="another listener has registered this instance"))

    def _deliver(self, item: Doc) -> None:
        try:
            self._out.put_nowait(self._ws.send(TextMessage(data=msgspec.json.encode(item).decode())))
        except Full:
            if self._listener is not None:
                self._feed.unsubscribe(self._listener)
            self._sock.shutdown(socket.SHUT_RDWR)

    def _send(self, event: Any) -> None:
        self._out.put(self._ws.send(event))

    def _write(self) -> None:
        """Send what is queued, in order: only this greenlet writes to the socket."""
        while (data := self._out.get()) is not None:
            try:
                self._sock.sendall(data)
            except OSError:
                return

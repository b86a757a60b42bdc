"""Follow VMAPI's change feed for VMs of other nodes that have names. Facts: sdc-apis 2."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import gevent
import msgspec
from gevent import socket
from gevent.event import Event as Signal
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, Ping, Request, TextMessage
from wsproto.utilities import ProtocolError

from datacenter.node.names.book import NameBook
from datacenter.node.service import Service

WATCHED = ("alias", "state", "nics", "destroyed", "internal_metadata", "owner_uuid", "server_uuid")
HEARTBEAT = 27.8
CONNECT_WITHIN = 5.0
CHUNK = 65536
PAGE = 1000
FIRST_RETRY, LAST_RETRY = 0.1, 2.0
LOST = (OSError, ProtocolError, msgspec.DecodeError)

Vm = dict[str, Any]


class Feed:
    """Keeps the book's VMs of other nodes as VMAPI knows them; what was known stays while VMAPI is away."""

    def __init__(self, url: str, server_uuid: str, book: NameBook) -> None:
        self._url = url
        self._server_uuid = server_uuid
        self._book = book
        self._follower: gevent.Greenlet | None = None
        self.ready = Signal()
        """Set when the VMs are known, or when VMAPI turned out to be away."""

    def begin(self) -> None:
        """Follow from now on, unless it does already: a node without names on networks costs VMAPI nothing."""
        if self._follower is None:
            self._follower = gevent.spawn(self._follow)

    def end(self) -> None:
        """Follow no more."""
        if self._follower is not None:
            self._follower.kill()
            self._follower = None

    def _follow(self) -> None:
        pause = FIRST_RETRY
        while True:
            try:
                with Listener(self._url, f"names-{self._server_uuid}") as listener:
                    self._take_all()
                    self.ready.set()
                    pause = FIRST_RETRY
                    for vm in listener.changes():
                        self._take(vm)
            except LOST:
                pass  # VMAPI is restarting: all is read again
            self.ready.set()
            gevent.sleep(pause)
            pause = min(pause * 2, LAST_RETRY)

    def _take_all(self) -> None:
        service = Service(self._url)
        vms: list[Vm] = []
        while True:
            page: list[Vm] = service.call("GET", f"/vms?{urlencode({'state': 'running', 'offset': len(vms)})}")
            vms += page
            if len(page) < PAGE:
                break
        service.close()
        self._book.clear()
        for vm in vms:
            self._take(vm)

    def _take(self, vm: Vm) -> None:
        if vm.get("server_uuid") == self._server_uuid:
            self._book.drop(str(vm["uuid"]))
        else:
            self._book.put(vm)


class Listener:
    """One registered connection to the feed. Raises what ``LOST`` lists."""

    def __init__(self, url: str, instance: str) -> None:
        parts = urlsplit(url)
        self._place = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._instance = instance
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Event] = deque()
        self._text = ""

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(self._place, timeout=CONNECT_WITHIN)
        try:
            version = (b"accept-version", b"~1")
            self._send(Request(host="{}:{}".format(*self._place), target="/changefeeds", extra_headers=[version]))
            self._expect(AcceptConnection)
            kind = {"resource": "vm", "subResources": list(WATCHED)}
            self._tell({"instance": self._instance, "service": "names", "changeKind": kind})
            self._message()  # the registration's answer
        except BaseException:
            self._socket.close()
            raise
        self._socket.settimeout(HEARTBEAT)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def changes(self) -> Iterator[Vm]:
        """Changed VMs, as they are then. Ends by raising."""
        while True:
            try:
                item = msgspec.json.decode(self._message())
            except TimeoutError:
                self._send(TextMessage(data="heartbeat"))
                continue
            if isinstance(item.get("resourceObject"), dict):
                yield item["resourceObject"]

    def _expect(self, kind: type[Event]) -> None:
        if not isinstance(self._next(), kind):
            raise ConnectionError("the feed refuses")

    def _message(self) -> str:
        while True:
            event = self._next()
            if isinstance(event, Ping):
                self._send(event.response())
            elif not isinstance(event, TextMessage):
                raise ConnectionError("the feed ends")
            else:
                self._text += event.data
                if event.message_finished:
                    whole, self._text = self._text, ""
                    return whole

    def _next(self) -> Event:
        while not self._events:
            data = self._socket.recv(CHUNK)
            if not data:
                raise ConnectionResetError("the feed has closed the connection")
            self._websocket.receive_data(data)
            self._events.extend(self._websocket.events())
        return self._events.popleft()

    def _tell(self, what: dict[str, Any]) -> None:
        self._send(TextMessage(data=msgspec.json.encode(what).decode()))

    def _send(self, event: Event) -> None:
        self._socket.sendall(self._websocket.send(event))

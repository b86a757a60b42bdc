"""A client's connection, from greenlet to greenlet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gevent import socket
from gevent.event import Event

from gateway.wire.http1 import RequestParser
from gateway.wire.peer import Peer
from gateway.wire.tls import TLSSocket


@dataclass(slots=True)
class Connection:
    """What serving one connection takes. ``server`` and ``address`` are its two ends, as sockets name them."""

    server: Any
    sock: Any
    address: Any
    peer: Peer
    parser: RequestParser

    def outlive_greenlet(self) -> None:
        """Move to a socket object of our own: the server closes the one that it has accepted when its greenlet ends.

        The last request is forgotten; what the client has sent behind it is not.
        """
        if isinstance(self.sock, TLSSocket):
            self.sock.move(moved)
        else:
            self.sock = self.parser.unreader.sock = moved(self.sock)
        self.parser.mesg = None


def moved(sock: socket.socket) -> socket.socket:
    """Return the same connection as another object; the first one is closed now, but its descriptor is not."""
    family, kind, protocol = sock.family, sock.type, sock.proto
    return socket.socket(family, kind, protocol, fileno=sock.detach())


class StandIn:
    """One greenlet in the server's pool for all streams that rest: a worker that stops waits for the pool."""

    def __init__(self) -> None:
        self._resting = 0
        self._standing = False
        self._none_rests = Event()

    def lies_down(self) -> None:
        self._resting += 1
        self._none_rests.clear()

    def gets_up(self) -> None:
        self._resting -= 1
        if not self._resting:
            self._none_rests.set()

    def stand(self) -> None:
        """Stay until nobody rests, unless somebody stands here already."""
        if self._standing:
            return
        self._standing = True
        try:
            while self._resting:
                self._none_rests.wait()
        finally:
            self._standing = False

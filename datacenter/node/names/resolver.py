"""A resolver in a zone's network namespace, at Docker's address: two sockets of the agent's, and no process.

It listens on a port of its own, to which the namespace's rules lead, so that 53 is free for the container's programs.
The rules change ports without keeping track of connections.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gevent
from gevent import socket
from gevent.pool import Pool
from gevent.server import DatagramServer, StreamServer

from datacenter.node import netlink
from datacenter.node.names.upstream import receive_framed, send_framed

ADDRESS = "127.0.0.11"
PORT = 61053
"""Above those that the kernel gives away by itself."""
RULES = f"""
table ip tdg_names
delete table ip tdg_names
table ip tdg_names {{
  chain own {{
    type filter hook output priority raw; policy accept;
    ip daddr {ADDRESS} udp dport 53 udp dport set {PORT}
    ip daddr {ADDRESS} tcp dport 53 tcp dport set {PORT}
    ip saddr {ADDRESS} udp sport {PORT} udp sport set 53
    ip saddr {ADDRESS} tcp sport {PORT} tcp sport set 53
  }}
}}
"""
"""For nft, in the namespace."""
AT_ONCE = 64
"""Queries of one zone that are worked on at the same time; more wait in its socket."""
CONNECTIONS = 16
PER_SECOND = 1000
"""Queries of one zone that are answered in a second, as the agent has other things to do: each keeps its place for a
moment after its answer was sent, so that only those who ask faster are slowed down."""
IDLE = 10.0
"""Seconds a TCP connection may be silent."""

Answer = Callable[[bytes, bool], bytes]
"""Takes a query and whether it came by TCP; empty when it deserves no answer."""


class Resolver:
    """Takes queries in a namespace and sends the answers. Raises OSError when it cannot listen there."""

    def __init__(self, namespace: Path, answer: Answer) -> None:
        self._answer = answer
        with netlink.inside(namespace):
            datagrams, stream = _bound(socket.SOCK_DGRAM), _bound(socket.SOCK_STREAM)
        stream.listen(CONNECTIONS)
        self._udp = DatagramServer(datagrams, self._datagram, spawn=Pool(AT_ONCE))
        self._tcp = StreamServer(stream, self._connection, spawn=Pool(CONNECTIONS))
        self._udp.start()
        self._tcp.start()

    def close(self) -> None:
        """Let go of the sockets, and of queries under way."""
        for server in (self._udp, self._tcp):
            server.stop(timeout=0)

    def _datagram(self, data: bytes, address: tuple[str, int]) -> None:
        reply = self._answer(data, False)
        if reply and not self._udp.closed:
            try:
                self._udp.socket.sendto(reply, address)
            except OSError:
                pass  # who asked has gone
        gevent.sleep(AT_ONCE / PER_SECOND)

    def _connection(self, connection: socket.socket, _: tuple[str, int]) -> None:
        connection.settimeout(IDLE)
        try:
            while data := receive_framed(connection):
                reply = self._answer(data, True)
                if not reply:
                    return
                send_framed(connection, reply)
                gevent.sleep(CONNECTIONS / PER_SECOND)
        except OSError:
            pass  # who asked has gone, or has nothing more to ask


def _bound(kind: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, kind)
    if kind == socket.SOCK_STREAM:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last agent's connections may still linger
    found.bind((ADDRESS, PORT))
    return found

"""Ask other name servers on behalf of a container, out of its own network, as it would itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import dns.rcode
import gevent
from gevent import socket

from datacenter.node import netlink
from datacenter.node.names.answers import LARGEST, Query

PATIENCE = 4.0
"""Seconds for one server."""
PORT = 53
_BAD = frozenset({dns.rcode.SERVFAIL, dns.rcode.REFUSED})


def ask(query: Query, servers: Iterable[str], namespace: Path) -> bytes:
    """Pass a query on, to one server after the other until one has an answer; SERVFAIL when none has.

    What a container cannot reach, it cannot ask: on internal networks nobody is asked.
    """
    last = b""
    for server in servers:
        reply = _ask_one(query, server, namespace)
        if reply and reply[3] & 0x0F not in _BAD:
            return reply
        last = reply or last
    return last or query.failure()


def _ask_one(query: Query, server: str, namespace: Path) -> bytes:
    """A server's answer; empty when it has none in time, or is out of reach."""
    try:
        with gevent.Timeout(PATIENCE, False), _socket(server, namespace, tcp=query.tcp) as connection:
            connection.connect((server, PORT))
            return _over_tcp(connection, query) if query.tcp else _over_udp(connection, query)
    except OSError:
        pass
    return b""


def _socket(server: str, namespace: Path, *, tcp: bool) -> socket.socket:
    """A socket that stays in the container's network."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with netlink.inside(namespace):
        return socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)


def _over_udp(connection: socket.socket, query: Query) -> bytes:
    connection.send(query.data)
    while True:
        reply: bytes = connection.recv(LARGEST)
        if query.matches(reply):
            return reply


def _over_tcp(connection: socket.socket, query: Query) -> bytes:
    send_framed(connection, query.data)
    reply = receive_framed(connection)
    return reply if query.matches(reply) else b""


def send_framed(connection: socket.socket, data: bytes) -> None:
    """Send one message as DNS over TCP does, its length first."""
    connection.sendall(len(data).to_bytes(2, "big") + data)


def receive_framed(connection: socket.socket) -> bytes:
    """Receive one message; empty at the end of the connection."""
    size = int.from_bytes(_exactly(connection, 2), "big")
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return b""
        data += part
    return data

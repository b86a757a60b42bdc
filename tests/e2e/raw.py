"""Docker's API without a client: every byte of a reply, over the gateway's unix socket."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
_FRAME = struct.Struct(">BxxxL")


@dataclass
class Raw:
    """A reply. ``data`` is all that came until the end, behind an upgrade too."""

    status: int
    headers: Mapping[str, str]
    data: bytes


def ask(sock: Path, method: str, target: str, data: bytes, headers: Mapping[str, str]) -> Raw:
    """Ask on a connection of its own; after an upgrade the client says nothing and reads to the end."""
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(60)
    connection.sock.connect(str(sock))
    stream = connection.sock.makefile("rb")
    try:
        connection.request(method, target, data or None, {"Connection": "close", **headers})
        if headers.get("Upgrade"):
            status, told = int(stream.readline().split()[1]), http.client.parse_headers(stream)
            size = told.get("Content-Length")
            return Raw(status, told, stream.read(int(size) if size else -1))
        reply = connection.getresponse()
        return Raw(reply.status, reply.headers, reply.read())
    finally:
        stream.close()
        connection.close()


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Take multiplexed output apart: 1 is stdout, 2 stderr. Raises ValueError where it is none."""
    while data:
        if len(data) < _FRAME.size:
            raise ValueError(f"a broken header: {data!r}")
        kind, size = _FRAME.unpack_from(data)
        payload, data = data[_FRAME.size : _FRAME.size + size], data[_FRAME.size + size :]
        if kind not in (1, 2) or len(payload) != size:
            raise ValueError(f"no frame: {kind} {size} {payload[:80]!r}")
        yield kind, payload

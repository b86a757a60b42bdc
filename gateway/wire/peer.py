"""Who is at the other end of a connection, as far as bytes can tell."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

PEER = "gateway.peer"
"""The key of the WSGI environ under which every request carries its connection's ``Peer``."""

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """The far end of one connection; all requests of the connection share one object.

    ``address`` is ``host:port``, or the path of the unix socket that was connected to.
    ``certificate`` is the DER of the certificate whose key the client proved to hold (TLS only, None
    when it showed none). ``uid`` is the user of the process that connected to a unix socket, as the
    kernel saw it.
    """

    transport: Literal["tls", "tcp", "unix"]
    address: str = ""
    certificate: bytes | None = None
    uid: int | None = None


def unix_peer(sock: Any) -> Peer:
    """Ask the kernel who connected to a unix socket."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    return Peer("unix", address=str(sock.getsockname()), uid=uid)


def address_of(addr: Any) -> str:
    """Write a TCP address as ``host:port``, IPv6 in brackets."""
    host, port = addr[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def peer_of(environ: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request's ``Peer``; without our worker (tests) a plain TCP client."""
    peer = environ.get(PEER) or Peer("tcp", address=str(environ.get("REMOTE_ADDR", "")))
    return {
        "transport": peer.transport,
        "address": peer.address,
        "certificate": peer.certificate,
        "uid": peer.uid,
    }

"""The compute node's sockets for archives and stats: plain bytes, the end is the end of the connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sdc.errors import SdcError, SdcUnavailable
from sdc.stdio import open_socket

_CHUNK = 256 * 1024
_IDLE_SECONDS = 120.0


def receive(answer: dict[str, Any]) -> Iterator[bytes]:
    """Connect at once, and yield what the node sends until its end.

    Raises SdcUnavailable when it cannot be reached, when the connection breaks and after two silent minutes.
    """
    sock = open_socket(answer)
    sock.settimeout(_IDLE_SECONDS)

    def chunks() -> Iterator[bytes]:
        with sock:
            while True:
                try:
                    data = sock.recv(_CHUNK)
                except OSError as error:
                    raise SdcUnavailable("cn-agent", 502, "StreamLost", str(error)) from error
                if not data:
                    return
                yield data

    return chunks()


def documents(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Connect at once, and yield the JSON objects that the node sends, one a line."""
    incoming = receive(answer)

    def decoded() -> Iterator[dict[str, Any]]:
        pending = b""
        for data in incoming:
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                if line.strip():
                    yield msgspec.json.decode(line)

    return decoded()


def send(answer: dict[str, Any], source: Iterable[bytes]) -> None:
    """Send all there is, then wait until the node has taken it in.

    A node that was asked to report says how it went before it closes; others close, whatever happened.
    Raises SdcError with the node's code, and SdcUnavailable when the connection breaks.
    """
    with open_socket(answer) as sock:
        try:
            for data in source:
                sock.sendall(data)
            sock.shutdown(1)
            report = b"".join(iter(lambda: sock.recv(_CHUNK), b""))
        except OSError as error:
            raise SdcUnavailable("cn-agent", 502, "StreamLost", str(error)) from error
    failure = (msgspec.json.decode(report) if report.strip() else {}).get("error")
    if failure:
        raise SdcError("cn-agent", 400, failure["restCode"], failure["message"])

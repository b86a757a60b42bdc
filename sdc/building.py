"""The compute node's event channel for builds and commits: JSON lines, both ways. Facts: sdc-apis 5.6.

The node tells what it does and asks for what only the gateway can do; an answer carries the event's ``messageId``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Self

import msgspec

from sdc.errors import SdcUnavailable
from sdc.stdio import open_socket

Event = dict[str, Any]

_RECEIVE = 64 * 1024


class BuildChannel:
    """A connection to what docker-build answered. Leaving it makes the node give up and clean up."""

    def __init__(self, answer: Mapping[str, Any], *, idle: float) -> None:
        """Connect at once; ``idle`` is how many seconds the node may say nothing. Raises SdcUnavailable."""
        self._sock = open_socket(dict(answer))
        self._sock.settimeout(idle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave, also while another greenlet waits for an event: it meets the end."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def events(self) -> Iterator[Event]:
        """Yield events up to the last, of type ``end``. Raises SdcUnavailable when it does not come."""
        pending = b""
        while True:
            try:
                data = self._sock.recv(_RECEIVE)
            except OSError as error:
                raise _lost(error) from error
            if not data:
                raise _lost("the compute node broke off")
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                if not line.strip():
                    continue
                event = msgspec.json.decode(line, type=Event)
                yield event
                if event.get("type") == "end":
                    return

    def answer(self, event: Event, result: Any = None) -> None:
        self._reply(event, {} if result is None else {"result": result})

    def refuse(self, event: Event, reason: str) -> None:
        """Say why what was asked cannot be; the node fails, cleans up and ends."""
        self._reply(event, {"error": reason})

    def _reply(self, event: Event, content: dict[str, Any]) -> None:
        line = msgspec.json.encode({"messageId": event.get("messageId"), "type": "callback", **content})
        try:
            self._sock.sendall(line + b"\n")
        except OSError as error:
            raise _lost(error) from error


def _lost(reason: object) -> SdcUnavailable:
    return SdcUnavailable("cn-agent", 502, "StreamLost", str(reason))

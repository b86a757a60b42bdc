"""The event channel of a build: one JSON object a line, both ways. Facts: sdc-apis 5.6."""

from __future__ import annotations

from typing import Any

import gevent
import msgspec
from gevent import socket
from gevent.event import AsyncResult

_RECEIVE = 64 * 1024
_LONGEST_LINE = 32 * 1024 * 1024


class BuildError(Exception):
    """The build fails; the sentence is for its user. ``details`` go with the last event: an exit code, say."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ClientGone(Exception):
    """Nobody waits for the build any more."""


class Channel:
    """The node's end. Events are told, or asked and answered by a callback with the same ``messageId``.

    ``left`` is a greenlet that ends when the client is gone.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._last = -1
        self._asked: dict[int, AsyncResult] = {}
        self.left = gevent.spawn(self._listen)

    def tell(self, kind: str, **fields: Any) -> int:
        """Send an event that nobody answers; its number. Raises ClientGone."""
        self._last += 1
        line = msgspec.json.encode({**fields, "type": kind, "messageId": self._last})
        try:
            self._connection.sendall(line + b"\n")
        except OSError as error:
            raise ClientGone from error
        return self._last

    def ask(self, kind: str, **fields: Any) -> Any:
        """Send an event and wait for its result. Raises BuildError with the client's refusal, and ClientGone."""
        answer = AsyncResult()
        self._asked[self._last + 1] = answer
        if self.left.ready():
            raise ClientGone
        self.tell(kind, **fields)
        return answer.get()

    def close(self) -> None:
        self.left.kill()

    def _listen(self) -> None:
        try:
            self._read()
        except (OSError, msgspec.DecodeError):
            pass  # broken, or it speaks something else: gone in either case
        finally:
            for answer in self._asked.values():
                answer.set_exception(ClientGone())

    def _read(self) -> None:
        pending = b""
        while (data := self._connection.recv(_RECEIVE)) and len(pending) < _LONGEST_LINE:
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                if line.strip():
                    self._answered(msgspec.json.decode(line, type=dict[str, Any]))

    def _answered(self, reply: dict[str, Any]) -> None:
        answer = self._asked.pop(reply.get("messageId", -1), None)
        if answer is None or reply.get("type") != "callback":
            return
        if reply.get("error"):
            answer.set_exception(BuildError(str(reply["error"])))
        else:
            answer.set(reply.get("result"))

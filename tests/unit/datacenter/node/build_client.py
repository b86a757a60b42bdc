"""The gateway's end of a build's event channel, for tests."""

from __future__ import annotations

import json
import socket


class Events:
    """Connects to what docker_build answered; ``answers`` are results by type of event, or exceptions' words."""

    def __init__(self, answer: dict) -> None:
        self._socket = socket.create_connection((answer["host"], answer["port"]), timeout=30)
        self._lines = self._socket.makefile("rb")

    def next(self) -> dict:
        line = self._lines.readline()
        return json.loads(line) if line else {}

    def answer(self, event: dict, **content) -> None:
        line = {"messageId": event["messageId"], "type": "callback", **content}
        self._socket.sendall(json.dumps(line).encode() + b"\n")

    def run(self, **answers) -> list[dict]:
        """Answer everything that wants an answer; return all events."""
        events = []
        while event := self.next():
            events.append(event)
            if event["type"] not in {"message", "stdout", "end"}:
                found = answers.get(event["type"])
                content = found(event) if callable(found) else {"result": found} if found else {}
                self.answer(event, **content)
        return events

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

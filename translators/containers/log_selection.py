"""Choosing lines of a log in the gateway, for nodes that can only send all of it."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_HEADER = struct.Struct(">BxxxL")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSelection:
    """What the client asked for. Times are epoch seconds; ``tail`` None means all."""

    stdout: bool = True
    stderr: bool = True
    since: float | None = None
    until: float | None = None
    timestamps: bool = False
    follow: bool = False
    tail: int | None = None

    def wants(self, kind: str, moment: float | None) -> bool:
        if not (self.stderr if kind == "stderr" else self.stdout):
            return False
        if moment is None:
            return True
        if self.since is not None and moment < self.since:
            return False
        return self.until is None or moment <= self.until


def select(messages: Iterable[dict[str, Any]], selection: LogSelection, *, framed: bool) -> Iterator[bytes]:
    """Yield the chosen lines of a node's log messages, each of which begins with its time and a blank.

    A tail of a followed log is cut off by the line whose time is not before now: what came before is history.
    """
    began = datetime.now().astimezone().timestamp()
    kept: deque[bytes] | None = None if selection.tail is None else deque(maxlen=selection.tail)
    for message in messages:
        kind = str(message.get("type"))
        if kind not in {"stdout", "stderr", "tty"}:
            continue
        stamp, _, text = str(message.get("data", "")).partition(" ")
        moment = _seconds(stamp)
        if not selection.wants(kind, moment):
            continue
        payload = (f"{stamp} {text}" if selection.timestamps else text).encode()
        line = _HEADER.pack(2 if kind == "stderr" else 1, len(payload)) + payload if framed else payload
        if kept is not None and selection.follow and moment is not None and moment >= began:
            yield from kept
            kept = None
        if kept is None:
            yield line
        else:
            kept.append(line)
    yield from kept or ()


def _seconds(stamp: str) -> float | None:
    """Read RFC 3339 with up to nanoseconds; None when it is something else."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None

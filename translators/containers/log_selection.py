"""Choosing lines of a log in the gateway, for nodes that can only send all of it."""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_HEADER = struct.Struct(">BxxxL")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSelection:
    """What the client asked for. Times are epoch seconds, decimal since floats lose nanoseconds; ``tail`` None: all."""

    stdout: bool = True
    stderr: bool = True
    since: Decimal | None = None
    until: Decimal | None = None
    timestamps: bool = False
    follow: bool = False
    tail: int | None = None

    def wants(self, kind: str, moment: Decimal | None) -> bool:
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
        moment = epoch_seconds(stamp)
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


def epoch_seconds(stamp: str) -> Decimal | None:
    """Read RFC 3339 to the nanosecond, without a zone as UTC; None when it is something else."""
    found = _RFC3339.fullmatch(stamp)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]}{found[3] or 'Z'}".upper())
    except ValueError:
        return None
    return int((moment - _EPOCH).total_seconds()) + Decimal(found[2] or 0)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

"""Times as the SDC services write them: ISO 8601 in UTC with milliseconds and a Z."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

MICROSECONDS = 1_000_000


def iso(seconds: float | None = None) -> str:
    """Write an epoch time, by default the present, as ``2026-11-23T18:00:00.000Z``; such texts sort by time."""
    moment = time.time() if seconds is None else seconds
    whole, rest = divmod(round(moment * MICROSECONDS), MICROSECONDS)
    return f"{_to_the_second(whole)}.{rest // 1000:03d}Z"


@lru_cache(maxsize=64)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def epoch(text: str) -> float:
    """Read an ISO time back into epoch seconds. Raises ValueError on anything else."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

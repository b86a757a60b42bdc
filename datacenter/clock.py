"""Times as the SDC services write them: ISO 8601 in UTC with milliseconds and a Z."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def iso(seconds: float | None = None) -> str:
    """Write an epoch time, by default the present, as ``2026-11-23T18:00:00.000Z``; such texts sort by time."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch(text: str) -> float:
    """Read an ISO time back into epoch seconds. Raises ValueError on anything else."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

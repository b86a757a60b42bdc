"""Durations as Docker says them: ``About a minute``, ``3 weeks``."""

from __future__ import annotations

from datetime import UTC, datetime

_HOUR, _DAY = 3600, 86400


def human_duration(seconds: float) -> str:
    """Say a duration the way docker/go-units does; cut off, save for hours, which are rounded."""
    whole = int(seconds)
    hours = int(seconds / _HOUR + 0.5)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if whole < _HOUR:
        return "About a minute" if whole < 120 else f"{whole // 60} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for days, name in ((14, "days"), (60, "weeks"), (730, "months")):
        if hours < 24 * days:
            return f"{hours // 24 // {'days': 1, 'weeks': 7, 'months': 30}[name]} {name}"
    return f"{hours // 24 // 365} years"


def epoch(timestamp: object) -> float:
    """Read an ISO timestamp of SDC into epoch seconds; 0 when there is none."""
    try:
        return datetime.fromisoformat(str(timestamp)).astimezone(UTC).timestamp()
    except ValueError:
        return 0.0

"""What a simulated container's program would do: how long it runs, what signals do to it, which code it leaves."""

from __future__ import annotations

import math
from typing import Any

import msgspec

ENDS = {"true": 0, "false": 1}
FATAL = {"SIGHUP": 129, "SIGINT": 130, "SIGQUIT": 131, "SIGKILL": 137, "SIGTERM": 143}
"""Exit codes by the signals that end a program; it takes no notice of others."""
NUMBERS = {"1": "SIGHUP", "2": "SIGINT", "3": "SIGQUIT", "9": "SIGKILL", "15": "SIGTERM"}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def words(metadata: dict[str, Any]) -> list[str]:
    """The command line that a VM's metadata give: entrypoint, then command."""
    found: list[str] = []
    for key in ("docker:entrypoint", "docker:cmd"):
        try:
            found += msgspec.json.decode(str(metadata.get(key) or "[]"), type=list[str])
        except msgspec.DecodeError:
            continue
    return found


def course(command: list[str]) -> tuple[float, int]:
    """Seconds that a command runs, and its exit code: ``true``, ``false`` and ``sleep N`` end, all else runs on."""
    name = command[0].rpartition("/")[2] if command else ""
    if name in ENDS:
        return 0.0, ENDS[name]
    if name == "sleep" and len(command) == 2:
        seconds = _seconds(command[1])
        return (0.0, 1) if seconds is None else (seconds, 0)
    return math.inf, 0


def _seconds(text: str) -> float | None:
    """The time that an argument of sleep says; None for one that it would refuse."""
    unit = UNITS.get(text[-1:], 1)
    try:
        seconds = float(text[:-1] if text[-1:] in UNITS else text) * unit
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


def exit_code(signal: str | int) -> int | None:
    """The code with which a signal ends a program; None when the program takes no notice of it."""
    name = NUMBERS.get(str(signal), str(signal).upper())
    return FATAL.get(name if name.startswith("SIG") else f"SIG{name}")

"""HEALTHCHECK: its options and its command, as they stand in an image's configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from grammars.dockerfile.faults import DockerfileError
from grammars.dockerfile.words import exec_form

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"(\d{1,19}\.?\d{0,19}|\.\d{1,19})(ns|us|µs|μs|ms|s|m|h)")  # bounded: time grows with the text
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_LEAST = 1_000_000
_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}


def nanoseconds(text: str) -> int:
    """Read a duration as Go writes it: ``1m30s``, ``500ms``. Raises DockerfileError."""
    if text == "0":
        return 0
    if not _DURATION.fullmatch(text):
        raise DockerfileError(f'time: invalid duration "{text}"')
    return int(sum(float(part[1]) * _UNITS[part[2]] for part in _PART.finditer(text)))


def health_check(flags: Sequence[str], rest: str) -> dict[str, Any]:
    """Read the instruction. Raises DockerfileError."""
    kind, _, text = rest.strip().partition(" ")
    text = text.strip()
    if not kind:
        raise DockerfileError("HEALTHCHECK requires at least one argument")
    if kind.upper() == "NONE":
        if text or flags:
            raise DockerfileError("HEALTHCHECK NONE takes no arguments")
        return {"Test": ["NONE"]}
    if kind.upper() != "CMD":
        raise DockerfileError(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)')
    if not text:
        raise DockerfileError("Missing command after HEALTHCHECK CMD")
    words = exec_form(text)
    found: dict[str, Any] = {"Test": ["CMD-SHELL", text] if words is None else ["CMD", *words]}
    for flag in flags:
        name, _, value = flag.removeprefix("--").partition("=")
        if name == "retries":
            found["Retries"] = _retries(value)
        elif name in _TIMES:
            found[_TIMES[name]] = _time(name, value)
        else:
            raise DockerfileError(f"unknown flag: {name}")
    return found


def _time(name: str, value: str) -> int:
    found = nanoseconds(value)
    if 0 < found < _LEAST:
        raise DockerfileError(f"Interval {name!r} cannot be less than 1ms")
    return found


def _retries(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 10:
        raise DockerfileError(f"--retries must be at least 0 (not {value})")
    return int(value)

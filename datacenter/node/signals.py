"""Signals by name and number, as clients write them."""

from __future__ import annotations

import re
import signal

from datacenter.node.tasks import TaskError

_SIGNAL = re.compile(r"(SIG)?(?P<name>[A-Z0-9]+)(?P<offset>[+-]\d{1,2})?")


def signal_number(name: str | int) -> int:
    """A signal by number, or by name with or without SIG, real-time ones too. Raises TaskError InvalidArgument."""
    text = str(name).upper()
    if text.isdecimal() and int(text) < signal.NSIG:
        return int(text)
    found = _SIGNAL.fullmatch(text)
    if found and f"SIG{found['name']}" in signal.Signals.__members__:
        number = int(signal.Signals[f"SIG{found['name']}"]) + int(found["offset"] or 0)
        if not found["offset"] or signal.SIGRTMIN <= number <= signal.SIGRTMAX:
            return number
    raise TaskError("InvalidArgument", f"Invalid signal: {name}")

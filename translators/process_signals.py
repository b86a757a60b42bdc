"""Signals as Docker's clients name them: ``KILL``, ``SIGKILL``, ``9``, ``RTMIN+3``."""

from __future__ import annotations

from gateway.errors import InvalidParameter

NUMBERS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "IOT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10,
    "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CLD": 17, "CONT": 18,
    "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27,
    "WINCH": 28, "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31, "UNUSED": 31,
    "RTMIN": 34, **{f"RTMIN+{n}": 34 + n for n in range(1, 16)},
    **{f"RTMAX-{n}": 64 - n for n in range(1, 15)}, "RTMAX": 64,
}  # fmt: skip
"""Linux numbers, which the processes of lx zones see too."""
_NAMES = {number: name for name, number in reversed(NUMBERS.items())}


def number_of(text: str) -> int:
    """Return a signal's number. Raises InvalidParameter for what is no signal."""
    return NUMBERS[check_signal(text).removeprefix("SIG")]


def check_signal(text: str) -> str:
    """Return the signal's name with ``SIG``. Raises InvalidParameter, as dockerd, for what is no signal."""
    name = text.upper().removeprefix("SIG")
    if text.isascii() and text.isdigit() and int(text) in _NAMES:
        name = _NAMES[int(text)]
    if name not in NUMBERS:
        raise InvalidParameter(f"invalid signal: {text}")
    return f"SIG{name}"

"""MAC addresses in the forms that NAPI reads them in."""

from __future__ import annotations

import re

_OCTETS = re.compile(r"[0-9a-f]{1,2}([:-][0-9a-f]{1,2}){5}")
_DIGITS = re.compile(r"[0-9a-f]{12}")


def read(text: object) -> str | None:
    """A MAC with colons in lower case, of one with colons or dashes or without any; None when it is none."""
    lower = text.lower() if isinstance(text, str) else ""
    if _DIGITS.fullmatch(lower):
        return ":".join(lower[at : at + 2] for at in range(0, 12, 2))
    if _OCTETS.fullmatch(lower):
        return ":".join(octet.zfill(2) for octet in re.split("[:-]", lower))
    return None

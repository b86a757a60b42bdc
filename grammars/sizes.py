"""Sizes as Docker's users write them: ``512m``, ``10G``, ``1.5GiB``."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([kmgtp])?(?:i?b)?", re.IGNORECASE)


def size_in_bytes(text: str) -> int | None:
    """Read a size, in powers of 1024; None when it is none."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    return int(float(found[1]) * 1024 ** " kmgtp".index((found[2] or " ").lower()))

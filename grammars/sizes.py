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


def cpu_percent(nano_cpus: int, quota: int, period: int) -> int:
    """Return how much CPU a container may take, in percent of one as Triton counts; 0 when nothing is said.

    ``nano_cpus`` is in 1e-9 CPUs, ``quota`` and ``period`` (100 ms when 0) are in microseconds. Rounded up.
    """
    if nano_cpus > 0:
        return -(-nano_cpus // 10_000_000)
    if quota > 0:
        return -(-quota * 100 // (period or 100_000))
    return 0

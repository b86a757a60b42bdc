"""The three networks that every Docker client expects, and the ids they have. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

DRIVERS: Mapping[str, str] = {"bridge": "bridge", "host": "host", "none": "null"}
"""Names and drivers. ``bridge`` stands for the account's default network."""


def predefined_id(name: str) -> str:
    """Return the id of one: made of its name, since nothing of the data center's is behind it."""
    return hashlib.sha256(f"predefined network {name}".encode()).hexdigest()


_NAMES = {predefined_id(name): name for name in DRIVERS}


def predefined_name(ref: str) -> str:
    """Return the name of that whose id is, or begins with, ``ref``; empty when it is none's."""
    return next((name for known, name in _NAMES.items() if ref and known.startswith(ref)), "")

"""Which version of CloudAPI a caller gets for its ``accept-version``."""

from __future__ import annotations

import re

VERSIONS = ("7.0.0", "7.1.0", "7.2.0", "7.3.0", "8.0.0", "9.0.0")

_RANGE = re.compile(r"(>=|[~^])?\s*v?(\d+|[x*])(?:\.(\d+|[x*]))?(?:\.(\d+|[x*]))?")

Version = tuple[int, int, int]


def choose(wanted: str, offered: tuple[str, ...] = VERSIONS) -> str | None:
    """The newest of the versions offered in a semver range such as ``~9||~8``; None when there is none."""
    for version in reversed(offered):
        if any(_fits(_split(version), part.strip()) for part in wanted.split("||")):
            return version
    return None


def _split(version: str) -> Version:
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def _fits(version: Version, part: str) -> bool:
    found = _RANGE.fullmatch(part)
    if found is None:
        return part == ""
    given = [int(text) for text in found.groups()[1:] if text and text.isdecimal()]
    floor = tuple([*given, 0, 0, 0][:3])
    if found[1] == ">=":
        return version >= floor
    fixed = {"^": 1, "~": min(2, len(given))}.get(found[1], len(given))
    return version >= floor and version[:fixed] == tuple(given[:fixed])

"""The two files of a context that .dockerignore may keep out of an image. Pure. Facts: moby's removeDockerfile."""

from __future__ import annotations

import posixpath
import re

from datacenter.node.files.patterns import regex


def ignored(path: str, text: str) -> bool:
    """Whether .dockerignore's ``text`` keeps a path out; the last pattern that matches decides.

    Clients leave out everything else themselves. Lines that are no patterns match nothing.
    """
    found = False
    for line in text.removeprefix("\ufeff").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        pattern = line.strip()
        negated = pattern.startswith("!")
        pattern = posixpath.normpath(pattern.lstrip("!").strip()).lstrip("/")
        if _matches(pattern, path):
            found = not negated
    return found


def _matches(pattern: str, path: str) -> bool:
    parts = path.split("/")
    try:
        wanted = re.compile(regex(pattern), re.DOTALL)
    except (ValueError, re.error):
        return False
    return any(wanted.fullmatch("/".join(parts[:count])) for count in range(1, len(parts) + 1))

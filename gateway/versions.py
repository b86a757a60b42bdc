"""Docker Engine API versions: parsing, the supported window, and the texts for what lies outside it."""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.errors import InvalidParameter

_FORM = re.compile(r"^(\d{1,4})\.(\d{1,4})$")


class ApiVersion(NamedTuple):
    """A ``major.minor`` pair that compares as numbers: 1.9 < 1.24."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> ApiVersion:
        """Read ``1.41``. Raises ValueError on anything else."""
        match = _FORM.match(text)
        if not match:
            raise ValueError(f"not an API version: {text!r}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


GATEWAY_VERSION = "0.1.0"
"""This gateway's own, as the project file has it."""

FLOOR = ApiVersion(1, 24)
CEILING = ApiVersion(1, 51)


def negotiate(text: str | None) -> ApiVersion:
    """Return the version a request asked for; an unversioned path means the newest.

    Raises InvalidParameter with dockerd's own sentences below the floor and above the ceiling.
    """
    if text is None:
        return CEILING
    try:
        version = ApiVersion.parse(text)
    except ValueError as error:
        raise InvalidParameter(f"invalid API version: {text}") from error
    if version < FLOOR:
        raise InvalidParameter(
            f"client version {version} is too old. Minimum supported API version is {FLOOR}, "
            "please upgrade your client to a newer version"
        )
    if version > CEILING:
        raise InvalidParameter(f"client version {version} is too new. Maximum supported API version is {CEILING}")
    return version


def parsed(text: str | None) -> ApiVersion | None:
    """Return the version that a path has behind its ``/v``, in or out of the window; None when it has none."""
    try:
        return ApiVersion.parse(text or "")
    except ValueError:
        return None

"""The platform that a client asks for: a data center has one."""

from __future__ import annotations

import platform as machine
from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.errors import InvalidParameter, NotImplementedHere

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
ARCHITECTURE = _ARCHITECTURES.get(machine.machine(), machine.machine())


def check_platform(asked: str) -> None:
    """Raise NotImplementedHere for a platform (``linux/arm64/v8``) whose programs no compute node could run."""
    if not asked:
        return
    system, _, architecture = asked.partition("/")
    if system != "linux" or (architecture and architecture.split("/")[0] != ARCHITECTURE):
        raise NotImplementedHere(
            f"platform {asked} is not available: the machines of this data center are linux/{ARCHITECTURE}"
        )


def check_platforms(asked: Iterable[str]) -> None:
    """Check platforms in the form of API 1.46 and later: JSON objects. Raises InvalidParameter, too."""
    for text in filter(None, asked):
        try:
            given = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidParameter(f"invalid platform: {text}") from error
        check_platform("/".join(str(given[key]) for key in ("os", "architecture", "variant") if given.get(key)))

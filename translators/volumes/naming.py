"""Names and drivers of volumes: what dockerd takes, and its words for what it does not take. Pure."""

from __future__ import annotations

import re
import secrets

from gateway.errors import InvalidParameter, NotFound

DRIVER = "local"
TRITON_DRIVER = "tritonnfs"
"""The same driver by the name that Triton gives it."""
MOST_LETTERS = 255

_ALLOWED = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
_NAME = re.compile(f"{_ALLOWED}+")


def check_name(name: str) -> str:
    """Return a volume's name. Raises InvalidParameter in dockerd's words."""
    if len(name) < 2:
        raise InvalidParameter(
            f"create {name}: volume name is too short, names should be at least two alphanumeric characters"
        )
    if not _NAME.fullmatch(name):
        raise InvalidParameter(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only "{_ALLOWED}" are '
            "allowed. If you intended to pass a host directory, use absolute path"
        )
    if len(name) > MOST_LETTERS:
        raise InvalidParameter(f"create {name}: volume name is too long, max length is {MOST_LETTERS}")
    return name


def check_driver(driver: str, name: str) -> None:
    """Raise NotFound for a driver that would be a plugin: there are none."""
    if driver not in {"", DRIVER, TRITON_DRIVER}:
        raise NotFound(f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')


def random_name() -> str:
    """Make up a name as dockerd does for volumes without one."""
    return secrets.token_hex(32)

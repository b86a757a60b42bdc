"""Where a URL leads: its host and port, with every spelling of this machine being the same host."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from contextlib import suppress
from urllib.parse import urlsplit

Place = tuple[str, int]

_PORTS = {"http": 80, "https": 443}
_THIS_MACHINE = "localhost"


def place_of(url: str) -> Place:
    """Return host and port of a URL. Raises ValueError when it has none.

    ``127.0.0.1``, ``127.1``, ``[::1]``, ``0.0.0.0`` and ``LOCALHOST`` are all ``localhost``. Names are not looked
    up: the answer could differ the next time.
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    if not parts.hostname or port is None:
        raise ValueError(f"no host and port in {url!r}")
    return _host(parts.hostname.rstrip(".")), port


def leads_to(url: str, places: Collection[Place]) -> bool:
    """Whether a URL leads to one of these places."""
    with suppress(ValueError):
        return place_of(url) in places
    return False


def _host(name: str) -> str:
    if name == _THIS_MACHINE:
        return name
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(name))  # 127.1, 2130706433: what connect() takes
        except (OSError, UnicodeError):
            return name
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return _THIS_MACHINE if address.is_loopback or address.is_unspecified else str(address)

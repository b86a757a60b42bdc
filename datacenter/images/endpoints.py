"""Where a registry's repositories are reached: its hosts, in the order to try them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_DOCKER_HUB = "https://registry-1.docker.io"


@dataclass(frozen=True)
class Endpoint:
    """A base URL without its ``/v2/``."""

    base: str
    insecure: bool = False
    """Plain HTTP and certificates of any kind will do."""
    mirror: bool = False
    """Stands in for another registry; never sees that one's credentials."""


def endpoints(index: str, insecure: Sequence[str], mirrors: Sequence[str]) -> list[Endpoint]:
    """List the endpoints of an index; mirrors stand before docker.io alone.

    An insecure registry is tried over TLS first, then in plain, as Docker does.
    """
    if index == "docker.io":
        found = [Endpoint(url.rstrip("/"), insecure=url.startswith("http:"), mirror=True) for url in mirrors]
        return [*found, Endpoint(_DOCKER_HUB)]
    if is_insecure(index, insecure):
        return [Endpoint(f"https://{index}", insecure=True), Endpoint(f"http://{index}", insecure=True)]
    return [Endpoint(f"https://{index}")]


def is_insecure(index: str, insecure: Sequence[str]) -> bool:
    """Whether a setting names this index: as ``host``, ``host:port``, or by a network it lies in.

    Networks fit addresses only. A name isn't looked up for them, as its answer could differ the next time.
    """
    host = urlsplit(f"//{index}").hostname or index
    if index in insecure or host in insecure:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _networks(insecure))


def _networks(entries: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for entry in entries:
        try:
            found.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            continue  # a host's name
    return found

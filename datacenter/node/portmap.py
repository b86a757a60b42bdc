"""Translated ports: a container answers at its outside address on other numbers than its programs listen on.

The rules are in the container's own network namespace: they outlive the agent, and vanish with the container.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import Any

import msgspec

from datacenter.node.nics import Nic
from datacenter.node.tasks import TaskError

PROTOCOLS = ("tcp", "udp")
KEY = "docker:port_map"

TABLE = """
table ip tdg_ports
delete table ip tdg_ports
table ip tdg_ports {{
  chain incoming {{
    type nat hook prerouting priority -100; policy accept;
    {rules}
  }}
  chain own {{
    type nat hook output priority -100; policy accept;
    {rules}
  }}
}}
"""
"""Made anew each time. ``own`` is for a container that talks to its own outside address."""

Translation = tuple[str, int, int]
"""Protocol, number outside, number inside."""


def translations(metadata: dict[str, Any]) -> list[Translation]:
    """Read ``docker:port_map``: ``{"80/tcp": [8080]}``, as a JSON text. Raises TaskError InvalidArgument."""
    text = metadata.get(KEY)
    if not text:
        return []
    try:
        asked = msgspec.json.decode(text, type=dict[str, list[int]])
        found = list(_read(asked))
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise TaskError("InvalidArgument", f"{KEY} is not valid: {error}") from error
    return found


def _read(asked: dict[str, list[int]]) -> Iterator[Translation]:
    for name, outside in asked.items():
        number, _, protocol = name.partition("/")
        inside = int(number)
        if protocol not in PROTOCOLS or not all(0 < port < 65536 for port in (inside, *outside)):
            raise ValueError(f"{name}: {outside}")
        yield from ((protocol, port, inside) for port in outside if port != inside)


def ruleset(found: Iterable[Translation], nics: Iterable[Nic]) -> str:
    """The script for nft that translates at the address of the primary nic, else of the first; no nic, no rules."""
    nic = min(nics, key=lambda nic: not nic.get("primary"), default=None)
    if nic is None:
        return TABLE.format(rules="")
    ip = IPv4Address(nic["ip"])
    rules = [f"ip daddr {ip} {protocol} dport {outside} dnat to {ip}:{inside}" for protocol, outside, inside in found]
    return TABLE.format(rules="\n    ".join(rules))

"""What a VM is called on each of its networks, as its metadata says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

Vm = Mapping[str, Any]

KEY = "docker:endpoint:"
"""Followed by a network's uuid, a key of internal_metadata: on this network the VM has names."""


class Told(msgspec.Struct):
    """The value of such a key, as a JSON text."""

    network: str = ""
    """What the network is called."""
    aliases: list[str] = []
    links: list[str] = []
    """``target:alias``: a name that this VM alone has for another one on the network."""


@dataclass(frozen=True, slots=True)
class Place:
    """A VM's place on a network on which it has names. All names are in lower case."""

    network_uuid: str
    network: str
    ip: str
    names: tuple[str, ...]
    """The VM's own name comes first."""
    links: Mapping[str, str]
    """Alias -> name of the target."""


def places(vm: Vm) -> tuple[Place, ...]:
    """Find a VM's places, that of its primary nic first. What somebody else wrote and is not valid counts for nothing.

    A VM that is told to have names on a network has them as long as a nic of it is there.
    """
    metadata = vm.get("internal_metadata") or {}
    found = []
    for nic in sorted(vm.get("nics") or (), key=lambda nic: not nic.get("primary")):
        uuid = str(nic.get("network_uuid"))
        text = metadata.get(KEY + uuid)
        if not text or not nic.get("ip"):
            continue
        try:
            told = msgspec.json.decode(text, type=Told)
        except (msgspec.DecodeError, TypeError):
            continue
        found.append(Place(uuid, told.network.lower(), str(nic["ip"]), _names(vm, metadata, told), _links(told)))
    return tuple(found)


def _names(vm: Vm, metadata: Mapping[str, Any], told: Told) -> tuple[str, ...]:
    short_id = str(metadata.get("docker:id") or "")[:12]
    names = (str(vm.get("alias") or ""), *told.aliases, short_id, str(vm.get("hostname") or ""))
    return tuple(dict.fromkeys(name.lower() for name in names if name))


def _links(told: Told) -> dict[str, str]:
    pairs = (entry.lower().partition(":") for entry in told.links)
    return {alias or target: target for target, _, alias in pairs}

"""The VMs that firewall rules speak of, and who of them is in which group: ``vm X``, ``tag a = b``, ``all vms``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import sha1
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from grammars.firewall import Target


@dataclass(frozen=True, slots=True)
class Peer:
    """A VM as rules see it. ``addresses`` are IPv4: nics have no others."""

    uuid: str
    owner: str
    tags: Mapping[str, Any]
    addresses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Group:
    """The VMs that a word of a rule names: its owner's alone, or with None those of everybody."""

    owner: str | None
    target: Target

    def has(self, peer: Peer) -> bool:
        return self.owner in (None, peer.owner) and self.target.selects(peer.uuid, peer.tags)

    @property
    def name(self) -> str:
        """The name of its set of addresses, the same in every life of an agent."""
        return "g" + sha1(f"{self.owner} {self.target}".encode(), usedforsecurity=False).hexdigest()[:16]


@dataclass(slots=True)
class Change:
    """Addresses that came into a group and that left it."""

    group: Group
    come: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)


def peer_of(vm: Mapping[str, Any]) -> Peer:
    """Read a VM's record, or what the services tell of a VM on another node."""
    given = vm["ips"] if "ips" in vm else [nic.get("ip") for nic in vm.get("nics") or ()]
    addresses = frozenset(filter(None, map(_address, given)))
    return Peer(str(vm["uuid"]), str(vm.get("owner_uuid")), dict(vm.get("tags") or {}), addresses)


def _address(text: Any) -> str | None:
    try:
        return str(IPv4Address(str(text)))
    except AddressValueError:
        return None


class Peers:
    """All VMs that a node has heard of, and the members of the groups that it was asked for.

    Two VMs may have the same address, on networks apart: an address stays in a group until the last of them leaves.
    """

    def __init__(self) -> None:
        self._peers: dict[str, Peer] = {}
        self._groups: dict[Group, Counter[str]] = {}

    def members(self, group: Group) -> frozenset[str]:
        """The addresses in a group; from now on its changes are told."""
        if group not in self._groups:
            inside = (peer for peer in self._peers.values() if group.has(peer))
            self._groups[group] = Counter(address for peer in inside for address in peer.addresses)
        return frozenset(self._groups[group])

    def keep(self, groups: AbstractSet[Group]) -> None:
        """Nobody wants to hear of other groups any more."""
        for unused in self._groups.keys() - groups:
            del self._groups[unused]

    def get(self, uuid: str) -> Peer | None:
        return self._peers.get(uuid)

    def put(self, peer: Peer) -> list[Change]:
        """Take in a VM as it is now, and tell which groups that changes."""
        return self._change(self._peers.get(peer.uuid), peer)

    def drop(self, uuid: str) -> list[Change]:
        """A VM is gone, or was never known."""
        return self._change(self._peers.get(uuid), None)

    def _change(self, before: Peer | None, after: Peer | None) -> list[Change]:
        if after is not None:
            self._peers[after.uuid] = after
        elif before is not None:
            del self._peers[before.uuid]
        changes = []
        for group, held in self._groups.items():
            old = before.addresses if before and group.has(before) else frozenset[str]()
            new = after.addresses if after and group.has(after) else frozenset[str]()
            change = Change(group)
            for address in new - old:
                held[address] += 1
                if held[address] == 1:
                    change.come.add(address)
            for address in old - new:
                held[address] -= 1
                if not held[address]:
                    del held[address]
                    change.gone.add(address)
            if change.come or change.gone:
                changes.append(change)
        return changes

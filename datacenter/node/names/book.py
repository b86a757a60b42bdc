"""Everybody who has names: the running zones of this node, as they are now, and VMs of others, as VMAPI tells them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from datacenter.node.names.facts import Place, places
from datacenter.node.zone import Zone


class NameBook:
    """Who is called what on which network. Accounts do not see each other, on shared networks neither."""

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        self._zones = zones
        self._read: WeakKeyDictionary[Zone, tuple[object, tuple[Place, ...]]] = WeakKeyDictionary()
        """What a zone's record was when it was read, and what was read."""
        self._elsewhere: dict[str, dict[str, tuple[str, Place]]] = defaultdict(dict)
        """Network -> VM -> its owner and place."""

    def places(self, zone: Zone) -> tuple[Place, ...]:
        """Where a zone has names."""
        known = self._read.get(zone)
        if known is None or known[0] is not zone.record:  # every change brings a new record
            known = self._read[zone] = zone.record, places(zone.record)
        return known[1]

    def put(self, vm: Mapping[str, Any]) -> None:
        """Take note of a VM of another node as it is now; one that does not run has no names."""
        self.drop(str(vm["uuid"]))
        if vm.get("state") == "running":
            for place in places(vm):
                self._elsewhere[place.network_uuid][str(vm["uuid"])] = str(vm.get("owner_uuid")), place

    def drop(self, uuid: str) -> None:
        """Forget a VM of another node."""
        for network_uuid, there in list(self._elsewhere.items()):
            there.pop(uuid, None)
            if not there:
                del self._elsewhere[network_uuid]

    def clear(self) -> None:
        """Forget all VMs of other nodes."""
        self._elsewhere.clear()

    def addresses(self, asker: Zone, name: str) -> list[str]:
        """The addresses behind a name, on the first of the asker's networks where somebody has it.

        ``name.network`` asks that network alone.
        """
        wanted = name.rstrip(".").lower()
        for place in self.places(asker):
            bare = wanted.removesuffix(f".{place.network}") if place.network else wanted
            for candidate in dict.fromkeys((wanted, bare)):
                meant = place.links.get(candidate, candidate)
                found = [peer.ip for peer in self._on(asker, place.network_uuid) if meant in peer.names]
                if found:
                    return found
        return []

    def name_of(self, asker: Zone, ip: str) -> str:
        """The name behind an address on one of the asker's networks, as ``name.network``; empty when nobody has it."""
        for place in self.places(asker):
            for peer in self._on(asker, place.network_uuid):
                if peer.ip == ip and peer.names:
                    return f"{peer.names[0]}.{peer.network}".rstrip(".")
        return ""

    def _on(self, asker: Zone, network_uuid: str) -> Iterator[Place]:
        """The asker's account's places on a network."""
        owner = str(asker.record.get("owner_uuid"))
        for zone in self._zones.values():
            if zone.life.state != "stopped" and str(zone.record.get("owner_uuid")) == owner:
                yield from (place for place in self.places(zone) if place.network_uuid == network_uuid)
        for theirs, place in self._elsewhere.get(network_uuid, {}).values():
            if theirs == owner:
                yield place

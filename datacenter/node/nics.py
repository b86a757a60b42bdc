"""The nics of a zone as a list in its record: who is which interface, who has the default route, what changes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Nic = dict[str, Any]

CHANGES = ("add_nics", "update_nics", "remove_nics")
"""The words of vmadm for changes of a zone's nics."""


def by_interface(nics: Iterable[Nic]) -> dict[str, Nic]:
    """The nics by their names inside: ``net1`` of the data center is ``eth1`` of the container."""
    return {_interface(nic, number): nic for number, nic in enumerate(nics)}


def _interface(nic: Nic, number: int) -> str:
    name = str(nic.get("interface") or f"net{number}")
    return f"eth{name.removeprefix('net')}"


def default_interface(nics: Iterable[Nic]) -> str | None:
    """The interface that the default route goes through: the primary nic's, else the first one with a gateway."""
    reachable = {name: nic for name, nic in by_interface(nics).items() if nic.get("gateway")}
    primary = [name for name, nic in reachable.items() if nic.get("primary")]
    return next(iter(primary or reachable), None)


def changed(nics: Iterable[Nic], params: Mapping[str, Any]) -> list[Nic]:
    """The nics after ``remove_nics`` (MACs), ``update_nics`` (fields by MAC) and ``add_nics`` (whole nics).

    A new primary nic takes that from the others. Removing what is not there and adding what is there already are no
    errors: a task whose answer got lost is sent again.
    """
    found = {nic["mac"]: dict(nic) for nic in nics}
    for mac in params.get("remove_nics") or ():
        found.pop(mac, None)
    fresh = [dict(nic) for nic in params.get("add_nics") or ()]
    updates = [update for update in params.get("update_nics") or () if update["mac"] in found]
    for nic in [*updates, *fresh]:
        if nic.get("primary"):
            for other in found.values():
                other.pop("primary", None)
        found[nic["mac"]] = {**found.get(nic["mac"], {}), **nic}
    return list(found.values())

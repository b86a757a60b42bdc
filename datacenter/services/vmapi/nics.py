"""The nics in a VM's record: NAPI's, with what is the VM's own business: interfaces, and which one is primary."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Interface
from itertools import count
from typing import Any

from datacenter.services.vmapi.record import Vm

Nic = dict[str, Any]


def vm_nic(nic: Nic, interface: str) -> Nic:
    """One of NAPI's nics as a VM has it; ``primary`` is told of the one that is, alone."""
    mine = {**nic, "interface": interface}
    if not nic.get("primary"):
        mine.pop("primary", None)
    if nic.get("ip") and nic.get("netmask"):
        mine["ips"] = [str(IPv4Interface(f"{nic['ip']}/{nic['netmask']}"))]
    if nic.get("gateway"):
        mine["gateways"] = [nic["gateway"]]
    return mine


def added(nics: list[Nic], fresh: Iterable[Nic]) -> list[Nic]:
    """A VM's nics with NAPI's new ones, each on the first free interface. The first nic of all is primary."""
    found = list(nics)
    for nic in fresh:
        taken = {have.get("interface") for have in found}
        interface = next(name for number in count() if (name := f"net{number}") not in taken)
        mine = vm_nic({**nic, "primary": nic.get("primary") or not found}, interface)
        if mine.get("primary"):
            found = [_secondary(have) for have in found]
        found.append(mine)
    return found


def without(nics: list[Nic], macs: Iterable[str]) -> list[Nic]:
    """A VM's nics without some; when the primary one goes, the first of the others takes its place."""
    gone = set(macs)
    found = [nic for nic in nics if nic["mac"] not in gone]
    if found and not any(nic.get("primary") for nic in found):
        first = min(found, key=_number)
        found = [{**nic, "primary": True} if nic is first else nic for nic in found]
    return found


def updated(nics: list[Nic], updates: Iterable[Nic]) -> list[Nic]:
    """A VM's nics with fields changed, by MAC; a new primary one takes that from the others."""
    by_mac = {update["mac"]: update for update in updates}
    primary = next((mac for mac, update in by_mac.items() if update.get("primary")), None)
    found = [nic if primary is None or nic["mac"] == primary else _secondary(nic) for nic in nics]
    return [{**nic, **by_mac.get(nic["mac"], {})} for nic in found]


def primary_mac(nics: Iterable[Nic]) -> str | None:
    return next((str(nic["mac"]) for nic in nics if nic.get("primary")), None)


def resolvers_of(nics: list[Nic]) -> list[str]:
    """The resolvers of the nics' networks, the primary one's first, none twice."""
    ordered = sorted(nics, key=lambda nic: not nic.get("primary"))
    return list(dict.fromkeys(resolver for nic in ordered for resolver in nic.get("resolvers") or ()))


def resolvers_after(vm: Vm, nics: list[Nic]) -> list[str]:
    """A VM's resolvers once it has other nics: those that came of its networks follow them, its own stay."""
    held = list(vm.get("resolvers") or [])
    follows = held == resolvers_of(vm["nics"]) and vm["internal_metadata"].get("set_resolvers") is not False
    return resolvers_of(nics) if follows else held


def _secondary(nic: Nic) -> Nic:
    return {field: value for field, value in nic.items() if field != "primary"}


def _number(nic: Nic) -> int:
    digits = str(nic.get("interface", "")).removeprefix("net")
    return int(digits) if digits.isdecimal() else 0

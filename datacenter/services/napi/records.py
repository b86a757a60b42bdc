"""Address records: what is known of single addresses beside the nics' own, and how an operator changes it."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from datacenter.restify import is_uuid, truthy
from datacenter.services.napi.errors import InvalidParameters, Problem, invalid, missing
from datacenter.services.napi.networks import Network, choices, provisionable

if TYPE_CHECKING:
    from datacenter.services.napi.model import Napi

Record = dict[str, Any]

FILTERS = frozenset(("belongs_to_type", "belongs_to_uuid", "owner_uuid"))
CHANGES = FILTERS | {"reserved", "free", "unassign", "check_owner"}

_OWNERS = ("other", "server", "zone")


class Records:
    """The addresses that an operator reserved or gave to somebody, and those that are never a VM's."""

    def __init__(self, napi: Napi) -> None:
        self._napi = napi
        self._kept = napi.dc.store.bucket("reserved_ips")

    def get(self, network: Network, ip: str) -> Record:
        """What is known of one address: reserved, free, whose."""
        return self.all(network).get(ip) or record(network["uuid"], ip)

    def all(self, network: Network) -> dict[str, Record]:
        """Every address with a record, in order; the two beside the provision range always have one."""
        first, last = (IPv4Address(network[f"provision_{end}_ip"]) for end in ("start", "end"))
        subnet = self._napi.subnet(network["uuid"])
        beside = (str(address) for address in (first - 1, last + 1) if address in subnet)
        found = {ip: record(network["uuid"], ip) for ip in beside}
        found.update((known["ip"], known) for known in self.fixed(network))
        for nic in self._napi.nics.on(network["uuid"]):
            reserved = found.get(nic["ip"], {}).get("reserved", False)
            found[nic["ip"]] = record(network["uuid"], nic["ip"], nic, reserved=reserved)
        return {ip: found[ip] for ip in sorted(found, key=IPv4Address)}

    def fixed(self, network: Network) -> list[Record]:
        """The addresses that nobody is given unasked: gateway, broadcast, and those an operator has spoken of."""
        admin = self._napi.dc.mahi.admin_uuid
        holder = {"belongs_to_type": "other", "belongs_to_uuid": admin, "owner_uuid": admin}
        own = [network.get("gateway"), str(self._napi.subnet(network["uuid"]).broadcast_address)]
        records = [record(network["uuid"], ip, holder, reserved=True) for ip in own if ip]
        return records + self._kept.find(network_uuid=network["uuid"])

    def keeps(self, network_uuid: str, ip: str) -> bool:
        """Whether an operator has spoken of an address: then it stays taken when its nic goes."""
        return f"{network_uuid}/{ip}" in self._kept

    def update(self, network: Network, ip: str, given: Record) -> Record:
        """Reserve an address, say whose it is, take that back (``unassign``), or forget all of it (``free``).

        An address that is neither reserved nor anybody's is given out again. Raises 422 InvalidParameters.
        """
        key, kept = f"{network['uuid']}/{ip}", self._kept.get(f"{network['uuid']}/{ip}") or {}
        known = {**self.get(network, ip), **kept}
        if problems := self._check(network, known, given):
            raise InvalidParameters(*problems)
        wanted = {**kept, **{name: given[name] for name in FILTERS if given.get(name)}}
        if truthy(given.get("unassign")):
            wanted = {name: value for name, value in wanted.items() if not name.startswith("belongs_to")}
        reserved = truthy(given["reserved"]) if "reserved" in given else kept.get("reserved", False)
        changed = record(network["uuid"], ip, wanted, reserved=reserved)
        space = self._napi.space(network["uuid"])
        if changed["free"] or truthy(given.get("free")):
            held = any(nic["ip"] == ip for nic in self._napi.nics.on(network["uuid"]))
            if self._kept.delete(key) and not held:
                space.give_back(int(IPv4Address(ip)))
        else:
            space.claim(int(IPv4Address(ip)))
            self._kept.put(key, changed)
        return self.get(network, ip)

    def forget(self, network_uuid: str) -> None:
        """Drop the records of a network that is no more."""
        for known in self._kept.find(network_uuid=network_uuid):
            self._kept.delete(f"{network_uuid}/{known['ip']}")

    def _check(self, network: Network, known: Record, given: Record) -> list[Problem]:
        problems = [
            invalid(field, "invalid UUID")
            for field in ("belongs_to_uuid", "owner_uuid")
            if given.get(field) and not is_uuid(given[field])
        ]
        if given.get("belongs_to_type") and given["belongs_to_type"] not in _OWNERS:
            problems.append(invalid("belongs_to_type", 'must be one of: "other", "server", "zone"'))
        problems += [
            invalid(field, "must be a boolean value")
            for field in ("reserved", "free", "unassign", "check_owner")
            if field in given and given[field] not in (True, False, "true", "false")
        ]
        if given.get("belongs_to_uuid") or given.get("belongs_to_type"):
            problems += [missing(field) for field in sorted(FILTERS) if not (given.get(field) or known.get(field))]
        owner = given.get("owner_uuid")
        checked = given.get("check_owner") not in (False, "false") and owner != self._napi.dc.mahi.admin_uuid
        if owner and checked and not provisionable(network, owner):
            problems.append(invalid("owner_uuid", "owner cannot provision on network"))
        return problems


def record(network_uuid: str, ip: str, holder: Record | None = None, *, reserved: bool = False) -> Record:
    """An address record; it is free unless it is reserved or somebody's."""
    fields = ("belongs_to_type", "belongs_to_uuid", "owner_uuid")
    held = {field: holder[field] for field in fields if holder.get(field)} if holder else {}
    return {"ip": ip, "network_uuid": network_uuid, "reserved": reserved, "free": not (reserved or held), **held}


def passes(known: Record, params: Record) -> bool:
    """Whether an address passes the filters of a list, each a value or alternatives with commas."""
    return all(str(known.get(name)) in choices(params[name]) for name in FILTERS if name in params)

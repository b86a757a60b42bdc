"""Nics: who has which MAC and address on which network."""

from __future__ import annotations

import secrets
from collections import defaultdict
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.restify import is_uuid, truthy
from datacenter.services.napi import macs
from datacenter.services.napi.changefeed import NIC
from datacenter.services.napi.errors import (
    InvalidParameters,
    PoolFull,
    Problem,
    SubnetFull,
    duplicate,
    invalid,
    missing,
    used_by,
)
from datacenter.services.napi.networks import Network, choices, page, provisionable, read_address

if TYPE_CHECKING:
    from datacenter.services.napi.model import Napi

Nic = dict[str, Any]

SPOOF_FLAGS = (
    "allow_dhcp_spoofing",
    "allow_ip_spoofing",
    "allow_mac_spoofing",
    "allow_restricted_traffic",
    "allow_unfiltered_promisc",
)
LIST_PARAMS = frozenset(
    [
        "owner_uuid",
        "belongs_to_uuid",
        "belongs_to_type",
        "nic_tag",
        "network_uuid",
        "state",
        "cn_uuid",
        "nic_tags_provided",
        "limit",
        "offset",
        *SPOOF_FLAGS,
    ]
)

_OUI = "90:b8:d0"
_UUIDS = frozenset(("owner_uuid", "belongs_to_uuid", "network_uuid", "cn_uuid"))
_WITHOUT_NETWORK = "required if IP specified but not network_uuid"
_STATES = ("provisioning", "stopped", "running")
_OWNERS = ("other", "server", "zone")
_OF_NETWORK = (
    "fabric",
    "gateway",
    "gateway_provisioned",
    "internet_nat",
    "mtu",
    "netmask",
    "nic_tag",
    "resolvers",
    "routes",
    "vlan_id",
)
_OWN = (
    "belongs_to_type",
    "belongs_to_uuid",
    "owner_uuid",
    "state",
    "cn_uuid",
    "model",
    "nic_tags_provided",
    *SPOOF_FLAGS,
)


class Nics:
    """The nic table, indexed by MAC and by what the nics belong to.

    The stored document holds what is the nic's own; what comes of its network is joined when it is read.
    """

    def __init__(self, napi: Napi) -> None:
        self._napi = napi
        self._nics = napi.dc.store.bucket("nics")
        self._by_owner: dict[str, dict[str, None]] = defaultdict(dict)
        self._by_network: dict[str, dict[str, None]] = defaultdict(dict)
        self._nics.watch(self._index)
        self._nics.watch(napi.changefeed.watcher(NIC, self.view))

    def get(self, mac: str) -> Nic | None:
        """The nic of a MAC, in any of the forms that NAPI reads."""
        nic = self._nics.get(macs.read(mac) or "")
        return None if nic is None else self.view(nic)

    def of(self, belongs_to_uuid: str) -> list[Nic]:
        """The nics of a VM or server, oldest first."""
        return [self.view(nic) for nic in self._documents(belongs_to_uuid)]

    def on(self, network_uuid: str) -> list[Nic]:
        """The nics on a network, oldest first."""
        return [self.view(nic) for nic in self._documents_on(network_uuid)]

    def search(self, params: dict[str, Any]) -> list[Nic]:
        """Nics that pass all list filters, each a value or alternatives with commas, by MAC. Raises 422."""
        wrong = [problem for field in _UUIDS & params.keys() for problem in _wrong_uuids(field, params[field])]
        if wrong:
            raise InvalidParameters(*wrong)
        wanted = {field: choices(value) for field, value in params.items() if field not in ("limit", "offset")}
        pool = self._nics.all()
        if "belongs_to_uuid" in wanted:
            pool = [nic for owner in wanted["belongs_to_uuid"] for nic in self._documents(owner)]
        elif "network_uuid" in wanted:
            pool = [nic for network in wanted["network_uuid"] for nic in self._documents_on(network)]
        found = [
            nic for nic in map(self.view, pool) if all(_listed(nic, field, values) for field, values in wanted.items())
        ]
        return sorted(found, key=lambda nic: str(nic["mac"]))[page(params)]

    def create(self, given: dict[str, Any]) -> Nic:
        """Make a nic; on a network it gets an address. Raises 422, 507.

        ``network_uuid`` names a network or pool; else ``nic_tag``, ``vlan_id`` and ``ip`` find a network.
        """
        given = self._with_network(given)
        problems = _check(given)
        mac = macs.read(given["mac"]) if given.get("mac") else self.new_mac()
        if mac is None:
            problems.append(invalid("mac", "invalid MAC address"))
        elif mac in self._nics:
            problems.append(duplicate("mac"))
        if problems:
            raise InvalidParameters(*problems)
        now = iso()
        nic: Nic = {
            "belongs_to_type": given["belongs_to_type"],
            "belongs_to_uuid": given["belongs_to_uuid"],
            "mac": mac,
            "owner_uuid": given["owner_uuid"],
            "primary": truthy(given.get("primary")),
            "state": "provisioning",
            "created_timestamp": now,
            "modified_timestamp": now,
        }
        nic.update((field, given[field]) for field in _OWN if given.get(field) is not None)
        nic = _flagged(nic)
        if given.get("network_uuid"):
            nic.update(self._address(given))
        with self._napi.dc.store.transaction():
            self._put(nic)
            self._reserve(nic, given)
        return self.view(nic)

    def update(self, mac: str, changes: dict[str, Any]) -> Nic:
        """Change a nic, its network or address too; the old address is given back. Raises 422, 507."""
        old = self._nics.get(mac)
        if old is None:
            raise KeyError(mac)
        problems = _check({**old, **changes})
        if problems:
            raise InvalidParameters(*problems)
        nic = {**old, "modified_timestamp": iso()}
        nic.update((field, changes[field]) for field in _OWN if field in changes)
        nic = _flagged(nic)
        nic["primary"] = truthy(changes.get("primary", old["primary"]))
        moved = {"network_uuid", "ip"} & changes.keys()
        if moved and any(changes[field] != old.get(field) for field in moved):
            nic.update(
                self._address({"ip": None, **nic, **changes} if "network_uuid" in changes else {**nic, **changes})
            )
        with self._napi.dc.store.transaction():
            self._put(nic)
            self._reserve(nic, changes)
        return self.view(nic)

    def delete(self, mac: str) -> None:
        self._nics.delete(mac)

    def delete_of(self, belongs_to_uuid: str) -> None:
        """Delete every nic of a VM; harmless when it has none."""
        with self._napi.dc.store.transaction():
            for mac in tuple(self._by_owner.get(belongs_to_uuid, ())):
                self.delete(mac)

    def new_mac(self) -> str:
        """A MAC that no nic has."""
        while True:
            mac = f"{_OUI}:{secrets.token_bytes(3).hex(':')}"
            if mac not in self._nics:
                return mac

    def set_state(self, belongs_to_uuid: str, state: str) -> None:
        """Note that a VM's nics are ``running`` or ``stopped``, as net-agent does on a real server."""
        for nic in self._documents(belongs_to_uuid):
            if nic["state"] != state:
                self._nics.update(nic["mac"], state=state)

    def _documents_on(self, network_uuid: str) -> list[Nic]:
        found = (self._nics.get(mac) for mac in self._by_network.get(network_uuid, ()))
        return [nic for nic in found if nic is not None]

    def _reserve(self, nic: Nic, given: dict[str, Any]) -> None:
        """``reserved`` is said of the address: it stays taken when the nic goes."""
        network = self._napi.network(nic["network_uuid"]) if "reserved" in given and "network_uuid" in nic else None
        if network is not None:
            self._napi.records.update(network, nic["ip"], {"reserved": given["reserved"]})

    def set_owner(self, belongs_to_uuid: str, owner_uuid: str) -> None:
        """Give a VM's nics to the account that the VM was given to."""
        for nic in self._documents(belongs_to_uuid):
            self._nics.update(nic["mac"], owner_uuid=owner_uuid)

    def _documents(self, belongs_to_uuid: str) -> list[Nic]:
        found = (self._nics.get(mac) for mac in self._by_owner.get(belongs_to_uuid, ()))
        return [nic for nic in found if nic is not None]

    def _put(self, nic: Nic) -> None:
        """Store a nic; a primary one takes that from the others of its VM."""
        if nic["primary"]:
            for other in self._documents(nic["belongs_to_uuid"]):
                if other["primary"] and other["mac"] != nic["mac"]:
                    self._nics.update(other["mac"], primary=False)
        self._nics.put(nic["mac"], nic)

    def _index(self, mac: str, before: Nic | None, after: Nic | None) -> None:
        """Follow every change of the table, a failed transaction's undoing too: by owner, network and address."""
        for field, index in (("belongs_to_uuid", self._by_owner), ("network_uuid", self._by_network)):
            was, now = (nic and nic.get(field) for nic in (before, after))
            if was and was != now:
                del index[was][mac]
                if not index[was]:
                    del index[was]
            if now:
                index[now][mac] = None
        old, new = (nic and nic.get("ip") and (nic["network_uuid"], nic["ip"]) for nic in (before, after))
        if old and old != new:
            self._napi.give_back(*old)
        if new and old != new:
            self._napi.claim(*new)

    def _with_network(self, given: dict[str, Any]) -> dict[str, Any]:
        """The parameters with the network they mean. Raises 422 when they contradict one another, or mean none."""
        told = {field: str(given[field]) for field in ("nic_tag", "vlan_id") if given.get(field) not in (None, "")}
        if "nic_tag" in told:
            told["nic_tag"] = told["nic_tag"].partition("/")[0]  # an overlay's tag is shown with its vnet_id
        name = given.get("network_uuid")
        if not told or (name and self._napi.pool(str(name))):
            return given
        if name:
            network = self._napi.network(str(name)) or {}
            wrong = [invalid(field, "must match network") for field in told if str(network.get(field)) != told[field]]
            if network and wrong:
                raise InvalidParameters(*wrong)
            return given
        address = read_address(given.get("ip"))
        for network in self._napi.networks(**told):
            if address is None or address in self._napi.subnet(network["uuid"]):
                return {**given, "network_uuid": network["uuid"]}
        text = "No networks found matching parameters"
        raise InvalidParameters(invalid("nic_tag", text), invalid("vlan_id", text))

    def _address(self, given: dict[str, Any]) -> dict[str, str]:
        """Choose network and address for a nic. Raises 422, 507."""
        name, owner = given["network_uuid"], given["owner_uuid"]
        networks = self._candidates(name)
        tags = given.get("nic_tags_available")
        if tags is not None:
            networks = [network for network in networks if network["nic_tag"] in choices(tags)]
            if not networks:
                raise InvalidParameters(invalid("nic_tags_available", "no network with one of these nic tags"))
        if given.get("check_owner") not in (False, "false") and owner != self._napi.dc.mahi.admin_uuid:
            networks = [network for network in networks if provisionable(network, owner)]
            if not networks:
                raise InvalidParameters(invalid("owner_uuid", "network owner_uuids do not match"))
        if given.get("ip") is not None:
            return self._claim(networks[0], given["ip"], pool=networks[0]["uuid"] != name and name != "admin")
        for network in networks:
            address = self._napi.space(network["uuid"]).take()
            if address is not None:
                return {"network_uuid": network["uuid"], "ip": str(IPv4Address(address))}
        if self._napi.pool(name) is None:
            raise SubnetFull(networks[0]["uuid"])
        raise PoolFull

    def _candidates(self, name: str) -> list[Network]:
        network = self._napi.network(name)
        if network is not None:
            return [network]
        pool = self._napi.pool(name)
        members = [self._napi.network(uuid) for uuid in pool["networks"]] if pool else []
        found = [member for member in members if member is not None]
        if not found:
            raise InvalidParameters(invalid("network_uuid", "network does not exist"))
        return found

    def _claim(self, network: Network, ip: Any, *, pool: bool) -> dict[str, str]:
        if pool:
            raise InvalidParameters(invalid("ip", "IP cannot be specified with a network pool"))
        address = read_address(ip)
        if address is None:
            raise InvalidParameters(invalid("ip", "invalid IP address"))
        if address not in self._napi.subnet(network["uuid"]):
            raise InvalidParameters(invalid("ip", "ip cannot be outside subnet"))
        if not self._napi.space(network["uuid"]).claim(int(address)):
            holder = self._napi.records.get(network, str(address))
            if "belongs_to_uuid" in holder:
                raise InvalidParameters(
                    {"field": "ip", **used_by(holder["belongs_to_type"], holder["belongs_to_uuid"])}
                )
        return {"network_uuid": network["uuid"], "ip": str(address)}

    def view(self, nic: Nic) -> Nic:
        """A stored nic as NAPI shows it, with what comes of its network."""
        network = self._napi.network(nic["network_uuid"]) if "network_uuid" in nic else None
        if network is None:
            return dict(nic)
        view = {field: value for field, value in nic.items() if field not in ("network_uuid", "cn_uuid")}
        view.update((field, network[field]) for field in _OF_NETWORK if field in network)
        if "vnet_id" in network:
            view["nic_tag"] = f"{network['nic_tag']}/{network['vnet_id']}"
        view["network_uuid"] = nic["network_uuid"]
        if "cn_uuid" in nic:
            view["cn_uuid"] = nic["cn_uuid"]
        return view


def _wrong_uuids(field: str, value: Any) -> list[Problem]:
    """What of a filter's alternatives is no uuid."""
    wrong = sorted({text for text in choices(value) if not is_uuid(text)})
    return [{**invalid(field, "invalid UUID"), "invalid": wrong}] if wrong else []


def _flagged(nic: Nic) -> Nic:
    """A nic with flags that are set, as booleans, and no others."""
    flags = {flag: True for flag in SPOOF_FLAGS if truthy(nic.get(flag))}
    return {**{field: value for field, value in nic.items() if field not in SPOOF_FLAGS}, **flags}


def _listed(nic: Nic, field: str, values: list[str]) -> bool:
    """Whether a nic passes one filter: a flag, one of several tags, or a value."""
    held = nic.get(field)
    if field in SPOOF_FLAGS:
        return truthy(held) == truthy(values[0])
    if isinstance(held, list):
        return any(item in values for item in held)
    return str(held) in values


def _check(given: dict[str, Any]) -> list[Problem]:
    problems = []
    kind = given.get("belongs_to_type")
    if kind is None:
        problems.append(missing("belongs_to_type"))
    elif kind not in _OWNERS:
        problems.append(invalid("belongs_to_type", 'must be one of: "other", "server", "zone"'))
    for field in ("belongs_to_uuid", "owner_uuid"):
        if not given.get(field):
            problems.append(missing(field))
        elif not is_uuid(given[field]):
            problems.append(invalid(field, "invalid UUID"))
    if given.get("state") is not None and given["state"] not in _STATES:
        problems.append(invalid("state", 'must be one of: "provisioning", "stopped", "running"'))
    if given.get("cn_uuid") is not None and not is_uuid(given["cn_uuid"]):
        problems.append(invalid("cn_uuid", "invalid UUID"))
    if given.get("network_uuid") not in (None, "", "admin") and not is_uuid(given["network_uuid"]):
        problems.append(invalid("network_uuid", "invalid UUID"))
    if given.get("ip") is not None and not given.get("network_uuid"):
        problems += [{**missing(field), "message": _WITHOUT_NETWORK} for field in ("nic_tag", "vlan_id")]
    return problems

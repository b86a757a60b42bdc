"""Fabrics: each account's own virtual network, cut into VLANs and subnets by the account itself."""

from __future__ import annotations

import secrets
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError, not_found, truthy
from datacenter.services.napi import blocks, networks
from datacenter.services.napi.errors import InUse, InvalidParameters, duplicate, invalid, missing, overlap, used_by
from datacenter.services.napi.networks import Network, whole

if TYPE_CHECKING:
    from datacenter.services.napi.model import Napi

Vlan = dict[str, Any]

DEFAULT_NAME = "My-Fabric-Network"
DEFAULT_VLAN = 2
NIC_TAG = "sdc_overlay"
LAST_VLAN = 4095
VLAN_RULE = f"VLAN ID must be a number between 0 and {LAST_VLAN}"

_PRIVATE = [IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
_ALLOC_PREFIXES = range(16, 30)


class Fabrics:
    """VLANs and networks of the accounts' overlays.

    On a real overlay two accounts may use the same subnet. Here all of them meet in one host's routing
    table, so a subnet that is in use anywhere in the data center is refused.
    """

    def __init__(self, napi: Napi) -> None:
        self._napi = napi
        self._vlans = napi.dc.store.bucket("fabric_vlans")
        self._vnets = napi.dc.store.bucket("fabric_vnets")

    def vlans(self, owner_uuid: str) -> list[Vlan]:
        return self._vlans.find(owner_uuid=owner_uuid)

    def vlan(self, owner_uuid: str, vlan_id: str) -> Vlan:
        """One VLAN. Raises 404."""
        found = self._vlans.get(f"{owner_uuid}/{vlan_id}")
        if found is None:
            raise not_found("vlan not found")
        return found

    def create_vlan(self, owner_uuid: str, given: dict[str, Any]) -> Vlan:
        """Make a VLAN of an account's fabric. Raises 422 InvalidParameters."""
        problems = [missing(field) for field in ("name", "vlan_id") if given.get(field) in (None, "")]
        vlan_id = given.get("vlan_id")
        if vlan_id is not None and not (whole(vlan_id) and int(vlan_id) <= LAST_VLAN):
            problems.append(invalid("vlan_id", VLAN_RULE))
        elif f"{owner_uuid}/{vlan_id}" in self._vlans:
            problems.append(duplicate("vlan_id"))
        if problems or vlan_id is None:
            raise InvalidParameters(*problems, *_wrong_texts(given))
        vlan = {"name": given["name"], "owner_uuid": owner_uuid, "vlan_id": int(vlan_id)}
        vlan["vnet_id"] = self._vnet(owner_uuid)
        return self._put_vlan(vlan, given)

    def update_vlan(self, vlan: Vlan, given: dict[str, Any]) -> Vlan:
        return self._put_vlan({**vlan, "name": given.get("name", vlan["name"])}, given)

    def delete_vlan(self, vlan: Vlan) -> None:
        """Delete a VLAN without networks. Raises 422 InUse."""
        users = [used_by("network", network["uuid"]) for network in self.networks(vlan)]
        if users:
            raise InUse("VLAN must have no networks on it", users)
        self._vlans.delete(f"{vlan['owner_uuid']}/{vlan['vlan_id']}")

    def networks(self, vlan: Vlan) -> list[Network]:
        owned = self._napi.networks(owner_uuid=vlan["owner_uuid"], fabric=True)
        return [network for network in owned if network["vlan_id"] == vlan["vlan_id"]]

    def network(self, vlan: Vlan, network_uuid: str) -> Network:
        """One network of a VLAN. Raises 404."""
        for network in self.networks(vlan):
            if network["uuid"] == network_uuid:
                return network
        raise not_found("network not found")

    def create_network(self, vlan: Vlan, given: dict[str, Any]) -> Network:
        """Make a network: with a subnet that is given, or (``subnet_alloc``) one that is found.

        The found subnet gets a gateway at its first address. Raises 422, 507 SubnetsExhausted.
        """
        fields = {
            name: value for name, value in given.items() if name not in ("subnet_alloc", "family", "subnet_prefix")
        }
        if truthy(given.get("subnet_alloc")):
            fields = {**self._allocate(given), **fields}
        nat = "gateway" in fields and fields.get("internet_nat", True) not in (False, "false")
        owner = vlan["owner_uuid"]
        owned = self._napi.networks(owner_uuid=owner, fabric=True)
        network = networks.build(
            {**fields, "nic_tag": NIC_TAG, "vlan_id": vlan["vlan_id"], "owner_uuids": [owner], "owner_uuid": owner}
            | {"fabric": True, "vnet_id": vlan["vnet_id"], "internet_nat": nat, "gateway_provisioned": nat},
            owned,
        )
        self._check_subnet(IPv4Network(network["subnet"]), {known["uuid"] for known in owned})
        return self._napi.add_network(network)

    def ensure_default(self, owner_uuid: str) -> Network:
        """The network an account's containers use when they name none, made when it is missing."""
        known = self._napi.networks(owner_uuid=owner_uuid, fabric=True, name=DEFAULT_NAME)
        if known:
            return known[0]
        with self._napi.dc.store.transaction():
            vlan = self._vlans.get(f"{owner_uuid}/{DEFAULT_VLAN}")
            if vlan is None:
                vlan = self.create_vlan(owner_uuid, {"name": "My-Fabric-VLAN", "vlan_id": DEFAULT_VLAN})
            resolvers = blocks.host_resolvers()
            return self.create_network(vlan, {"name": DEFAULT_NAME, "subnet_alloc": True, "resolvers": resolvers})

    def _put_vlan(self, vlan: Vlan, given: dict[str, Any]) -> Vlan:
        if wrong := _wrong_texts(given):
            raise InvalidParameters(*wrong)
        if given.get("description"):
            vlan["description"] = given["description"]
        return self._vlans.put(f"{vlan['owner_uuid']}/{vlan['vlan_id']}", vlan)

    def _vnet(self, owner_uuid: str) -> int:
        """The 24-bit id of an account's overlay, chosen once."""
        known = self._vnets.get(owner_uuid)
        taken = {doc["vnet_id"] for doc in self._vnets.all()}
        while known is None:
            vnet_id = secrets.randbelow(1 << 24)
            if vnet_id and vnet_id not in taken:
                known = self._vnets.put(owner_uuid, {"vnet_id": vnet_id})
        return int(known["vnet_id"])

    def _allocate(self, given: dict[str, Any]) -> dict[str, Any]:
        prefix = given.get("subnet_prefix", blocks.DEFAULT_FABRIC_PREFIX)
        if given.get("family", "ipv4") != "ipv4":
            raise InvalidParameters(invalid("family", "only ipv4 subnets are allocated"))
        if not whole(prefix) or int(prefix) not in _ALLOC_PREFIXES:
            raise InvalidParameters(invalid("subnet_prefix", "must be a number between 16 and 29"))
        used = list(self._napi.subnets().values())
        subnet = blocks.free_subnet(blocks.fabric_blocks(self._napi.dc.settings.index), int(prefix), used)
        if subnet is None:
            raise RestError(507, "SubnetsExhausted", "no more free subnets")
        gateway, first, last = blocks.provision_range(subnet)
        return {
            "subnet": str(subnet),
            "gateway": gateway,
            "provision_start_ip": first,
            "provision_end_ip": last,
            "resolvers": blocks.host_resolvers(),
        }

    def _check_subnet(self, subnet: IPv4Network, owned: set[str]) -> None:
        if not any(subnet.subnet_of(private) for private in _PRIVATE):
            raise InvalidParameters(invalid("subnet", "Subnet must be in a private range"))
        clashes = [name for name, other in self._napi.subnets().items() if subnet.overlaps(other)]
        problems = [overlap(name) for name in clashes if name in owned]
        if clashes and not problems:  # another account's: say no more than that
            problems = [invalid("subnet", "subnet overlaps with another network")]
        if problems:
            raise InvalidParameters(*problems)


def _wrong_texts(given: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        invalid(field, "must be a string of at most 64 characters")
        for field in ("name", "description")
        if given.get(field) is not None and not (isinstance(given[field], str) and len(given[field]) <= 64)
    ]

"""Networks as VMs ask for them, in every form that VMAPI takes, and what NAPI knows of them."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError, is_uuid, truthy

if TYPE_CHECKING:
    from datacenter.services.napi import Napi

Doc = dict[str, Any]
Ref = dict[str, Any]
"""``{uuid | name, primary?, ip?}``; ``uuid`` is None where a name is given."""

IPV6 = ("ipv6_uuid", "ipv6_count", "ipv6_ips")


def read_networks(asked: Any) -> list[Ref]:
    """Read a list of networks, or uuids with commas between them. Raises ValueError with a sentence."""
    networks = asked.split(",") if isinstance(asked, str) else asked
    if not isinstance(networks, list):
        raise ValueError("Must be an array")  # noqa: TRY004 - a request's fault, not a caller's
    refs = [_read(network) for network in networks]
    if sum(1 for ref in refs if ref.get("primary")) > 1:
        raise ValueError("Only one network may be primary")
    return refs


def _read(network: Any) -> Ref:
    if isinstance(network, str):
        return {"uuid": _uuid(network)}
    if not isinstance(network, dict):
        raise ValueError("Must be an array of UUIDs or objects")  # noqa: TRY004
    if "uuid" in network and ("ipv4_uuid" in network or "ipv6_uuid" in network):
        raise ValueError("A network is named by uuid or by ipv4_uuid, not by both")
    if any(field in network for field in IPV6):
        raise ValueError("IPv6 is not supported")
    uuid = network.get("uuid") or network.get("ipv4_uuid")
    if uuid is None and not network.get("name"):
        raise ValueError("A network needs a uuid or a name")
    ref: Ref = {"uuid": None if uuid is None else _uuid(uuid)}
    if uuid is None:
        ref["name"] = network["name"]
    if truthy(network.get("primary")):
        ref["primary"] = True
    ip = _address(network)
    return ref if ip is None else {**ref, "ip": ip}


def _uuid(uuid: Any) -> str:
    if not is_uuid(uuid):
        raise ValueError(f"Invalid UUID: {uuid}")
    return str(uuid)


def _address(network: Doc) -> str | None:
    """The one address a network is asked for; None leaves the choice to NAPI."""
    count, addresses = network.get("ipv4_count"), network.get("ipv4_ips")
    if count is not None and addresses is not None:
        raise ValueError("ipv4_count and ipv4_ips exclude each other")
    if count is not None and (isinstance(count, bool) or count != 1):
        raise ValueError("ipv4_count must be 1")
    if addresses is None:
        addresses = [network["ip"]] if network.get("ip") else []
    elif not isinstance(addresses, list) or len(addresses) != 1:
        raise ValueError("ipv4_ips must be an array of one address")
    for address in addresses:
        try:
            IPv4Address(str(address))
        except AddressValueError as error:
            raise ValueError(f"Invalid IPv4 address: {address}") from error
    return str(addresses[0]) if addresses else None


def find_network(napi: Napi, ref: Ref, owner_uuid: str) -> Doc:
    """The network or pool that is meant; a name means one that the owner may use. Raises RestError."""
    if ref["uuid"] is None:
        named = [net for net in napi.networks(provisionable_by=owner_uuid) if net["name"] == ref["name"]]
        if named:
            return named[0]
        raise RestError(409, "UnprocessableEntity", f"No such Network or Pool with name: {ref['name']}")
    network = napi.network(ref["uuid"]) or napi.pool(ref["uuid"])
    if network is None:
        raise RestError(409, "UnprocessableEntity", f"No such Network or Pool with UUID: {ref['uuid']}")
    return network


def nic_tags(network: Doc) -> list[str]:
    """The tags of which a server must carry one for this network; a pool has several."""
    return list(network.get("nic_tags_present") or [network["nic_tag"]])

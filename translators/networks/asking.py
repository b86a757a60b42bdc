"""What a client may ask of a new network, and NAPI's words for it. Facts: moby ``ValidateIPAM``, libnetwork. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from gateway.errors import Forbidden, InvalidParameter, NotFound, NotImplementedHere
from translators.networks.model import IpamConfig, NetworkCreate
from translators.networks.predefined import DRIVERS as PREDEFINED
from translators.networks.view import DRIVERS

Json = dict[str, Any]

MTU_OPTION = "com.docker.network.driver.mtu"
PREFIX = 24
"""Bits of a subnet that the data center finds."""
SMALLEST = 29
MOST_LETTERS = 64
"""Letters of a name that NAPI keeps."""


def check(body: NetworkCreate) -> None:
    """Raise for everything that a network of a data center cannot be, in dockerd's words where it has some."""
    name = body.Name
    if not name.strip():
        raise InvalidParameter(f'invalid network name "{name}": name is empty')
    if name in {*PREDEFINED, "default"}:
        raise Forbidden(f"operation is not permitted on predefined {name} network")
    if len(name) > MOST_LETTERS:
        raise InvalidParameter(f"invalid network name: a name may have at most {MOST_LETTERS} letters here")
    _check_kind(body)
    _check_driver(body.Driver)
    if body.EnableIPv6:
        raise NotImplementedHere("IPv6 is not supported: networks of this data center have IPv4 addresses only")
    if body.EnableIPv4 is False:
        raise NotImplementedHere("a network without IPv4 is not supported: it would have no addresses at all")
    if body.IPAM and body.IPAM.Driver not in {"", "default"}:
        raise NotFound(f'plugin "{body.IPAM.Driver}" not found')


def _check_kind(body: NetworkCreate) -> None:
    if body.Ingress:
        raise Forbidden("Ingress network can only be global scope network")
    if body.Scope == "swarm":
        raise Forbidden("this node is not a swarm manager: a data center is no swarm")
    if body.Scope not in {"", "local", "global"}:
        raise InvalidParameter(f"invalid network scope: {body.Scope}")
    if body.ConfigOnly or (body.ConfigFrom and body.ConfigFrom.Network):
        raise NotImplementedHere("config-only networks are not supported: give each network its own configuration")


def _check_driver(driver: str) -> None:
    if driver in {"", *DRIVERS}:
        return
    if driver in {"host", "null"}:
        raise Forbidden(f'only one instance of "{driver}" network is allowed')
    if driver in {"macvlan", "ipvlan"}:
        raise NotImplementedHere(
            f"driver {driver} is not supported: it would put containers on a network of the compute nodes themselves"
        )
    raise NotFound(f'could not find plugin {driver} in v1 plugin registry: plugin "{driver}" not found')


def payload(body: NetworkCreate) -> Json:
    """Return what NAPI takes, without resolvers. Raises InvalidParameter, NotImplementedHere."""
    made: Json = {"name": body.Name, "internet_nat": not body.Internal}
    mtu = (body.Options or {}).get(MTU_OPTION)
    if mtu is not None:
        if not (mtu.isascii() and mtu.isdecimal()):
            raise InvalidParameter(f"invalid value for option {MTU_OPTION}: {mtu}")
        made["mtu"] = int(mtu)
    configs = (body.IPAM.Config if body.IPAM else None) or []
    given = [config for config in configs if config != IpamConfig()]
    if not given:
        return made | {"subnet_alloc": True, "family": "ipv4", "subnet_prefix": PREFIX}
    if len(given) > 1:
        raise NotImplementedHere("several subnets are not supported: a network of this data center has one")
    return made | _addresses(given[0], internal=body.Internal)


def _addresses(asked: IpamConfig, *, internal: bool) -> Json:
    subnet = _subnet(asked.Subnet)
    if asked.AuxiliaryAddresses:
        raise NotImplementedHere("auxiliary addresses are not supported: keep them out with an ip-range")
    gateway = _gateway(asked.Gateway, subnet) if asked.Gateway else subnet.network_address + 1
    first, last = subnet.network_address + 1, subnet.broadcast_address - 1
    if asked.IPRange:
        span = _range(asked.IPRange, subnet)
        first, last = max(first, span.network_address), min(last, span.broadcast_address)
    if first == gateway:
        first += 1
    if first > last:
        raise InvalidParameter(_wrong(f"invalid ip-range {asked.IPRange}: it has no address for a container"))
    made = {"subnet": str(subnet), "provision_start_ip": str(first), "provision_end_ip": str(last)}
    return made if internal else made | {"gateway": str(gateway)}


def _wrong(text: str) -> str:
    return f"invalid network config:\n{text}"


def _block(text: str, what: str) -> IPv4Network | IPv6Network:
    sentence = f"invalid {what} {text}: invalid CIDR block notation"
    if "/" not in text:
        raise InvalidParameter(_wrong(sentence))
    try:
        found = ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidParameter(_wrong(sentence)) from error
    if str(ip_address(text.partition("/")[0])) != str(found.network_address):
        raise InvalidParameter(_wrong(f"invalid {what} {text}: it should be {found}"))
    return found


def _subnet(text: str) -> IPv4Network:
    subnet = _block(text, "subnet")
    if isinstance(subnet, IPv6Network):
        raise NotImplementedHere("IPv6 is not supported: networks of this data center have IPv4 addresses only")
    if subnet.prefixlen > SMALLEST:
        raise InvalidParameter(_wrong(f"invalid subnet {text}: the smallest that this data center has is /{SMALLEST}"))
    return subnet


def _range(text: str, subnet: IPv4Network) -> IPv4Network:
    span = _block(text, "ip-range")
    if isinstance(span, IPv6Network):
        raise InvalidParameter(_wrong(f"invalid ip-range {text}: parent subnet is an IPv4 block"))
    if span.prefixlen < subnet.prefixlen:
        raise InvalidParameter(_wrong(f"invalid ip-range {text}: CIDR block is bigger than its parent subnet {subnet}"))
    if not span.subnet_of(subnet):
        raise InvalidParameter(_wrong(f"invalid ip-range {text}: parent subnet {subnet} doesn't contain ip-range"))
    return span


def _gateway(text: str, subnet: IPv4Network) -> IPv4Address:
    try:
        address = IPv4Address(text)
    except ValueError as error:
        raise InvalidParameter(_wrong(f"invalid gateway {text}: invalid address")) from error
    if address not in subnet:
        raise InvalidParameter(_wrong(f"invalid gateway {text}: parent subnet {subnet} doesn't contain this address"))
    return address


def kept(body: NetworkCreate) -> Json:
    """Return what is kept of a request, for clients to see again."""
    return {
        "Driver": body.Driver or "bridge",
        "Labels": body.Labels or {},
        "Options": body.Options or {},
        "Attachable": body.Attachable,
        "Internal": body.Internal,
        "IpamOptions": body.IPAM.Options if body.IPAM else None,
        "IPRange": next((c.IPRange for c in (body.IPAM.Config if body.IPAM else None) or () if c.IPRange), ""),
    }


def warning(body: NetworkCreate) -> str:
    """Name the options that are kept and do nothing."""
    lost = [option for option in body.Options or {} if option != MTU_OPTION]
    lost += list((body.IPAM.Options if body.IPAM else None) or {})
    return f"Options without effect in this data center: {', '.join(sorted(lost))}" if lost else ""

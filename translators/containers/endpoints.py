"""What a container may ask of its place in a network. Pure."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

from gateway.errors import InvalidParameter
from translators.containers.model import ContainerCreate, EndpointSettings

ASKED_ENDPOINTS = "docker:asked_endpoints"
"""Metadata: what inspect shows of a container's endpoints as it was asked for, by the network's uuid."""
NO_MAC = "MacAddress is not supported: the data center chooses hardware addresses."
NO_NAMES = "containers have no names there, unless nodes advertise network-names"
_MAC = re.compile(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}")


def check_endpoints(body: ContainerCreate) -> None:
    """Raise InvalidParameter, in dockerd's words, for addresses that are none or that no network has."""
    endpoints = [endpoint for endpoint in body.NetworkingConfig.EndpointsConfig.values() if endpoint]
    for mac in (body.MacAddress, *(endpoint.MacAddress for endpoint in endpoints)):
        if mac and not _MAC.fullmatch(mac):
            raise InvalidParameter(f"invalid MAC address: {mac}")
    for endpoint in endpoints:
        check_addresses(endpoint)


def check_addresses(endpoint: EndpointSettings) -> None:
    """Raise InvalidParameter for addresses of one endpoint that are none or that no network has."""
    asked = endpoint.IPAMConfig
    if asked is None:
        return
    try:
        if asked.IPv4Address:
            IPv4Address(asked.IPv4Address)
    except AddressValueError as error:
        raise InvalidParameter(f"invalid IPv4 address: {asked.IPv4Address}") from error
    try:
        if asked.IPv6Address:
            IPv6Address(asked.IPv6Address)
    except AddressValueError as error:
        raise InvalidParameter(f"invalid IPv6 address: {asked.IPv6Address}") from error
    if asked.IPv6Address:
        raise InvalidParameter(
            f"invalid endpoint settings: no configured subnet contains IP address {asked.IPv6Address}"
        )


def refuse_aliases(endpoint: EndpointSettings | None) -> None:
    """Raise InvalidParameter for aliases on the default network, which has no names but those of links."""
    if endpoint and endpoint.Aliases:
        raise InvalidParameter("network-scoped alias is supported only for containers in user defined networks")


def shown_again(endpoint: EndpointSettings) -> dict[str, Any]:
    """Return what inspect has to show of an endpoint as it was asked for, where that is not the usual."""
    asked: dict[str, Any] = {"GwPriority": endpoint.GwPriority} if endpoint.GwPriority else {}
    if endpoint.IPAMConfig and endpoint.IPAMConfig.IPv4Address:
        asked["IPAMConfig"] = {"IPv4Address": endpoint.IPAMConfig.IPv4Address}
    return asked


def endpoint_warnings(network: str, endpoint: EndpointSettings | None, *, names: bool) -> list[str]:
    """Name what has no effect on a network; ``names`` is whether containers have names there."""
    if endpoint is None:
        return []
    lost = {
        "DriverOpts": bool(endpoint.DriverOpts),
        "LinkLocalIPs": bool(endpoint.IPAMConfig and endpoint.IPAMConfig.LinkLocalIPs),
    }
    nameless = {} if names else {"Aliases": bool(endpoint.Aliases), "Links": bool(endpoint.Links)}
    return [f"{what} on the network {network} have no effect: {NO_NAMES}." for what in nameless if nameless[what]] + [
        f"{what} on the network {network} have no effect." for what in lost if lost[what]
    ]

"""What may be asked of a new network, and what NAPI is told."""

from __future__ import annotations

import pytest

from gateway.errors import Forbidden, InvalidParameter, NotFound, NotImplementedHere
from translators.networks import asking
from translators.networks.model import ConfigReference, Ipam, IpamConfig, NetworkCreate

FOUND = {"subnet_alloc": True, "family": "ipv4", "subnet_prefix": 24}


def body(**fields):
    return NetworkCreate(Name="net", **fields)


def ipam(**config):
    return Ipam(Config=[IpamConfig(**config)])


def span(first, last, gateway="10.7.0.1", subnet="10.7.0.0/24"):
    made = {"subnet": subnet, "provision_start_ip": first, "provision_end_ip": last}
    return made | ({"gateway": gateway} if gateway else {})


@pytest.mark.parametrize(("fields", "told"), [
    ({}, FOUND),
    ({"IPAM": Ipam(Driver="default", Config=[IpamConfig()])}, FOUND),
    ({"Driver": "overlay", "Scope": "global"}, FOUND),
    ({"Options": {"com.docker.network.driver.mtu": "1400"}}, FOUND | {"mtu": 1400}),
    ({"Internal": True}, FOUND | {"internet_nat": False}),
    ({"IPAM": ipam(Subnet="10.7.0.0/24")}, span("10.7.0.2", "10.7.0.254")),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", Gateway="10.7.0.9")}, span("10.7.0.1", "10.7.0.254", "10.7.0.9")),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", IPRange="10.7.0.128/25")}, span("10.7.0.128", "10.7.0.254")),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", IPRange="10.7.0.0/28")}, span("10.7.0.2", "10.7.0.15")),
    ({"IPAM": ipam(Subnet="10.7.0.0/24"), "Internal": True},
     span("10.7.0.2", "10.7.0.254", "") | {"internet_nat": False}),
])  # fmt: skip
def test_a_request_becomes_a_fabric_network(fields, told):
    asked = body(**fields)
    asking.check(asked)
    assert asking.payload(asked) == {"name": "net", "internet_nat": True} | told


INVALID = "invalid network config:\n"


@pytest.mark.parametrize(("fields", "kind", "says"), [
    ({"Name": " "}, InvalidParameter, "name is empty"),
    ({"Name": "x" * 65}, InvalidParameter, "at most 64"),
    ({"Name": "bridge"}, Forbidden, "operation is not permitted on predefined bridge network"),
    ({"Name": "default"}, Forbidden, "operation is not permitted on predefined default network"),
    ({"Driver": "host"}, Forbidden, 'only one instance of "host" network is allowed'),
    ({"Driver": "macvlan"}, NotImplementedHere, "driver macvlan is not supported"),
    ({"Driver": "weave"}, NotFound, 'plugin "weave" not found'),
    ({"Ingress": True}, Forbidden, "Ingress network can only be global scope network"),
    ({"Scope": "swarm"}, Forbidden, "not a swarm manager"),
    ({"Scope": "moon"}, InvalidParameter, "invalid network scope: moon"),
    ({"ConfigOnly": True}, NotImplementedHere, "config-only"),
    ({"ConfigFrom": ConfigReference(Network="x")}, NotImplementedHere, "config-only"),
    ({"EnableIPv6": True}, NotImplementedHere, "IPv6 is not supported"),
    ({"EnableIPv4": False}, NotImplementedHere, "without IPv4"),
    ({"IPAM": Ipam(Driver="dhcp")}, NotFound, 'plugin "dhcp" not found'),
    ({"Options": {"com.docker.network.driver.mtu": "big"}}, InvalidParameter, "driver.mtu: big"),
    ({"IPAM": Ipam(Config=[IpamConfig(Subnet="10.1.0.0/24"), IpamConfig(Subnet="10.2.0.0/24")])},
     NotImplementedHere, "several subnets"),
    ({"IPAM": ipam(Subnet="10.7.0.0")}, InvalidParameter, f"{INVALID}invalid subnet 10.7.0.0: invalid CIDR block notation"),
    ({"IPAM": ipam(Subnet="10.7.0.0/x")}, InvalidParameter, "invalid CIDR block notation"),
    ({"IPAM": ipam(Subnet="10.7.0.1/24")}, InvalidParameter, "invalid subnet 10.7.0.1/24: it should be 10.7.0.0/24"),
    ({"IPAM": ipam(Subnet="10.7.0.0/30")}, InvalidParameter, "the smallest"),
    ({"IPAM": ipam(Subnet="fd00::/64")}, NotImplementedHere, "IPv6 is not supported"),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", Gateway="10.8.0.1")}, InvalidParameter,
     "invalid gateway 10.8.0.1: parent subnet 10.7.0.0/24 doesn't contain this address"),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", Gateway="there")}, InvalidParameter, "invalid gateway there: invalid address"),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", IPRange="10.8.0.0/25")}, InvalidParameter, "doesn't contain ip-range"),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", IPRange="10.0.0.0/8")}, InvalidParameter, "bigger than its parent subnet"),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", IPRange="fd00::/80")}, InvalidParameter, "IPv4 block"),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", IPRange="10.7.0.0/32")}, InvalidParameter, "no address"),
    ({"IPAM": ipam(Subnet="10.7.0.0/24", AuxiliaryAddresses={"a": "10.7.0.9"})}, NotImplementedHere, "auxiliary"),
])  # fmt: skip
def test_what_no_network_can_be_is_refused(fields, kind, says):
    asked = NetworkCreate(**{"Name": "net", **fields})
    with pytest.raises(kind) as caught:
        asking.check(asked)
        asking.payload(asked)
    assert type(caught.value) is kind
    assert says in str(caught.value)


def test_options_without_effect_are_named():
    assert asking.warning(body(Options={"com.docker.network.driver.mtu": "1400"})) == ""
    told = asking.warning(body(Options={"b": "1"}, IPAM=Ipam(Options={"a": "2"})))
    assert told == "Options without effect in this data center: a, b"

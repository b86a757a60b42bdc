"""NAPI's fabrics against what the real one was seen to answer."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

OWNER = "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"
VM = "c0a80164-1111-4aaa-8bbb-0123456789ab"
BASE = f"/fabrics/{OWNER}/vlans"


def nic_body(**fields):
    return {"owner_uuid": OWNER, "belongs_to_uuid": VM, "belongs_to_type": "zone", **fields}


def test_fabric_vlans(http, errors, fabric_network):
    made = http.post(BASE, json={"vlan_id": 2, "name": "default"})
    assert made.status_code == 200
    assert list(made.json) == ["name", "owner_uuid", "vlan_id", "vnet_id"]
    assert (made.json["name"], made.json["owner_uuid"], made.json["vlan_id"]) == ("default", OWNER, 2)
    assert "Etag" in made.headers
    assert http.get(BASE).json == [made.json]
    assert errors(http.post(BASE, json={"vlan_id": 2, "name": "x"})) == [("vlan_id", "Duplicate")]
    assert errors(http.post(BASE, json={"vlan_id": 4096})) == [
        ("name", "MissingParameter"),
        ("vlan_id", "InvalidParameter"),
    ]
    second = http.post(BASE, json={"vlan_id": 3, "name": "x", "description": "d"}).json
    assert second["vnet_id"] == made.json["vnet_id"]
    assert http.put(f"{BASE}/3", json={"name": "y"}).json == {**second, "name": "y"}
    fabric_network()
    busy = http.delete(f"{BASE}/2")
    assert (busy.status_code, busy.json["code"], busy.json["errors"][0]["code"]) == (422, "InUse", "UsedBy")
    assert http.delete(f"{BASE}/3").status_code == 204
    assert http.get(f"{BASE}/3").json["message"] == "vlan not found"


def test_an_explicit_fabric_network(http, fabric_network):
    made = fabric_network()
    assert made.status_code == 200
    network = made.json
    assert network == {
        "family": "ipv4",
        "mtu": 1500,
        "nic_tag": "sdc_overlay",
        "name": "default",
        "provision_end_ip": "192.168.131.250",
        "provision_start_ip": "192.168.128.5",
        "subnet": "192.168.128.0/22",
        "uuid": network["uuid"],
        "vlan_id": 2,
        "fabric": True,
        "vnet_id": network["vnet_id"],
        "internet_nat": False,
        "gateway_provisioned": False,
        "resolvers": ["8.8.8.8", "8.8.4.4"],
        "gateway": "192.168.128.1",
        "owner_uuid": OWNER,
        "netmask": "255.255.252.0",
    }
    path = f"{BASE}/2/networks/{network['uuid']}"
    assert http.get(path).json == network
    assert http.get(f"{BASE}/2/networks").json == [network]
    assert http.put(path, json={"description": "mine"}).json == {**network, "description": "mine"}
    nic = http.post(f"/networks/{network['uuid']}/nics", json=nic_body()).json
    busy = http.delete(path)
    assert busy.json["errors"] == [
        {"type": "nic", "id": nic["mac"], "code": "UsedBy", "message": f'In use by nic "{nic["mac"]}"'}
    ]
    http.delete(f"/nics/{nic['mac']}")
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"name": None}, "name", "MissingParameter"),
        ({"subnet": None}, "subnet", "MissingParameter"),
        ({"subnet": "192.168.128.1/22"}, "subnet", "InvalidParameter"),
        ({"subnet": "192.168.128.0"}, "subnet", "InvalidParameter"),
        ({"gateway": "10.0.0.1"}, "gateway", "InvalidParameter"),
        ({"provision_end_ip": "192.168.131.255"}, "provision_end_ip", "InvalidParameter"),
        ({"resolvers": ["one.one"]}, "resolvers", "InvalidParameter"),
        ({"routes": {"10.0.0.0/8": "x"}}, "routes", "InvalidParameter"),
        ({"mtu": 100}, "mtu", "InvalidParameter"),
        ({"colour": "red"}, ["colour"], "UnknownParameters"),
        ({"subnet": "8.8.8.0/24", "provision_start_ip": "8.8.8.5", "provision_end_ip": "8.8.8.9", "gateway": None},
         "subnet", "InvalidParameter"),
    ],
)  # fmt: skip
def test_wrong_fabric_networks_are_refused(fields, field, code, errors, fabric_network):
    assert errors(fabric_network(**fields)) == [(field, code)]


def test_a_name_and_a_subnet_are_used_once(dc, http, errors, fabric_network):
    first = fabric_network().json
    again = fabric_network(subnet="192.168.200.0/22", provision_start_ip="192.168.200.5",
                           provision_end_ip="192.168.203.250", gateway="192.168.200.1")  # fmt: skip
    assert errors(again) == [("name", "Duplicate")]
    overlapping = fabric_network(name="other")
    assert overlapping.json["errors"][0]["id"] == first["uuid"]
    other = dc.mahi.create_account("mallory")
    vlan = dc.napi.fabrics.create_vlan(other["uuid"], {"name": "v", "vlan_id": 9})
    body = {name: first[name] for name in ("name", "subnet", "provision_start_ip", "provision_end_ip")}
    refused = http.post(f"/fabrics/{other['uuid']}/vlans/{vlan['vlan_id']}/networks", json=body)
    assert errors(refused) == [("subnet", "InvalidParameter")]
    assert first["uuid"] not in refused.text


def test_a_subnet_is_found_when_none_is_given(fabric_network):
    nets = [
        fabric_network(name=name, subnet=None, provision_start_ip=None, provision_end_ip=None, gateway=None,
                       internet_nat=None, subnet_alloc=True, family="ipv4", subnet_prefix=prefix).json
        for name, prefix in (("a", 24), ("b", 22), ("c", 24))
    ]  # fmt: skip
    assert [net["subnet"] for net in nets] == ["10.128.0.0/24", "10.128.4.0/22", "10.128.1.0/24"]
    assert (nets[1]["gateway"], nets[1]["provision_start_ip"]) == ("10.128.4.1", "10.128.4.5")
    assert nets[1]["internet_nat"] is nets[1]["gateway_provisioned"] is True


def test_subnets_run_out(dc):
    vlan = dc.napi.fabrics.create_vlan(OWNER, {"name": "v", "vlan_id": 9})
    for number in range(4):
        dc.napi.fabrics.create_network(vlan, {"name": f"n{number}", "subnet_alloc": True, "subnet_prefix": 16})
    path = f"{BASE}/9/networks"
    exhausted = dc.napi.app.test_client().post(path, json={"name": "x", "subnet_alloc": True})
    assert (exhausted.status_code, exhausted.json["code"]) == (507, "SubnetsExhausted")


def test_accounts_get_fabrics_that_never_meet(dc):
    nets = [dc.napi.ensure_default_fabric(dc.mahi.create_account(f"user{n}")["uuid"]) for n in range(5)]
    subnets = [IPv4Network(net["subnet"]) for net in nets]
    assert all(net.subnet_of(IPv4Network("10.128.0.0/16")) and net.prefixlen == 22 for net in subnets)
    assert not any(a.overlaps(b) for a in subnets for b in subnets if a is not b)
    assert all(IPv4Address(net["gateway"]) == subnet[1] for net, subnet in zip(nets, subnets, strict=True))
    assert {net["mtu"] for net in nets} == {1500}

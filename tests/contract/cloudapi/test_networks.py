"""Networks, their addresses and an account's own fabric, through CloudAPI."""

from __future__ import annotations

import pytest

from tests.contract.cloudapi.caller import Caller

VLAN = "/my/fabrics/default/vlans"
ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def jdoe(dc):
    return Caller(dc)


@pytest.fixture
def eve(dc):
    return Caller(dc, "eve", "ecdsa-sha256")


@pytest.fixture
def fabric(dc, jdoe):
    return dc.napi.ensure_default_fabric(jdoe.uuid)


@pytest.fixture
def external(dc):
    return dc.napi.networks(name="external")[0]


def refusal(answer):
    return answer.status_code, answer.json["code"], answer.json["message"]


def nic(dc, network, owner, vm=ABSENT):
    return dc.napi.provision_nic(network["uuid"], owner_uuid=owner, belongs_to_uuid=vm, cn_uuid=None)


def test_networks_pools_and_fabrics(dc, jdoe, eve, fabric, external):
    listed = {network["name"]: network for network in jdoe.get("/my/networks").json}
    assert listed.keys() == {"external", "My-Fabric-Network"}
    assert (listed["external"]["public"], listed["My-Fabric-Network"]["public"]) == (True, False)
    assert jdoe.get(f"/my/networks/{fabric['uuid']}").json == listed["My-Fabric-Network"]
    assert [network["name"] for network in jdoe.get("/my/networks?fabric=true").json] == ["My-Fabric-Network"]
    pool = dc.napi.pools.put({"name": "both", "networks": [external["uuid"]]})
    assert [network["name"] for network in jdoe.get("/my/networks").json] == ["both", "My-Fabric-Network"]
    assert jdoe.get(f"/my/networks/{pool['uuid']}").json == {"id": pool["uuid"], "name": "both", "public": True}
    assert eve.get(f"/my/networks/{fabric['uuid']}").status_code == 404
    assert jdoe.get(f"/my/networks/{dc.napi.network('admin')['uuid']}").status_code == 404
    assert jdoe.get("/my/networks/admin").status_code == 404


def test_addresses_of_an_own_network(dc, jdoe, eve, fabric):
    mine = nic(dc, fabric, jdoe.uuid)
    path = f"/my/networks/{fabric['uuid']}/ips"
    listed = {ip["ip"]: ip for ip in jdoe.get(path).json}
    assert listed[mine["ip"]] == {
        "ip": mine["ip"], "reserved": False, "managed": False, "owner_uuid": jdoe.uuid, "belongs_to_uuid": ABSENT,
    }  # fmt: skip
    assert listed[fabric["gateway"]] == {"ip": fabric["gateway"], "reserved": True, "managed": True}
    assert jdoe.get(f"{path}/{mine['ip']}").json == listed[mine["ip"]]
    last = fabric["provision_end_ip"]
    free = {"ip": last, "reserved": False, "managed": False}
    assert jdoe.get(f"{path}/{last}").json == free
    assert jdoe.send("PUT", f"{path}/{last}", reserved=True).json == {**free, "reserved": True}
    assert last in [ip["ip"] for ip in jdoe.get(path).json]
    assert jdoe.send("PUT", f"{path}/{last}", reserved="false").json == free
    assert eve.get(path).status_code == eve.send("PUT", f"{path}/{last}", reserved=True).status_code == 404


@pytest.mark.parametrize(
    ("ip", "body", "status", "told"),
    [
        ("{gateway}", {"reserved": False}, 409, "cannot update managed IP: {gateway}"),
        ("{provision_end_ip}", {}, 409, "reserved is a required argument"),
        ("{provision_end_ip}", {"reserved": "perhaps"}, 409, "reserved must be set to true or false"),
        ("nowhere", {"reserved": True}, 409, 'property "ip": must be an IPv4 address: nowhere'),
        ("192.0.2.1", {"reserved": True}, 404, "192.0.2.1 not found"),
    ],
)
def test_addresses_that_stay_as_they_are(jdoe, fabric, ip, body, status, told):
    answer = jdoe.send("PUT", f"/my/networks/{fabric['uuid']}/ips/{ip.format(**fabric)}", **body)
    assert (answer.status_code, answer.json["message"]) == (status, told.format(**fabric))


def test_of_a_public_network_an_account_sees_its_own_addresses(dc, jdoe, eve, external):
    mine, hers = nic(dc, external, jdoe.uuid), nic(dc, external, eve.uuid)
    path = f"/my/networks/{external['uuid']}/ips"
    assert [ip["ip"] for ip in jdoe.get(path).json] == [mine["ip"]]
    assert jdoe.get(f"{path}/{hers['ip']}").status_code == jdoe.get(f"{path}/{external['gateway']}").status_code == 404
    told = f"cannot update an IP on a public network: {external['uuid']}"
    assert refusal(jdoe.send("PUT", f"{path}/{mine['ip']}", reserved=True)) == (409, "InvalidArgument", told)


def test_pools_and_the_admin_network_tell_no_addresses(dc, jdoe, external):
    pool = dc.napi.pools.put({"name": "pool", "networks": [external["uuid"]]})
    told = f"cannot get IPs in a network pool: {pool['uuid']}"
    assert refusal(jdoe.get(f"/my/networks/{pool['uuid']}/ips")) == (409, "InvalidArgument", told)
    for name in ("admin", dc.napi.network("admin")["uuid"], ABSENT):
        assert jdoe.get(f"/my/networks/{name}/ips").status_code == 404


@pytest.fixture
def network(jdoe):
    jdoe.send("POST", VLAN, vlan_id=7, name="seven")
    return jdoe.send(
        "POST", f"{VLAN}/7/networks", name="n", subnet="192.168.7.0/24", provision_start_ip="192.168.7.5",
        provision_end_ip="192.168.7.99", gateway="192.168.7.1", resolvers=["192.168.7.2"],
    ).json  # fmt: skip


def test_a_vlan_and_its_network_change(jdoe, network):
    answer = jdoe.send("PUT", f"{VLAN}/7", name="VII", description="seventh")
    assert (answer.status_code, answer.json) == (202, {"vlan_id": 7, "name": "VII", "description": "seventh"})
    path = f"{VLAN}/7/networks/{network['id']}"
    changed = jdoe.send("PUT", path, name="m", provision_end_ip="192.168.7.50", resolvers=[]).json
    assert (changed["name"], changed["provision_end_ip"], changed["resolvers"]) == ("m", "192.168.7.50", [])
    assert jdoe.get(path).json == {**network, **changed}


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("POST", "", {"name": "x"}, 'property "vlan_id": Missing parameter'),
        ("POST", "", {"name": "x", "vlan_id": 7}, 'property "vlan_id": Already exists'),
        ("POST", "", {"name": "x", "vlan_id": 5000}, 'property "vlan_id": VLAN ID must be a number between 0 and 4095'),
        ("POST", "", {"name": "x", "vlan_id": 8, "colour": 1}, "Unknown parameters: colour"),
        ("PUT", "/7", {"vlan_id": 8}, "Unknown parameters: vlan_id"),
        ("DELETE", "/7", {}, 'In use by network "{id}"'),
        ("POST", "/7/networks", {"name": "x", "subnet": "192.168.7.0/25", "provision_start_ip": "192.168.7.5", "provision_end_ip": "192.168.7.9"}, 'property "subnet": subnet overlaps with another network'),
        ("POST", "/7/networks", {"name": "x", "subnet": "8.8.8.0/24", "provision_start_ip": "8.8.8.5", "provision_end_ip": "8.8.8.9"}, 'property "subnet": Subnet must be in a private range'),
        ("POST", "/7/networks", {"name": "x", "owner_uuid": ABSENT}, "Unknown parameters: owner_uuid"),
        ("PUT", "/7/networks/{id}", {"subnet": "192.168.8.0/24"}, "Unknown parameters: subnet"),
        ("PUT", "/7/networks/{id}", {"provision_end_ip": "10.0.0.1"}, 'property "provision_end_ip": provision_end_ip cannot be outside subnet'),
    ],
)  # fmt: skip
def test_what_a_fabric_does_not_take(jdoe, network, method, path, body, told):
    answer = jdoe.send(method, VLAN + path.format(**network), **body)
    assert refusal(answer) == (409, "InvalidArgument", told.format(**network))
    assert jdoe.get(f"{VLAN}/7/networks").json == [network]


def test_a_network_in_use_stays(dc, jdoe, network):
    used = nic(dc, {"uuid": network["id"]}, jdoe.uuid)
    answer = jdoe.send("DELETE", f"{VLAN}/7/networks/{network['id']}")
    assert refusal(answer) == (409, "InvalidArgument", f'In use by nic "{used["mac"]}"')


def test_fabrics_of_others_are_out_of_sight(jdoe, eve, network):
    assert [vlan["vlan_id"] for vlan in eve.get(VLAN).json] == [2]
    for method, path in (("GET", "/7"), ("DELETE", "/7"), ("GET", f"/7/networks/{network['id']}")):
        assert eve.send(method, VLAN + path).status_code == 404
    assert eve.send("PUT", f"{VLAN}/2/networks/{network['id']}", name="mine").status_code == 404

"""NAPI's networks, nics, pools and addresses against what the real one was seen to answer."""

from __future__ import annotations

import uuid
from operator import itemgetter

import pytest

OWNER = "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"
VM = "c0a80164-1111-4aaa-8bbb-0123456789ab"
CN = "44454c4c-5300-1057-804e-b5c04f445a31"
ABSENT = "00000000-0000-4000-8000-000000000000"

NETWORK_KEYS = (
    "family mtu nic_tag name provision_end_ip provision_start_ip subnet uuid vlan_id resolvers gateway netmask"
).split()
NIC_KEYS = (
    "belongs_to_type belongs_to_uuid mac owner_uuid primary state created_timestamp modified_timestamp ip gateway mtu "
    "netmask nic_tag resolvers vlan_id network_uuid"
).split()
FABRIC_NIC_KEYS = (
    "belongs_to_type belongs_to_uuid mac owner_uuid primary state created_timestamp modified_timestamp ip fabric "
    "gateway gateway_provisioned internet_nat mtu netmask nic_tag resolvers vlan_id network_uuid cn_uuid"
).split()


def nic_body(**fields):
    return {"owner_uuid": OWNER, "belongs_to_uuid": VM, "belongs_to_type": "zone", **fields}


def test_ping(http):
    answer = http.get("/ping")
    config = {"fabrics_enabled": True, "subnet_alloc_enabled": True}
    assert answer.json == {"config": config, "healthy": True, "services": {"moray": "online"}, "status": "OK"}
    assert answer.headers["Server"] == "Triton Networking API"


def test_a_new_data_center_has_its_tags_and_networks(dc, http):
    tags = http.get("/nic_tags").json
    assert [(tag["name"], tag["mtu"]) for tag in tags] == [("admin", 1500), ("external", 1500), ("sdc_overlay", 1500)]
    assert http.get("/nic_tags/external").json == tags[1]
    admin, external = http.get("/networks").json
    assert admin["owner_uuids"] == [dc.mahi.admin_uuid]
    assert list(external) == NETWORK_KEYS
    assert external["subnet"] == "10.88.0.0/24"
    assert http.get("/network_pools").json == []
    assert http.get("/networks/admin").json == admin


def test_networks_are_filtered_strictly(dc, http, external, errors):
    default = dc.mahi.create_account("jdoe")
    fabric = dc.napi.ensure_default_fabric(default["uuid"])
    mine = f"provisionable_by={default['uuid']}"
    queries = {
        "name=external": ["external"],
        "name=external,admin": ["admin", "external"],
        "name=nope": [],
        f"provisionable_by={OWNER}": ["external"],
        mine: ["My-Fabric-Network", "external"],
        f"{mine}&fabric=true": ["My-Fabric-Network"],
        f"{mine}&fabric=false": ["external"],
        f"owner_uuid={default['uuid']}": ["My-Fabric-Network"],
        f"uuid={external['uuid'][:8]}*": ["external"],
        f"uuid={fabric['uuid']}": ["My-Fabric-Network"],
        "vlan_id=2": ["My-Fabric-Network"],
        "nic_tag=external": ["external"],
        "family=ipv6": [],
        "limit=1&offset=2": ["external"],
    }
    for query, names in queries.items():
        assert [network["name"] for network in http.get(f"/networks?{query}").json] == names, query
    assert errors(http.get("/networks?colour=red&x=1")) == [(["colour", "x"], "UnknownParameters")]
    assert errors(http.get("/networks?limit=0")) == [("limit", "InvalidParameter")]
    assert errors(http.get("/networks?limit=x&offset=y")) == [
        ("limit", "InvalidParameter"),
        ("offset", "InvalidParameter"),
    ]
    assert errors(http.get("/networks?vlan_id=x&provisionable_by=me")) == [
        ("provisionable_by", "InvalidParameter"),
        ("vlan_id", "InvalidParameter"),
    ]
    assert errors(http.get("/nics?limit=x")) == [("limit", "InvalidParameter")]


def test_one_network(dc, http, external):
    found = http.get(f"/networks/{external['uuid']}?provisionable_by={OWNER}")
    assert found.json == external
    assert len(found.headers["Etag"]) == 8
    absent = http.get(f"/networks/{ABSENT}")
    assert (absent.status_code, absent.json) == (404, {"code": "ResourceNotFound", "message": "network not found"})
    refused = http.get(f"/networks/admin?provisionable_by={OWNER}")
    assert (refused.status_code, refused.json["code"]) == (403, "NotAuthorized")
    pool = http.get(f"/network_pools/{external['uuid']}")
    assert (pool.status_code, pool.json["message"]) == (404, "network pool not found")


def test_a_nic_gets_the_next_address(http, external):
    first = http.post(f"/networks/{external['uuid']}/nics", json=nic_body())
    assert first.status_code == 200
    assert list(first.json) == NIC_KEYS
    assert first.json["ip"] == "10.88.0.5"
    assert first.json["mac"].startswith("90:b8:d0:")
    assert (first.json["state"], first.json["primary"]) == ("provisioning", False)
    assert len(first.headers["Etag"]) == 8
    body = nic_body(network_uuid=external["uuid"], mac="90:b8:d0:11:22:33", primary=True, state="running", cn_uuid=CN)
    second = http.post("/nics", json={**body, "nic_tags_available": ["admin", "external"]}).json
    assert (second["ip"], second["mac"], second["primary"]) == ("10.88.0.6", "90:b8:d0:11:22:33", True)
    assert list(second) == [*NIC_KEYS, "cn_uuid"]
    for name in ("90:b8:d0:11:22:33", "90b8d0112233", "90-B8-D0-11-22-33"):
        assert http.get(f"/nics/{name}").json == second
    listed = http.get(f"/nics?owner_uuid={OWNER}&belongs_to_uuid={VM}&belongs_to_type=zone")
    assert listed.json == sorted([first.json, second], key=itemgetter("mac"))
    assert http.get(f"/nics?belongs_to_uuid={ABSENT}").json == []
    assert http.get("/nics?state=running,stopped").json == [second]
    gone = http.delete("/nics/90b8d0112233")
    assert (gone.status_code, gone.data) == (204, b"")
    assert http.get("/nics/90b8d0112233").json["message"] == "nic not found"


def test_a_nic_on_a_fabric(http, errors, fabric_network):
    network = fabric_network().json
    nic = http.post(f"/networks/{network['uuid']}/nics", json=nic_body(cn_uuid=CN)).json
    assert list(nic) == FABRIC_NIC_KEYS
    assert (nic["ip"], nic["vlan_id"], nic["nic_tag"]) == ("192.168.128.5", 2, f"sdc_overlay/{network['vnet_id']}")
    stranger = nic_body(owner_uuid=ABSENT)
    assert errors(http.post(f"/networks/{network['uuid']}/nics", json=stranger)) == [("owner_uuid", "InvalidParameter")]
    unchecked = {**stranger, "check_owner": False}
    assert http.post(f"/networks/{network['uuid']}/nics", json=unchecked).status_code == 200


def test_wrong_nics_are_refused_with_every_reason(http, external, errors):
    http.post("/nics", json=nic_body(mac="90:b8:d0:11:22:33"))
    assert errors(http.post("/nics", json=nic_body(mac="90:b8:d0:11:22:33"))) == [("mac", "Duplicate")]
    refused = http.post("/nics", json={"belongs_to_type": "nope", "mac": "90:b8:d0:11:22:44"})
    assert refused.json == {
        "code": "InvalidParameters",
        "message": "Invalid parameters",
        "errors": [
            {
                "field": "belongs_to_type",
                "code": "InvalidParameter",
                "message": 'must be one of: "other", "server", "zone"',
            },
            {"field": "belongs_to_uuid", "code": "MissingParameter", "message": "Missing parameter"},
            {"field": "owner_uuid", "code": "MissingParameter", "message": "Missing parameter"},
        ],
    }
    path = f"/networks/{external['uuid']}/nics"
    assert errors(http.post(path, json=nic_body(ip="10.77.0.1"))) == [("ip", "InvalidParameter")]
    assert errors(http.post("/nics", json=nic_body(network_uuid={}, mac=5))) == [
        ("mac", "InvalidParameter"),
        ("network_uuid", "InvalidParameter"),
    ]
    assert errors(http.post(path, json=nic_body(mac="xx"))) == [("mac", "InvalidParameter")]
    lacking = http.post("/nics", json=nic_body(ip="10.88.0.9"))
    assert errors(lacking) == [("nic_tag", "MissingParameter"), ("vlan_id", "MissingParameter")]
    assert lacking.json["message"] == "Missing parameters"
    assert {error["message"] for error in lacking.json["errors"]} == {"required if IP specified but not network_uuid"}
    for name, told in ((ABSENT, "network does not exist"), ("nope", "invalid UUID")):
        absent = http.post(f"/networks/{name}/nics", json=nic_body())
        assert errors(absent) == [("network_uuid", "InvalidParameter")]
        assert absent.json["errors"][0]["message"] == told
    nowhere = http.post("/nics", json=nic_body(ip="10.88.0.9", nic_tag="external", vlan_id=9))
    assert errors(nowhere) == [("nic_tag", "InvalidParameter"), ("vlan_id", "InvalidParameter")]


def test_an_address_may_be_asked_for_and_is_given_once(http, external, errors):
    path = f"/networks/{external['uuid']}/nics"
    nic = http.post(path, json=nic_body(ip="10.88.0.5")).json
    assert nic["ip"] == "10.88.0.5"
    assert errors(http.post(path, json=nic_body(ip="10.88.0.5"))) == [("ip", "UsedBy")]
    assert http.post(path, json=nic_body()).json["ip"] == "10.88.0.6"
    moved = http.put(f"/nics/{nic['mac']}", json={"ip": "10.88.0.77", "state": "running"}).json
    assert (moved["ip"], moved["state"]) == ("10.88.0.77", "running")
    assert http.post(path, json=nic_body(ip="10.88.0.5")).status_code == 200


def test_the_network_of_the_path_is_meant(http, dc, external):
    other = dc.napi.networks(name="admin")[0]["uuid"]
    made = http.post(f"/networks/{external['uuid']}/nics", json=nic_body(network_uuid=other))
    assert (made.status_code, made.json["network_uuid"]) == (200, external["uuid"])


def test_one_nic_of_a_vm_is_primary(http, external):
    path = f"/networks/{external['uuid']}/nics"
    first, second = (http.post(path, json=nic_body(primary=True)).json for _ in range(2))
    assert http.get(f"/nics/{first['mac']}").json["primary"] is False
    http.put(f"/nics/{first['mac']}", json={"primary": True})
    held = {nic["mac"]: nic["primary"] for nic in http.get(f"/nics?belongs_to_uuid={VM}").json}
    assert held == {first["mac"]: True, second["mac"]: False}
    assert second["primary"] is True


def test_changes_can_be_made_conditional(http, external):
    nic = http.post(f"/networks/{external['uuid']}/nics", json=nic_body())
    stale = {"If-Match": "00000000"}
    assert http.put(f"/nics/{nic.json['mac']}", json={"state": "running"}, headers=stale).status_code == 412
    assert http.delete(f"/nics/{nic.json['mac']}", headers=stale).json["code"] == "PreconditionFailed"
    fresh = {"If-Match": nic.headers["Etag"]}
    assert http.put(f"/nics/{nic.json['mac']}", json={"state": "running"}, headers=fresh).status_code == 200


def test_a_full_network_says_so(http, fabric_network):
    fields = {"subnet": "192.168.128.0/29", "provision_start_ip": "192.168.128.2", "provision_end_ip": "192.168.128.4"}
    network = fabric_network(**fields).json
    path = f"/networks/{network['uuid']}/nics"
    nics = [http.post(path, json=nic_body()).json for _ in range(3)]
    assert [nic["ip"] for nic in nics] == ["192.168.128.2", "192.168.128.3", "192.168.128.4"]
    full = http.post(path, json=nic_body())
    assert full.status_code == 507
    assert full.json == {"code": "SubnetFull", "message": "no more free IPs", "network_uuid": network["uuid"]}
    for nic in (nics[1], nics[0]):
        http.delete(f"/nics/{nic['mac']}")
    assert [http.post(path, json=nic_body()).json["ip"] for _ in range(2)] == ["192.168.128.3", "192.168.128.2"]


def test_addresses_of_a_network(dc, http, external, errors):
    http.post(f"/networks/{external['uuid']}/nics", json=nic_body())
    admin = dc.mahi.admin_uuid
    base = {"network_uuid": external["uuid"]}
    own = {"belongs_to_type": "other", "belongs_to_uuid": admin, "owner_uuid": admin}
    taken = {"belongs_to_type": "zone", "belongs_to_uuid": VM, "owner_uuid": OWNER}
    assert http.get(f"/networks/{external['uuid']}/ips").json == [
        {"ip": "10.88.0.1", **base, "reserved": True, "free": False, **own},
        {"ip": "10.88.0.4", **base, "reserved": False, "free": True},
        {"ip": "10.88.0.5", **base, "reserved": False, "free": False, **taken},
        {"ip": "10.88.0.251", **base, "reserved": False, "free": True},
        {"ip": "10.88.0.255", **base, "reserved": True, "free": False, **own},
    ]
    one = http.get(f"/networks/{external['uuid']}/ips/10.88.0.5").json
    assert http.get("/search/ips?ip=10.88.0.5").json == [one]
    assert http.get("/search/ips?ip=10.88.0.5&belongs_to_type=server").json == []
    assert http.get(f"/networks/{external['uuid']}/ips/10.88.0.9").json["free"] is True
    assert http.get("/search/ips?ip=1.2.3.4").status_code == 404
    assert errors(http.get("/search/ips")) == [("ip", "MissingParameter")]
    for ip, told in (
        ("x", "Invalid IP address"),
        ("10.1.2.3", "IP is not in subnet"),
        ("fd00::1", "IP and subnet are of different address families"),
    ):
        absent = http.get(f"/networks/{external['uuid']}/ips/{ip}")
        assert (absent.status_code, absent.json) == (404, {"code": "ResourceNotFound", "message": told})


def test_a_reserved_address_is_only_given_to_who_asks_for_it(http, external):
    path = f"/networks/{external['uuid']}"
    held = http.put(f"{path}/ips/10.88.0.5", json={"reserved": True, "owner_uuid": OWNER}).json
    assert (held["reserved"], held["free"], held["owner_uuid"]) == (True, False, OWNER)
    assert http.post(f"{path}/nics", json=nic_body()).json["ip"] == "10.88.0.6"
    nic = http.post(f"{path}/nics", json=nic_body(ip="10.88.0.5")).json
    http.delete(f"/nics/{nic['mac']}")
    assert http.get(f"{path}/ips/10.88.0.5").json["reserved"] is True
    assert http.put(f"{path}/ips/10.88.0.5", json={"free": True}).json["free"] is True


def test_a_pool_gives_from_the_first_network_with_room(http, external, errors, fabric_network):
    small = fabric_network(subnet="192.168.128.0/29", provision_start_ip="192.168.128.2",
                           provision_end_ip="192.168.128.2", gateway=None).json  # fmt: skip
    made = http.post("/network_pools", json={"name": "public", "networks": [small["uuid"], external["uuid"]]})
    assert made.json["nic_tags_present"] == ["sdc_overlay", "external"]
    path = f"/networks/{made.json['uuid']}/nics"
    assert [http.post(path, json=nic_body()).json["ip"] for _ in range(2)] == ["192.168.128.2", "10.88.0.5"]
    assert errors(http.post(path, json=nic_body(ip="10.88.0.9"))) == [("ip", "InvalidParameter")]
    assert http.get(f"/network_pools?name=public&provisionable_by={OWNER}").json == [made.json]
    assert http.delete(f"/networks/{external['uuid']}").json["code"] == "InUse"
    assert errors(http.post("/network_pools", json={"name": "public", "networks": [ABSENT]})) == [
        ("name", "Duplicate"),
        ("networks", "InvalidParameter"),
    ]
    assert http.delete(f"/network_pools/{made.json['uuid']}").status_code == 204


def test_an_operator_makes_a_network(http, errors):
    body = {
        "name": "dmz",
        "nic_tag": "external",
        "vlan_id": 7,
        "subnet": "172.30.0.0/24",
        "provision_start_ip": "172.30.0.10",
        "provision_end_ip": "172.30.0.20",
        "owner_uuids": [OWNER],
    }
    made = http.post("/networks", json=body)
    assert made.status_code == 200
    assert http.get(f"/networks?provisionable_by={ABSENT}&name=dmz").json == []
    assert errors(http.post("/networks", json=body)) == [("name", "Duplicate")]
    assert errors(
        http.post(
            "/networks",
            json={
                **body,
                "name": "x",
                "nic_tag": "nope",
                "subnet": "172.31.0.0/24",
                "provision_start_ip": "172.31.0.10",
                "provision_end_ip": "172.31.0.20",
            },
        )
    ) == [("nic_tag", "InvalidParameter")]
    path = f"/networks/{made.json['uuid']}"
    changed = http.put(path, json={"provision_start_ip": "172.30.0.11", "owner_uuids": []})
    assert changed.json["provision_start_ip"] == "172.30.0.11"
    assert http.post(f"{path}/nics", json=nic_body()).json["ip"] == "172.30.0.11"
    whole = http.get(path).json
    again = http.put(path, json={**whole, "description": "written back", "subnet": "172.31.0.0/24"})
    assert again.json == {**whole, "description": "written back"}, "what does not change is passed over"


def test_addresses_survive_a_restart_and_an_undone_transaction(dc, external):
    def provision(vm_uuid):
        return dc.napi.provision_nic(external["uuid"], owner_uuid=OWNER, belongs_to_uuid=vm_uuid, cn_uuid=CN)

    first = provision(VM)
    with pytest.raises(RuntimeError), dc.store.transaction():
        undone = provision(str(uuid.uuid4()))
        raise RuntimeError
    assert dc.napi.nics.get(undone["mac"]) is None
    restarted = type(dc.napi)(dc)
    assert restarted.nics.get(first["mac"]) == first
    args = {"owner_uuid": OWNER, "belongs_to_uuid": VM, "cn_uuid": CN}
    assert restarted.provision_nic(external["uuid"], **args)["ip"] == undone["ip"]
    restarted.release_nics(VM)
    assert restarted.nics.of(VM) == []
    assert [ip["free"] for ip in restarted.records.all(external).values()] == [False, True, True, False]

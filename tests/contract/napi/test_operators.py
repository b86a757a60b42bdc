"""What operators say of the network: nic tags, addresses, and nics in all their forms."""

from __future__ import annotations

import pytest

from tests.contract.napi.conftest import BASE, OWNER
from tests.contract.napi.test_napi import ABSENT, nic_body

OTHER = "7d77edb5-e963-4c35-bb1b-ee2cdd0586b3"
FREE = "10.88.0.77"


def refusal(answer):
    return answer.status_code, answer.json["code"], [error["message"] for error in answer.json.get("errors", ())]


def test_nic_tags_from_create_to_delete(http, errors):
    made = http.post("/nic_tags", json={"name": "storage", "mtu": 9000})
    assert (made.status_code, made.json) == (200, {"mtu": 9000, "name": "storage", "uuid": made.json["uuid"]})
    assert [tag["name"] for tag in http.get("/nic_tags").json] == ["admin", "external", "sdc_overlay", "storage"]
    assert [tag["name"] for tag in http.get("/nic_tags?limit=1&offset=1").json] == ["external"]
    renamed = http.put("/nic_tags/storage", json={"name": "disks", "mtu": 1500})
    assert renamed.json == {"mtu": 1500, "name": "disks", "uuid": made.json["uuid"]}
    assert http.get("/nic_tags/storage").status_code == 404
    assert http.delete("/nic_tags/disks").status_code == 204
    assert http.get("/nic_tags/disks").status_code == http.put("/nic_tags/disks", json={}).status_code == 404
    assert errors(http.post("/nic_tags", json={"name": "external", "mtu": 10})) == [
        ("mtu", "InvalidParameter"),
        ("name", "Duplicate"),
    ]
    assert errors(http.post("/nic_tags", json={"name": "a b"})) == [("name", "InvalidParameter")]
    assert errors(http.post("/nic_tags", json={})) == [("name", "MissingParameter")]
    assert errors(http.post("/nic_tags", json={"name": "x", "uuid": "y"})) == [("uuid", "InvalidParameter")]
    assert errors(http.get("/nic_tags?colour=red"))[0][1] == "UnknownParameters"
    assert set(http.post("/nic_tags", json={"name": "able", "colour": 1}).json) == {"mtu", "name", "uuid"}
    assert [tag["name"] for tag in http.get("/nic_tags").json] == ["able", "admin", "external", "sdc_overlay"]


def test_nic_tags_in_use_stay(http, errors):
    http.post("/nic_tags", json={"name": "storage", "mtu": 9000})
    network = http.post(
        "/networks",
        json={"name": "s", "nic_tag": "storage", "vlan_id": 5, "subnet": "10.99.9.0/24", "mtu": 3000,
              "provision_start_ip": "10.99.9.5", "provision_end_ip": "10.99.9.9"},
    ).json  # fmt: skip
    used = (422, "InUse", [f'In use by network "{network["uuid"]}"'])
    assert (
        refusal(http.delete("/nic_tags/storage")) == refusal(http.put("/nic_tags/storage", json={"name": "x"})) == used
    )
    assert errors(http.put("/nic_tags/storage", json={"mtu": 1500})) == [("mtu", "InvalidParameter")]
    assert http.put("/nic_tags/storage", json={"mtu": 3000}).json["mtu"] == 3000
    for name in ("admin", "external", "sdc_overlay"):
        assert refusal(http.delete(f"/nic_tags/{name}"))[:2] == (422, "InUse")
    etag = http.get("/nic_tags/storage").headers["Etag"]
    assert http.put("/nic_tags/storage", json={"mtu": 4000}, headers={"If-Match": "nope"}).status_code == 412
    assert http.put("/nic_tags/storage", json={"mtu": 4000}, headers={"If-Match": etag}).status_code == 200


def test_an_address_is_given_to_somebody_and_taken_back(http, external, dc):
    path = f"/networks/{external['uuid']}/ips/{FREE}"
    free = {"ip": FREE, "network_uuid": external["uuid"], "reserved": False, "free": True}
    holder = {"belongs_to_type": "other", "belongs_to_uuid": OTHER, "owner_uuid": OWNER}
    assert http.get(path).json == free
    assert http.put(path, json={**holder, "reserved": True}).json == {**free, **holder, "reserved": True, "free": False}
    assert http.put(path, json={"reserved": "false"}).json == {**free, **holder, "free": False}
    assert http.put(path, json={"unassign": True}).json == {**free, "owner_uuid": OWNER, "free": False}
    assert http.put(path, json={"free": True}).json == free
    assert http.put(path, json={"reserved": True}).json == {**free, "reserved": True, "free": False}
    etag = http.get(path).headers["Etag"]
    assert http.put(path, json={"free": True}, headers={"If-Match": "nope"}).status_code == 412
    assert http.put(path, json={"free": True}, headers={"If-Match": etag}).json == free


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"belongs_to_uuid": OTHER}, [("belongs_to_type", "MissingParameter"), ("owner_uuid", "MissingParameter")]),
        ({"belongs_to_type": "zone", "owner_uuid": OWNER}, [("belongs_to_uuid", "MissingParameter")]),
        ({"belongs_to_uuid": "x", "belongs_to_type": "moon", "owner_uuid": "y"},
         [("belongs_to_type", "InvalidParameter"), ("belongs_to_uuid", "InvalidParameter"), ("owner_uuid", "InvalidParameter")]),
        ({"reserved": "perhaps"}, [("reserved", "InvalidParameter")]),
        ({"colour": "red"}, [(["colour"], "UnknownParameters")]),
    ],
)  # fmt: skip
def test_what_cannot_be_said_of_an_address(http, external, errors, given, wrong):
    path = f"/networks/{external['uuid']}/ips/{FREE}"
    assert errors(http.put(path, json=given)) == wrong
    assert http.get(path).json["free"] is True


def test_addresses_go_to_owners_of_the_network(http, errors, fabric_network):
    network = fabric_network().json
    path = f"/networks/{network['uuid']}/ips/192.168.128.77"
    holder = {"belongs_to_type": "zone", "belongs_to_uuid": ABSENT, "owner_uuid": OTHER}
    assert errors(http.put(path, json=holder)) == [("owner_uuid", "InvalidParameter")]
    assert http.put(path, json={**holder, "check_owner": False}).json["owner_uuid"] == OTHER


def test_addresses_are_filtered_and_searched(http, external, errors, fabric_network):
    network = fabric_network().json
    made = http.post(f"/networks/{external['uuid']}/nics", json=nic_body()).json
    path = f"/networks/{external['uuid']}/ips"
    for query in (f"belongs_to_uuid={made['belongs_to_uuid']}", f"owner_uuid={OWNER}", "belongs_to_type=zone"):
        assert [ip["ip"] for ip in http.get(f"{path}?{query}").json] == [made["ip"]], query
    assert len(http.get(f"{path}?belongs_to_type=zone,other").json) == 3
    assert len(http.get(f"{path}?limit=1").json) == 1
    assert errors(http.get(f"{path}?colour=red"))[0][1] == "UnknownParameters"
    assert [ip["belongs_to_uuid"] for ip in http.get(f"/search/ips?ip={made['ip']}").json] == [made["belongs_to_uuid"]]
    assert http.get(f"/search/ips?ip={made['ip']}&owner_uuid={OTHER}").json == []
    assert http.get(f"/search/ips?ip={made['ip']}&fabric=true").status_code == 404
    inside = f"/search/ips?ip={network['gateway']}"
    assert [ip["network_uuid"] for ip in http.get(f"{inside}&fabric=true").json] == [network["uuid"]]
    assert errors(http.get("/search/ips?ip=nowhere")) == [("ip", "InvalidParameter")]


def test_a_pool_without_room_says_so(http, fabric_network):
    tiny = [
        fabric_network(name=f"n{n}", subnet=f"192.168.{n}.0/29", provision_start_ip=f"192.168.{n}.2",
                       provision_end_ip=f"192.168.{n}.2", gateway=None).json["uuid"]
        for n in (1, 2)
    ]  # fmt: skip
    pool = http.post("/network_pools", json={"name": "p", "networks": tiny}).json
    path = f"/networks/{pool['uuid']}/nics"
    macs = [http.post(path, json=nic_body()).json["mac"] for _ in tiny]
    full = http.post(path, json=nic_body())
    assert refusal(full) == (422, "InvalidParameters", ["all networks in pool are full"])
    assert full.json["errors"][0]["field"] == "network_uuid"
    http.delete(f"/nics/{macs[1]}")
    assert http.post(path, json=nic_body()).json["network_uuid"] == tiny[1]


def test_a_pool_gives_what_the_node_is_plugged_into(http, external, errors, fabric_network):
    overlay = fabric_network().json
    pool = http.post("/network_pools", json={"name": "p", "networks": [overlay["uuid"], external["uuid"]]}).json
    path = f"/networks/{pool['uuid']}/nics"
    made = http.post(path, json=nic_body(nic_tags_available=["admin", "external"])).json
    assert made["network_uuid"] == external["uuid"]
    assert errors(http.post(path, json=nic_body(nic_tags_available=["admin"]))) == [
        ("nic_tags_available", "InvalidParameter")
    ]


def test_what_a_pool_does_not_take(http, external, errors, fabric_network):
    mine = fabric_network().json["uuid"]
    for given in (
        {"networks": [ABSENT]},
        {"networks": [external["uuid"]] * 65},
        {"networks": [mine], "owner_uuids": [OTHER]},
        {"networks": [external["uuid"], mine], "owner_uuids": [OTHER]},
    ):
        assert errors(http.post("/network_pools", json={"name": "p", **given})) == [("networks", "InvalidParameter")]
    assert errors(http.post("/network_pools", json={"name": "p", "networks": []})) == [("networks", "MissingParameter")]
    pool = http.post("/network_pools", json={"name": "p", "networks": [mine], "owner_uuids": [OWNER]})
    assert pool.json["owner_uuids"] == [OWNER]
    path = f"/network_pools/{pool.json['uuid']}"
    assert http.get(f"{path}?provisionable_by={OTHER}").status_code == 403
    assert "owner_uuids" not in http.put(path, json={"owner_uuids": None}).json
    assert http.put(path, json={"name": "q"}, headers={"If-Match": pool.headers["Etag"]}).status_code == 412
    assert http.get(f"{path}?provisionable_by={OTHER}").status_code == 200


def test_networks_that_overlap_are_refused(http, external):
    given = {"name": "twice", "nic_tag": "external", "vlan_id": 9, "subnet": external["subnet"],
             "provision_start_ip": external["provision_start_ip"], "provision_end_ip": external["provision_end_ip"]}  # fmt: skip
    refused = http.post("/networks", json=given)
    assert (refused.status_code, refused.json["errors"]) == (
        422,
        [{"field": "subnet", "type": "network", "id": external["uuid"], "code": "UsedBy",
          "message": "subnet overlaps with another network"}],
    )  # fmt: skip
    assert http.get("/networks?name=twice").json == []


def test_a_reserved_address_outlives_its_nic(http, external):
    made = http.post(f"/networks/{external['uuid']}/nics", json=nic_body(reserved=True)).json
    path = f"/networks/{external['uuid']}/ips/{made['ip']}"
    assert (http.get(path).json["reserved"], http.get(path).json["free"]) == (True, False)
    assert http.delete(f"/nics/{made['mac']}").status_code == 204
    after = http.get(path).json
    assert (after["reserved"], after["free"], "belongs_to_uuid" in after) == (True, False, False)
    assert http.post(f"/networks/{external['uuid']}/nics", json=nic_body()).json["ip"] != made["ip"]


def test_nics_by_either_form_of_mac_and_by_their_flags(http, external):
    given = nic_body(allow_ip_spoofing=True, model="virtio", nic_tags_provided=["external"])
    made = http.post(f"/networks/{external['uuid']}/nics", json=given).json
    assert (made["allow_ip_spoofing"], made["model"], made["nic_tags_provided"]) == (True, "virtio", ["external"])
    plain = http.post(f"/networks/{external['uuid']}/nics", json=nic_body()).json
    for mac in (made["mac"], made["mac"].replace(":", ""), made["mac"].upper(), made["mac"].replace(":", "-")):
        assert http.get(f"/nics/{mac}").json == made
    assert http.put(f"/nics/{made['mac'].replace(':', '')}", json={"state": "running"}).json["mac"] == made["mac"]
    assert [nic["mac"] for nic in http.get("/nics?allow_ip_spoofing=true").json] == [made["mac"]]
    assert [nic["mac"] for nic in http.get("/nics?allow_ip_spoofing=false").json] == [plain["mac"]]
    assert [nic["mac"] for nic in http.get("/nics?nic_tags_provided=external,admin").json] == [made["mac"]]
    assert [nic["mac"] for nic in http.get("/nics?state=running").json] == [made["mac"]]


def test_flags_are_shown_while_they_are_set(http, external):
    made = http.post(f"/networks/{external['uuid']}/nics", json=nic_body(allow_mac_spoofing="true")).json
    assert made["allow_mac_spoofing"] is True
    assert "allow_mac_spoofing" not in http.put(f"/nics/{made['mac']}", json={"allow_mac_spoofing": "false"}).json


def test_a_network_is_found_by_tag_vlan_and_address(http, external, errors):
    assert http.post("/nics", json=nic_body(nic_tag="external", vlan_id=0)).json["network_uuid"] == external["uuid"]
    made = http.post("/nics", json=nic_body(nic_tag="external", vlan_id="0", ip=FREE)).json
    assert (made["network_uuid"], made["ip"]) == (external["uuid"], FREE)
    for wrong in ({"vlan_id": 7}, {"vlan_id": 0, "ip": "10.1.1.1"}, {"nic_tag": "nope"}):
        assert errors(http.post("/nics", json=nic_body(**{"nic_tag": "external", **wrong})))[0][0] == "nic_tag"
    given = nic_body(network_uuid=external["uuid"], nic_tag="admin", vlan_id=3)
    assert errors(http.post("/nics", json=given)) == [("nic_tag", "InvalidParameter"), ("vlan_id", "InvalidParameter")]
    assert "ip" not in http.post("/nics", json=nic_body()).json


def test_fabrics_are_listed_by_field_and_page(http, fabric_network, errors):
    network = fabric_network().json
    http.post(BASE, json={"vlan_id": 7, "name": "seven"})
    assert http.get(f"{BASE}?fields=vlan_id,name").json == [
        {"vlan_id": 2, "name": "default"},
        {"vlan_id": 7, "name": "seven"},
    ]
    assert [vlan["vlan_id"] for vlan in http.get(f"{BASE}?limit=1&offset=1").json] == [7]
    assert http.get(f"{BASE}/2/networks?fields=uuid&fields=subnet").json == [
        {"uuid": network["uuid"], "subnet": network["subnet"]}
    ]
    assert errors(http.get(f"{BASE}?colour=red"))[0][1] == "UnknownParameters"
    assert errors(http.get(f"{BASE}?limit=0")) == [("limit", "InvalidParameter")]


@pytest.mark.parametrize("form", ["90:b8:d0:1:2:3", "90-b8-d0-01-02-03", "90b8d0010203", "90:B8:D0:01:02:03"])
def test_macs_are_read_in_all_their_forms(http, form):
    made = http.post("/nics", json=nic_body(belongs_to_uuid=ABSENT, mac=form))
    assert (made.status_code, made.json.get("mac")) == (200, "90:b8:d0:01:02:03"), made.json
    assert http.get(f"/nics/{form}").json == made.json


def test_what_is_no_mac_is_told(http, errors):
    for answer in (
        http.get("/nics/90b8d0"),
        http.put("/nics/nope", json={}),
        http.delete("/nics/90:b8:d0:01:02:03:04"),
    ):
        assert errors(answer) == [("mac", "InvalidParameter")]
    assert http.get("/nics/90b8d0010203").status_code == 404


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [
        ("/networks/nope", "uuid", "invalid UUID"),
        ("/network_pools/nope", "uuid", "invalid UUID"),
        ("/networks?uuid=nope", "uuid", "invalid UUID"),
        ("/networks?uuid=ab*c*", "uuid", "need only 1 wildcard"),
        ("/networks?uuid=ab*c", "uuid", "only UUID prefixes are allowed"),
        ("/networks?uuid=xyz*", "uuid", "UUID prefix has invalid chars"),
        ("/nics?belongs_to_uuid=nope", "belongs_to_uuid", "invalid UUID"),
        (f"/nics?network_uuid={OTHER},x,", "network_uuid", "invalid UUID"),
        (f"{BASE}/zz", "vlan_id", "VLAN ID must be a number between 0 and 4095"),
        (f"{BASE}/5000/networks", "vlan_id", "VLAN ID must be a number between 0 and 4095"),
    ],
)
def test_what_can_name_nothing_is_told(http, path, field, message):
    answer = http.get(path)
    assert refusal(answer) == (422, "InvalidParameters", [message])
    assert answer.json["errors"][0]["field"] == field


def test_nics_are_listed_by_mac(http):
    for mac in ("90:b8:d0:00:00:09", "90:b8:d0:00:00:01"):
        http.post("/nics", json=nic_body(mac=mac, belongs_to_uuid=OTHER, underlay=True))
    found = [nic["mac"] for nic in http.get(f"/nics?belongs_to_uuid={OTHER}").json]
    assert found == ["90:b8:d0:00:00:01", "90:b8:d0:00:00:09"]

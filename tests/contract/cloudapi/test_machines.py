"""CloudAPI's machines: what a customer does to them, and what others can't."""

from __future__ import annotations

import gevent
import pytest

from tests.contract.cloudapi.caller import Caller, wait_for

ABSENT = "00000000-0000-4000-8000-000000000000"


def test_created_as_asked(jdoe, machine, package, image):
    shown = jdoe.get(f"/jdoe/machines/{machine['id']}").json
    assert (shown["name"], shown["image"], shown["brand"]) == ("web", image, "lx")
    assert (shown["package"], shown["memory"]) == ("sample-1G", package["max_physical_memory"])
    assert (shown["tags"], shown["metadata"]) == ({"role": "www"}, {"color": "red"})
    assert shown["networks"] == [jdoe.get("/jdoe/config").json["default_network"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": ABSENT}, "image does not exist"),
        ({"package": ABSENT}, "package does not exist"),
        ({"name": "web"}, "Invalid VM parameters"),
        ({"name": "no blanks"}, "Invalid VM parameters"),
    ],
)
def test_refused(jdoe, machine, package, image, change, message):
    answer = jdoe.send("POST", "/jdoe/machines", **{"name": "b", "image": image, "package": package["uuid"], **change})
    assert (answer.status_code, answer.json["code"]) == (409, "InvalidArgument")
    assert answer.json["message"] == message


def test_stop_start_reboot(jdoe, machine):
    path = f"/jdoe/machines/{machine['id']}"
    assert jdoe.send("POST", path, action="start").json["code"] == "InvalidState"
    assert jdoe.send("POST", path, action="stop").status_code == 202
    wait_for(jdoe, machine, "stopped")
    assert jdoe.send("POST", f"{path}?action=start").status_code == 202
    wait_for(jdoe, machine, "running")
    assert jdoe.send("POST", path, action="reboot").status_code == 202
    assert jdoe.send("POST", path, action="dance").json["code"] == "InvalidArgument"


def eventually(read, wanted):
    for _ in range(500):
        if read() == wanted:
            return
        gevent.sleep(0.01)
    assert read() == wanted


def test_rename_resize_and_switches(jdoe, machine, dc):
    path = f"/jdoe/machines/{machine['id']}"
    assert jdoe.send("POST", path, action="rename", name="shop").status_code == 202
    eventually(lambda: jdoe.get(path).json["name"], "shop")
    assert jdoe.send("POST", path, action="resize", package="sample-512M").status_code == 202
    eventually(lambda: jdoe.get(path).json["memory"], 512)
    assert jdoe.send("POST", path, action="enable_firewall").status_code == 202
    eventually(lambda: jdoe.get(path).json["firewall_enabled"], True)
    assert jdoe.send("POST", path, action="enable_deletion_protection").status_code == 202
    eventually(lambda: jdoe.get(path).json["deletion_protection"], True)
    assert jdoe.send("DELETE", path).status_code == 409


def test_tags_and_metadata(jdoe, machine):
    path = f"/jdoe/machines/{machine['id']}"
    assert jdoe.send("POST", f"{path}/tags", team="a").json == {"role": "www", "team": "a"}
    eventually(lambda: jdoe.get(f"{path}/tags").json, {"role": "www", "team": "a"})
    assert jdoe.send("DELETE", f"{path}/tags/role").status_code == 204
    eventually(lambda: jdoe.get(f"{path}/tags").json, {"team": "a"})
    assert jdoe.get(f"{path}/tags/team").json == "a"
    assert jdoe.get(f"{path}/tags/role").status_code == 404
    assert jdoe.send("POST", f"{path}/metadata", size="xl").json == {"color": "red", "size": "xl"}
    eventually(lambda: jdoe.get(f"{path}/metadata/size").json, "xl")


def test_tags_of_docker_stay(dc, jdoe, machine):
    vm = dc.vmapi.vm(machine["id"])
    dc.vmapi.table.put({**vm, "tags": {"sdc_docker": True, "a": "b"}})
    path = f"/jdoe/machines/{machine['id']}/tags"
    assert jdoe.send("PUT", path, c="d").json == {"sdc_docker": True, "c": "d"}
    eventually(lambda: jdoe.get(path).json, {"sdc_docker": True, "c": "d"})
    assert jdoe.send("DELETE", path).status_code == 204
    eventually(lambda: jdoe.get(path).json, {"sdc_docker": True})
    refused = jdoe.send("DELETE", f"{path}/sdc_docker")
    assert (refused.status_code, refused.json["code"]) == (409, "InvalidArgument")


def test_nics(jdoe, machine):
    path = f"/jdoe/machines/{machine['id']}/nics"
    (nic,) = jdoe.get(path).json
    assert jdoe.get(f"{path}/{nic['mac'].replace(':', '')}").json == nic
    assert jdoe.get(f"{path}/90b8d0000000").status_code == 404


def test_gone_after_delete_and_the_audit_stays(jdoe, machine):
    path = f"/jdoe/machines/{machine['id']}"
    assert jdoe.send("DELETE", path).status_code == 204
    assert wait_for(jdoe, machine, "deleted").status_code == 410
    assert jdoe.send("POST", path, action="start").status_code == 410
    audit = jdoe.get(f"{path}/audit").json
    assert [(entry["action"], entry["success"]) for entry in audit] == [("destroy", "yes"), ("provision", "yes")]


def test_the_audit_tells_what_was_done_and_by_whom(dc, jdoe, machine, image, package):
    path = f"/jdoe/machines/{machine['id']}"
    steps = [
        ("set_tags", "POST", "/tags", {"team": "a"}),
        ("remove_tags", "DELETE", "/tags/team", {}),
        ("replace_tags", "PUT", "/tags", {"role": "db"}),
        ("set_metadata", "POST", "/metadata", {"color": "blue", "root_authorized_keys": "secret"}),
        ("remove_metadata", "DELETE", "/metadata/color", {}),
        ("replace_metadata", "DELETE", "/metadata", {}),
        ("rename", "POST", "?action=rename", {"name": "shop"}),
        ("stop", "POST", "?action=stop", {}),
    ]
    done = ["provision"]
    for action, method, where, body in steps:
        if action == "replace_metadata":
            jdoe.send("POST", f"{path}/metadata", again="1")
            eventually(lambda: jdoe.get(f"{path}/audit").json[0]["action"], "set_metadata")
            done.append("set_metadata")
        assert jdoe.send(method, path + where, **body).status_code < 300, where
        eventually(lambda: jdoe.get(f"{path}/audit").json[0]["action"], action)
        done.append(action)
    audit = jdoe.get(f"{path}/audit").json
    assert [entry["action"] for entry in reversed(audit)] == done
    assert audit[0]["caller"] == {"type": "signature", "ip": "127.0.0.1", "keyId": jdoe.key_id}
    assert audit[-1]["parameters"] == {"name": "web", "image": image, "package": package["uuid"]}
    assert "secret" not in str(audit)
    assert jdoe.get(f"{path}/metadata").json == {"root_authorized_keys": "secret"}
    refused = jdoe.send("DELETE", f"{path}/metadata/root_authorized_keys")
    assert (refused.status_code, refused.json["code"]) == (409, "InvalidArgument")


def test_others_see_nothing_of_it(dc, jdoe, machine):
    other = Caller(dc, "mallory", "ecdsa-sha256")
    path = f"/mallory/machines/{machine['id']}"
    for method, sub in (
        ("GET", ""),
        ("POST", ""),
        ("DELETE", ""),
        ("GET", "/tags"),
        ("GET", "/audit"),
        ("GET", "/fwrules"),
    ):
        assert other.send(method, path + sub, **({"action": "stop"} if method == "POST" else {})).status_code == 404


def test_firewall_rules(dc, jdoe, machine):
    text = f"FROM any TO vm {machine['id']} ALLOW tcp PORT 80"
    made = jdoe.send("POST", "/jdoe/fwrules", rule=text, enabled=True, description="web")
    assert made.status_code == 201
    assert made.json == {"id": made.json["id"], "rule": text, "enabled": True, "log": False, "description": "web"}
    path = f"/jdoe/fwrules/{made.json['id']}"
    assert jdoe.get("/jdoe/fwrules").json == [made.json]
    assert jdoe.send("POST", f"{path}/disable").json["enabled"] is False
    assert jdoe.send("POST", f"{path}/enable").json == made.json
    assert jdoe.send("POST", path, rule=text.replace("PORT 80", "PORT 81")).json["rule"].endswith("81")
    assert [shown["id"] for shown in jdoe.get(f"{path}/machines").json] == [machine["id"]]
    assert [rule["id"] for rule in jdoe.get(f"/jdoe/machines/{machine['id']}/fwrules").json] == [made.json["id"]]
    assert jdoe.send("POST", "/jdoe/fwrules", rule="FROM nowhere").json["code"] == "InvalidArgument"
    other = Caller(dc, "mallory", "ecdsa-sha256")
    assert other.get("/mallory/fwrules").json == []
    assert other.send("DELETE", path.replace("jdoe", "mallory")).status_code == 404
    assert jdoe.send("DELETE", path).status_code == 204
    assert jdoe.get(path).status_code == 404


def test_fabrics(jdoe):
    base = "/jdoe/fabrics/default/vlans"
    assert jdoe.send("POST", base, vlan_id=7, name="seven").json == {"vlan_id": 7, "name": "seven"}
    assert [vlan["vlan_id"] for vlan in jdoe.get(base).json] == [2, 7]
    made = jdoe.send("POST", f"{base}/7/networks", name="n", subnet="192.168.7.0/24", provision_start_ip="192.168.7.5",
                     provision_end_ip="192.168.7.99")  # fmt: skip
    assert (made.status_code, made.json["subnet"], made.json["vlan_id"]) == (201, "192.168.7.0/24", 7)
    assert jdoe.get(f"{base}/7/networks").json == [made.json]
    assert jdoe.get(f"{base}/7/networks/{made.json['id']}").json == made.json
    assert jdoe.send("DELETE", f"{base}/7/networks/{made.json['id']}").status_code == 204
    assert jdoe.send("DELETE", f"{base}/7").status_code == 204
    assert jdoe.get(f"{base}/7").status_code == 404


def test_users_roles_and_volumes(dc, jdoe):
    user = dc.mahi.users.create(dc.mahi.require("jdoe"), "alice")
    assert [known["login"] for known in jdoe.get("/jdoe/users").json] == ["alice"]
    assert jdoe.get("/jdoe/users/alice").json["id"] == user["uuid"]
    for nothing in ("roles", "policies", "volumes"):
        assert jdoe.get(f"/jdoe/{nothing}").json == []


def test_networks_and_images_of_others_are_not_for_use(dc, jdoe, image, package):
    eve = dc.mahi.create_account("eve")
    hers = dc.napi.ensure_default_fabric(eve["uuid"])["uuid"]
    wanted = {"name": "x", "image": image, "package": package["uuid"]}
    for network in (hers, dc.napi.network("admin")["uuid"], ABSENT, "admin", {"ipv4_uuid": hers}, 5):
        refused = jdoe.send("POST", "/jdoe/machines", **wanted, networks=[network])
        assert (refused.status_code, refused.json["code"]) == (409, "InvalidArgument"), network
        assert "Invalid Networks" in refused.json["message"]
    dc.imgapi.update(image, {"public": False})
    refused = jdoe.send("POST", "/jdoe/machines", **wanted)
    assert (refused.status_code, refused.json["message"]) == (409, "image does not exist")
    assert jdoe.get("/jdoe/machines").json == []


def test_what_this_data_center_does_not_have_is_said(dc, jdoe, machine, image, package):
    path = f"/jdoe/machines/{machine['id']}"
    refused = {
        ("POST", "/jdoe/images"): "this data center does not make images of instances",
        ("POST", f"/jdoe/images/{image}?action=clone"): "images cannot be copied to another owner in this data center",
        ("POST", f"{path}/migrate"): "this data center does not move instances from node to node",
        ("GET", f"{path}/migrate"): "this data center does not move instances from node to node",
        ("POST", f"{path}/disks"): "instances of this data center have one disk, of their package's size",
    }
    for (method, where), told in refused.items():
        answer = jdoe.send(method, where)
        assert (answer.status_code, answer.json) == (501, {"code": "NotImplemented", "message": told}), where
    for nothing in ("/jdoe/migrations", f"{path}/disks"):
        assert jdoe.get(nothing).json == []
    for absent in (f"/jdoe/migrations/{ABSENT}", f"{path}/disks/{ABSENT}", f"/jdoe/machines/{ABSENT}/disks"):
        assert jdoe.get(absent).status_code == 404
    wanted = {"name": "x", "image": image, "package": package["uuid"], "disks": [{"size": 1}]}
    refused = jdoe.send("POST", "/jdoe/machines", **wanted)
    assert (refused.status_code, refused.json["message"]) == (409, "disks: not supported in this data center")


def test_images_are_changed_and_deleted_by_their_owner(dc, jdoe, image):
    assert jdoe.send("POST", f"/jdoe/images/{image}?action=update", name="mine").status_code == 403
    assert jdoe.send("DELETE", f"/jdoe/images/{image}").status_code == 403
    dc.imgapi.images.update(image, owner=jdoe.uuid)
    changed = jdoe.send("POST", f"/jdoe/images/{image}?action=update", name="mine", description="of my own")
    assert (changed.status_code, changed.json["name"], changed.json["description"]) == (200, "mine", "of my own")
    refused = jdoe.send("POST", f"/jdoe/images/{image}?action=update", owner=dc.mahi.admin_uuid)
    assert (refused.status_code, refused.json["message"]) == (409, "cannot be changed: owner")
    assert jdoe.send("POST", f"/jdoe/images/{image}?action=paint").status_code == 409
    assert jdoe.send("DELETE", f"/jdoe/images/{image}").status_code == 204
    assert jdoe.get(f"/jdoe/images/{image}").status_code == 404


def test_role_tags_of_a_machine_are_those_that_vmapi_has(dc, jdoe, machine):
    made = jdoe.send("POST", "/my/roles", name="dev", members=[], policies=[]).json
    path, http = f"/vms/{machine['id']}/role_tags", dc.vmapi.app.test_client()
    owned = f"?owner_uuid={jdoe.uuid}"
    jdoe.send("PUT", f"/my/machines/{machine['id']}", **{"role-tag": ["dev"]})
    assert http.get(path + owned).json == [made["id"]]
    http.delete(path + owned)
    assert jdoe.get(f"/my/machines/{machine['id']}").headers["role-tag"] == ""
    http.put(path, json={"role_tags": [made["id"]], "owner_uuid": jdoe.uuid})
    assert jdoe.get(f"/my/machines/{machine['id']}").headers["role-tag"] == "dev"
    other = Caller(dc, "bob")
    refused = other.get(f"/my/machines/{machine['id']}")
    assert (refused.status_code, "role-tag" in refused.headers) == (404, False)

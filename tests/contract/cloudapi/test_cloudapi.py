"""CloudAPI: signatures in both forms, and what an account sees."""

from __future__ import annotations

import time
import uuid
from email.utils import formatdate
from urllib.parse import quote

import pytest

from datacenter.services.vmapi.role_tags import RoleTags
from datacenter.store import Store
from tests.contract.cloudapi.caller import PRIVATE, RSA, Caller, public_line


@pytest.fixture
def jdoe(dc):
    return Caller(dc)


def test_anyone_may_ping(dc):
    answer = dc.cloudapi.app.test_client().get("/--ping", headers={"accept-version": "~9||~8"})
    assert answer.json["ping"] == "pong"
    assert {"7.3.0", "8.0.0", "9.0.0"} <= set(answer.json["cloudapi"]["versions"])
    assert answer.headers["Triton-Datacenter-Name"] == "emb"
    assert answer.headers["Api-Version"] == "9.0.0"
    assert uuid.UUID(answer.headers["Request-Id"])
    assert answer.headers["Response-Time"].isdecimal()


def test_a_version_that_is_not_served_is_refused(dc):
    answer = dc.cloudapi.app.test_client().get("/--ping", headers={"accept-version": "~6"})
    assert (answer.status_code, answer.json["code"]) == (400, "InvalidVersion")


@pytest.mark.parametrize("old", [False, True], ids=["standard", "old form"])
@pytest.mark.parametrize("algorithm", PRIVATE)
def test_every_kind_of_key_signs_in_both_forms(dc, algorithm, old):
    caller = Caller(dc, algorithm=algorithm, old=old)
    assert caller.get("/jdoe").json["login"] == "jdoe"
    assert caller.get("/--ping").status_code == 200
    caller.key_id = "/jdoe/keys/laptop"
    assert caller.get("/my").json["id"] == caller.uuid


def test_paths_and_queries_are_signed_as_they_were_sent(jdoe):
    name = jdoe.key_id.rpartition("/")[2]
    for path in (f"/jdoe/keys/{name}", f"/jdoe/keys/{quote(name, safe='')}"):
        assert jdoe.get(path).json["name"] == "laptop"
    assert jdoe.get("/jdoe/images?state=all&x=%7B%22a%22%3A1%7D").status_code == 200
    path = "/jdoe/machines?limit=1000&offset=0"
    tampered = jdoe.http.get("/jdoe/machines?limit=1000&offset=1", headers=jdoe.headers(path))
    assert (tampered.status_code, tampered.json["code"]) == (401, "InvalidCredentials")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda h: h.pop("authorization"), 401, "InvalidCredentials"),
        (lambda h: h.update(authorization=h["authorization"].replace("/jdoe/", "/nobody/")), 401, "InvalidCredentials"),
        (lambda h: h.update(authorization=h["authorization"].replace("/keys/", "/keys/0")), 401, "InvalidCredentials"),
        (lambda h: h.update(authorization=h["authorization"].replace(RSA, "rsa-sha512")), 401, "InvalidCredentials"),
        (lambda h: h.update(authorization=h["authorization"].replace(RSA, "ecdsa-sha256")), 401, "InvalidCredentials"),
        (lambda h: h.update(authorization=h["authorization"].replace(RSA, "hmac-sha256")), 400, "InvalidHeader"),
        (lambda h: h.update(authorization=h["authorization"].replace(" date", "")), 400, "InvalidHeader"),
        (lambda h: h.update(authorization=h["authorization"].replace(" date", " date x")), 400, "InvalidHeader"),
        (lambda h: h.update(authorization=h["authorization"].replace("signature=", "s=")), 400, "InvalidHeader"),
        (lambda h: h.update(authorization=h["authorization"].replace('signature="', 'signature="!')), 400, "InvalidHeader"),
        (lambda h: h.update(authorization=h["authorization"].replace("/keys/", "/")), 400, "InvalidHeader"),
        (lambda h: h.update(authorization="Basic amRvZTo="), 400, "InvalidHeader"),
        (lambda h: h.pop("date"), 400, "InvalidHeader"),
        (lambda h: h.update(date="yesterday"), 400, "InvalidHeader"),
        (lambda h: h.update(date=formatdate(time.time() - 1, usegmt=True)), 401, "InvalidCredentials"),
    ],
)  # fmt: skip
def test_bad_signatures_are_refused(jdoe, change, status, code):
    headers = jdoe.headers("/jdoe")
    change(headers)
    answer = jdoe.http.get("/jdoe", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (status, code)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(("offset", "status"), [(-290, 200), (290, 200), (-310, 400), (310, 400)])
def test_clocks_may_differ_by_five_minutes(dc, old, offset, status):
    caller = Caller(dc, old=old)
    date = formatdate(time.time() + offset, usegmt=True)
    assert caller.http.get("/jdoe", headers=caller.headers("/jdoe", date=date)).status_code == status


def test_a_signed_ping_tells_whether_the_key_is_good(dc, jdoe):
    dc.mahi.remove_key("jdoe", "laptop")
    assert jdoe.get("/--ping").status_code == 401


def test_a_disabled_account_is_kept_out(dc, jdoe):
    dc.mahi.set_attributes("jdoe", disabled=True)
    answer = jdoe.get("/jdoe/services")
    assert (answer.status_code, answer.json["code"]) == (403, "NotAuthorized")


def test_sub_users_have_no_role_that_lets_them_in(dc, jdoe):
    dc.mahi.users.create(dc.mahi.require("jdoe"), "alice", ssh_public_key=public_line(PRIVATE["ed25519-sha512"]))
    alice = Caller(dc, login="other", algorithm="ed25519-sha512")
    for form in ("users", "user"):
        alice.key_id = f"/jdoe/{form}/alice/keys/{dc.mahi.account('other')['key_names']['laptop']}"
        assert alice.get("/jdoe").status_code == 403
    alice.key_id = alice.key_id.replace("alice", "bob")
    assert alice.get("/jdoe").status_code == 401


def test_an_account_sees_only_its_own(dc, jdoe):
    mallory = Caller(dc, "mallory", "ed25519-sha512")
    dc.vmapi = Vms([vm(mallory.uuid)])
    for path in ("/mallory", f"/{mallory.uuid}/keys", "/nobody"):
        answer = jdoe.get(path)
        assert (answer.status_code, answer.json["code"]) == (403, "NotAuthorized")
    assert jdoe.get("/my/machines").json == []
    assert jdoe.get(f"/my/machines/{MACHINE}").status_code == 404
    assert mallory.get(f"/my/machines/{MACHINE}").status_code == 200
    foreign = dc.napi.ensure_default_fabric(mallory.uuid)["uuid"]
    assert jdoe.get(f"/my/networks/{foreign}").status_code == 404
    assert foreign not in [network["id"] for network in jdoe.get("/my/networks").json]


def test_an_operator_sees_every_account(dc, jdoe):
    root = Caller(dc, "root", "ed25519-sha512")
    dc.mahi.set_attributes("root", groups=["operators"])
    assert root.get("/jdoe").json["id"] == jdoe.uuid
    assert root.get("/nobody").status_code == 404


def test_services_fit_on_one_line(dc, jdoe):
    answer = jdoe.get("/jdoe/services")
    assert answer.text == '{"cloudapi":"http://localhost","docker":"tcp://127.0.0.1:2376"}'
    assert jdoe.get("/jdoe/datacenters").json == {"emb": "http://localhost"}
    assert jdoe.get("/jdoe/datacenters/emb").headers["Location"] == "http://localhost"
    assert jdoe.get("/jdoe/datacenters/other").status_code == 404


def test_the_account_itself(dc, jdoe):
    shown = jdoe.get("/jdoe").json
    assert shown == {
        "id": jdoe.uuid,
        "login": "jdoe",
        "email": "jdoe@localhost",
        "triton_cns_enabled": False,
        "created": shown["created"],
        "updated": shown["updated"],
    }
    dc.mahi.set_attributes("jdoe", limits=[{"datacenter": "emb", "limit": '{"value": 1}'}])
    assert jdoe.get("/jdoe/limits").json == [{"value": 1}]


def test_keys(jdoe):
    (key,) = jdoe.get("/jdoe/keys").json
    assert key == {"name": "laptop", "fingerprint": jdoe.key_id[11:], "key": public_line(PRIVATE[RSA])}
    made = jdoe.send("POST", "/jdoe/keys", name="phone", key=public_line(PRIVATE["ed25519-sha512"]))
    assert (made.status_code, made.json["name"]) == (201, "phone")
    assert jdoe.send("POST", "/jdoe/keys", name="again", key=key["key"]).status_code == 409
    assert jdoe.send("POST", "/jdoe/keys", name="bad", key="ssh-rsa x").status_code == 409
    assert jdoe.send("DELETE", "/jdoe/keys/phone").status_code == 204
    assert jdoe.get("/jdoe/keys/phone").status_code == 404


def test_config_names_the_default_network(dc, jdoe):
    default = dc.napi.ensure_default_fabric(jdoe.uuid)
    assert jdoe.get("/jdoe/config").json == {"default_network": default["uuid"]}
    vlan = dc.napi.fabrics.vlan(jdoe.uuid, "2")
    other = dc.napi.fabrics.create_network(vlan, {"name": "other", "subnet_alloc": True})
    assert jdoe.send("PUT", "/jdoe/config", default_network=other["uuid"]).json == {"default_network": other["uuid"]}
    external = dc.napi.networks(name="external")[0]
    assert jdoe.send("PUT", "/jdoe/config", default_network=external["uuid"]).status_code == 409


def test_packages_and_networks(dc, jdoe):
    (package,) = jdoe.get("/jdoe/packages?name=sample-1G").json
    assert (package["memory"], package["disk"], package["swap"], package["lwps"]) == (1024, 25600, 4096, 1000)
    assert jdoe.get(f"/jdoe/packages/{package['id']}").json == jdoe.get("/jdoe/packages/sample-1G").json == package
    assert jdoe.get("/jdoe/packages/nope").status_code == 404
    networks = jdoe.get("/jdoe/networks")
    assert networks.headers["x-resource-count"] == "2"
    fabric, external = sorted(networks.json, key=lambda network: network["public"])
    assert external == {"id": external["id"], "name": "external", "public": True}
    assert (fabric["fabric"], fabric["subnet"], fabric["public"]) == (True, "10.128.0.0/22", False)
    assert jdoe.get(f"/jdoe/networks/{fabric['id']}").json == fabric
    dc.napi.pools.put({"name": "pool", "networks": [external["id"]]})
    assert [network["name"] for network in jdoe.get("/jdoe/networks").json] == ["pool", "My-Fabric-Network"]


def test_images(dc, jdoe):
    image = {
        "v": 2,
        "uuid": str(uuid.uuid4()),
        "owner": dc.mahi.admin_uuid,
        "name": "base",
        "version": "1",
        "state": "active",
        "public": True,
        "type": "docker",
        "os": "linux",
        "disabled": False,
        "published_at": "2026-01-01T00:00:00.000Z",
        "files": [{"compression": "gzip", "sha1": "0" * 40, "size": 5, "digest": "sha256:0"}],
    }
    dc.imgapi.images.put(image["uuid"], image)
    dc.imgapi.images.put("private", {**image, "uuid": str(uuid.uuid4()), "public": False})
    (shown,) = jdoe.get("/jdoe/images?state=all").json
    assert (shown["id"], shown["name"], shown["state"]) == (image["uuid"], "base", "active")
    assert shown["files"] == [{"compression": "gzip", "sha1": "0" * 40, "size": 5}]
    assert jdoe.get(f"/jdoe/images/{image['uuid']}").json["id"] == image["uuid"]
    assert jdoe.get(f"/jdoe/images/{uuid.uuid4()}").status_code == 404


MACHINE = "c0a80164-1111-4aaa-8bbb-0123456789ab"
NETWORK = "0e4b6c3a-1f6b-4e6b-9b3c-6a3b2a0f6f01"


def vm(owner_uuid, **fields):
    return {
        "uuid": MACHINE,
        "alias": "web1",
        "brand": "lx",
        "docker": True,
        "state": "running",
        "owner_uuid": owner_uuid,
        "billing_id": "",
        "image_uuid": "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b",
        "ram": 128,
        "quota": 3,
        "customer_metadata": {},
        "tags": {"role": "www"},
        "create_timestamp": "2020-01-01T00:00:00.000Z",
        "last_modified": "2020-01-01T00:00:00.000Z",
        "server_uuid": "44454c4c-5300-1057-804e-b5c04f445a31",
        "firewall_enabled": True,
        "nics": [
            {
                "mac": "90:b8:d0:01:02:03",
                "ip": "10.0.0.5",
                "netmask": "255.255.255.0",
                "network_uuid": NETWORK,
                "primary": True,
            }
        ],
        **fields,
    }


class Vms:
    def __init__(self, docs):
        self.docs = docs
        self.role_tags = RoleTags(Store(":memory:"))

    def vm(self, vm_uuid):
        return next((doc for doc in self.docs if doc["uuid"] == vm_uuid), None)

    def vms(self, **equal):
        return [doc for doc in self.docs if all(doc[name] == value for name, value in equal.items())]


def test_a_machine_in_cloudapis_words(dc, jdoe):
    package = dc.papi.search({"name": "sample-128M"})[0]
    dc.mahi.set_attributes("jdoe", triton_cns_enabled=True)
    dc.vmapi = Vms([vm(jdoe.uuid, billing_id=package["uuid"])])
    zone = f"inst.{jdoe.uuid}.emb.cns.test"
    assert jdoe.get(f"/jdoe/machines/{MACHINE}").json == {
        "id": MACHINE,
        "name": "web1",
        "type": "smartmachine",
        "brand": "lx",
        "state": "running",
        "image": "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b",
        "memory": 128,
        "disk": 3072,
        "metadata": {},
        "tags": {"role": "www"},
        "created": "2020-01-01T00:00:00.000Z",
        "updated": "2020-01-01T00:00:00.000Z",
        "ips": ["10.0.0.5"],
        "networks": [NETWORK],
        "nics": [
            {
                "mac": "90:b8:d0:01:02:03",
                "ip": "10.0.0.5",
                "netmask": "255.255.255.0",
                "primary": True,
                "network": NETWORK,
                "state": "running",
            }
        ],
        "primaryIp": "10.0.0.5",
        "firewall_enabled": True,
        "deletion_protection": False,
        "compute_node": "44454c4c-5300-1057-804e-b5c04f445a31",
        "package": "sample-128M",
        "docker": True,
        "dns_names": [f"{MACHINE}.{zone}", f"web1.{zone}"],
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "abc"),
        ("?name=a", "a"),
        ("?state=stopped", "b"),
        ("?state=provisioning", "c"),
        ("?tag.role=db", "b"),
        ("?tag.on=true", "c"),
        ("?docker=false", "c"),
        ("?memory=256", "b"),
        ("?limit=1&offset=1", "b"),
    ],
)
def test_machine_lists(dc, jdoe, query, names):
    docs = [
        vm(jdoe.uuid, uuid=str(uuid.uuid4()), alias="a"),
        vm(jdoe.uuid, uuid=str(uuid.uuid4()), alias="b", state="stopped", tags={"role": "db"}, ram=256),
        vm(jdoe.uuid, uuid=str(uuid.uuid4()), alias="c", state="provisioning", tags={"on": True}, docker=False),
        vm(jdoe.uuid, uuid=str(uuid.uuid4()), alias="d", state="destroyed"),
    ]
    dc.vmapi = Vms(docs)
    listed = jdoe.get(f"/jdoe/machines{query}")
    assert [machine["name"] for machine in listed.json] == list(names)
    assert listed.headers["x-query-limit"] == ("1" if "limit" in query else "1000")
    path = f"/jdoe/machines{query}"
    counted = jdoe.http.head(path, headers=jdoe.headers(path, "head"))
    assert counted.headers["x-resource-count"] == listed.headers["x-resource-count"]


def test_a_destroyed_machine_is_gone_for_good(dc, jdoe):
    dc.vmapi = Vms([vm(jdoe.uuid, state="destroyed")])
    gone = jdoe.get(f"/jdoe/machines/{MACHINE}")
    assert (gone.status_code, gone.json["state"]) == (410, "deleted")
    assert jdoe.get("/jdoe/machines?limit=0").status_code == 409

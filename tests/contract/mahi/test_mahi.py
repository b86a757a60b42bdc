"""MAHI's documents and errors, and the operator's door beside it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from datacenter.restify import RestError

ABSENT = "00000000-0000-4000-8000-000000000000"

# what ssh-keygen -E md5 -l says of this key
KNOWN = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f known",
    "0f:a2:0a:d7:38:3e:65:45:08:6b:63:84:1c:ff:dc:ba",
)


def public_line(private, comment=""):
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{line} {comment}".strip()


@pytest.fixture
def http(dc):
    return dc.mahi.app.test_client()


@pytest.fixture
def jdoe(dc):
    return dc.mahi.create_account("jdoe", ssh_public_key=KNOWN[0])


def refusal(answer):
    return answer.status_code, answer.json["code"], answer.json["message"]


def test_a_new_data_center_has_its_admin(dc, http):
    account = http.get("/accounts?login=admin").json["account"]
    assert (account["groups"], account["isOperator"], account["keys"]) == (["operators"], True, {})
    assert dc.mahi.admin_uuid == account["uuid"]


def test_what_authenticators_read_of_an_account(http, jdoe):
    found = http.get("/accounts?login=jdoe")
    assert found.status_code == 200
    account = found.json["account"]
    pem = account["keys"][KNOWN[1]]
    assert pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert public_line_of(pem) == KNOWN[0].rsplit(" ", 1)[0]
    assert found.json == {
        "roles": {},
        "account": {
            "type": "account",
            "uuid": jdoe["uuid"],
            "login": "jdoe",
            "groups": [],
            "approved_for_provisioning": True,
            "isOperator": False,
            "keys": {KNOWN[1]: pem},
            "email": "jdoe@localhost",
        },
    }
    for path in (f"/accounts/{jdoe['uuid']}", "/account/jdoe", "/roles?account=jdoe"):
        assert http.get(path).json == found.json


def public_line_of(pem):
    return load_pem_public_key(pem.encode()).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/accounts?login=nope", (404, "AccountDoesNotExist", "nope does not exist")),
        ("/account/nope", (404, "AccountDoesNotExist", "nope does not exist")),
        (f"/accounts/{ABSENT}", (404, "AccountIdDoesNotExist", f"{ABSENT} does not exist")),
        ("/accounts/jdoe", (404, "AccountIdDoesNotExist", "jdoe does not exist")),
        ("/accounts", (400, "BadRequest", '"account" is required')),
        ("/users?account=jdoe", (400, "BadRequest", '"user" is required')),
        ("/users?login=alice", (400, "BadRequest", '"account" is required')),
        ("/users?account=jdoe&login=nope&fallback=false", (404, "UserDoesNotExist", "user nope does not exist in account jdoe")),
        ("/user/nope/alice", (404, "AccountDoesNotExist", "nope does not exist")),
        ("/users?account=nope&login=nope&fallback=true", (404, "AccountDoesNotExist", "nope does not exist")),
        (f"/users/{ABSENT}", (404, "UserIdDoesNotExist", f"{ABSENT} does not exist")),
        ("/roles", (400, "BadRequest", '"account" is required')),
        ("/roles?account=nope&role=dev", (404, "AccountDoesNotExist", "nope does not exist")),
        ("/uuids", (400, "BadRequest", '"account" is required')),
        ("/uuids?account=nope", (404, "AccountDoesNotExist", "nope does not exist")),
        ("/uuids?account=jdoe&type=colour&name=x", (400, "WrongType", "type must be user, role or policy")),
    ],
)  # fmt: skip
def test_errors(http, jdoe, path, error):
    assert refusal(http.get(path)) == error


def test_uuids_of_another_kind_are_a_wrong_type(dc, http, jdoe):
    alice = dc.mahi.users.create(jdoe, "alice")
    told = "{} expected to be type {} but was actually type {}"
    asked = {
        f"/accounts/{alice['uuid']}": told.format(alice["uuid"], "account", "user"),
        f"/users/{jdoe['uuid']}": told.format(jdoe["uuid"], "user", "account"),
    }
    for path, message in asked.items():
        assert refusal(http.get(path)) == (400, "WrongType", message)


def test_sub_users(dc, http, jdoe):
    alice = dc.mahi.users.create(dc.mahi.require("jdoe"), "alice", ssh_public_key=KNOWN[0])
    info = http.get("/users?account=jdoe&login=alice").json
    assert info["account"]["login"] == "jdoe"
    assert (info["user"]["type"], info["user"]["login"], info["user"]["account"]) == ("user", "alice", jdoe["uuid"])
    assert list(info["user"]["keys"]) == [KNOWN[1]]
    assert http.get(f"/users/{alice['uuid']}").json == http.get("/user/jdoe/alice").json == info
    for path in ("/users?account=jdoe&login=bob", "/users?account=jdoe&login=bob&fallback=true", "/user/jdoe/bob"):
        assert http.get(path).json.keys() == {"roles", "account"}  # MAHI falls back unless it is told not to
    again = http.post("/embedded/accounts/jdoe/users", json={"login": "alice"})
    assert again.status_code == 409


def test_names_and_uuids(dc, http, jdoe):
    alice = dc.mahi.users.create(dc.mahi.require("jdoe"), "alice")
    assert http.get("/uuids?account=jdoe").json == {"account": jdoe["uuid"]}
    wanted = {"account": jdoe["uuid"], "uuids": {"alice": alice["uuid"]}}
    assert http.get("/uuids?account=jdoe&type=user&name=alice&name=bob").json == wanted
    body = {"account": "jdoe", "type": "user", "names": ["alice"]}
    assert http.post("/getUuid", json=body).json == wanted
    names = {jdoe["uuid"]: "jdoe", alice["uuid"]: "alice"}
    assert http.get(f"/names?uuid={jdoe['uuid']}&uuid={alice['uuid']}").json == names
    assert http.post("/getName", json={"uuids": list(names)}).json == names
    assert http.get(f"/names?uuid={ABSENT}&uuid={jdoe['uuid']}").json == {jdoe["uuid"]: "jdoe"}
    assert refusal(http.post("/getUuid", json={})) == (400, "BadRequest", '"account" is required')
    assert http.get("/lookup").json[jdoe["uuid"]] == {"approved": True, "login": "jdoe"}


def test_ping(http):
    assert http.get("/ping").status_code == 204


@pytest.mark.parametrize(
    "private",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["rsa", "ecdsa-256", "ecdsa-521", "ed25519"],
)
def test_the_door_makes_an_account_and_takes_any_key(dc, http, private):
    line = public_line(private, "work laptop")
    made = http.post("/embedded/accounts", json={"login": "carol", "ssh_public_key": line, "operator": True})
    assert made.status_code == 201
    account = dc.mahi.account("carol")
    assert made.json == account
    fingerprint = account["key_names"]["work laptop"]
    assert public_line_of(account["keys"][fingerprint]) == public_line(private)
    assert account["openssh"] == {fingerprint: line}
    assert account["groups"] == ["operators"]
    assert [net["name"] for net in dc.napi.networks(owner_uuid=account["uuid"])] == ["My-Fabric-Network"]


def test_a_second_post_adds_the_key_and_keeps_the_rest(dc, http, jdoe):
    http.put("/embedded/accounts/jdoe", json={"approved_for_provisioning": False})
    line = public_line(ed25519.Ed25519PrivateKey.generate())
    again = http.post("/embedded/accounts", json={"login": "jdoe", "ssh_public_key": line, "key_name": "new"}).json
    assert again["uuid"] == jdoe["uuid"]
    assert sorted(again["key_names"]) == ["known", "new"]
    assert again["approved_for_provisioning"] is False
    assert len(dc.napi.networks(owner_uuid=jdoe["uuid"])) == 1


def test_keys_are_replaced_by_name_and_removed_by_either(dc, http, jdoe):
    line = public_line(ed25519.Ed25519PrivateKey.generate())
    replaced = http.post("/embedded/accounts/jdoe/keys", json={"name": "known", "key": line})
    assert replaced.status_code == 201
    assert KNOWN[1] not in replaced.json["keys"]
    assert len(replaced.json["openssh"]) == 1
    dc.mahi.add_key("jdoe", KNOWN[0], "second")
    assert http.delete(f"/embedded/accounts/jdoe/keys/{KNOWN[1]}").status_code == 204
    assert http.delete("/embedded/accounts/jdoe/keys/known").status_code == 204
    account = dc.mahi.account("jdoe")
    assert account["keys"] == account["key_names"] == account["openssh"] == {}
    assert http.delete("/embedded/accounts/jdoe/keys/known").status_code == 404


def test_attributes_are_set_served_and_taken_away(http, jdoe):
    limits = [{"datacenter": "emb", "limit": ['{"value": 4, "by": "ram"}']}]
    given = {"disabled": True, "tenant": "acme", "allowed_dcs": ["emb"], "limits": limits, "triton_cns_enabled": True}
    assert http.put("/embedded/accounts/jdoe", json=given).status_code == 200
    account = http.get("/accounts?login=jdoe").json["account"]
    assert {name: account[name] for name in given} == {**given, "triton_cns_enabled": "true"}
    http.put("/embedded/accounts/jdoe", json=dict.fromkeys(given))
    assert not given.keys() & http.get("/accounts?login=jdoe").json["account"].keys()


@pytest.mark.parametrize(
    "body",
    [
        {"login": "my"},
        {"login": "1st"},
        {"login": "a/b"},
        {"login": None},
        {"login": "dave", "colour": "red"},
        {"login": "dave", "ssh_public_key": "ssh-rsa AAAA"},
        {"login": "dave", "ssh_public_key": KNOWN[0].replace("ssh-ed25519", "ssh-dss")},
        {"login": "dave", "ssh_public_key": f"{KNOWN[0]}\n{KNOWN[0]}"},
        {"login": "dave", "ssh_public_key": 5},
        {"login": "dave", "approved": "yes"},
        {"login": "dave", "limits": [{"datacenter": "emb", "limit": "{"}]},
        {"login": "dave", "uuid": ABSENT},
    ],
)
def test_the_door_refuses_what_is_no_account(dc, http, body):
    refused = http.post("/embedded/accounts", json=body)
    assert (refused.status_code, refused.json["code"]) == (409, "InvalidArgument")
    assert [account["login"] for account in dc.mahi.accounts()] == ["admin"]


def test_the_door_wants_objects_and_known_accounts(http):
    assert refusal(http.post("/embedded/accounts", json=[]))[:2] == (400, "InvalidContent")
    assert http.put("/embedded/accounts/nope", json={}).status_code == 404
    assert http.get("/embedded/accounts/nope").status_code == 404
    assert [account["login"] for account in http.get("/embedded/accounts").json] == ["admin"]


def test_accounts_survive_a_restart(dc, jdoe):
    restarted = type(dc.mahi)(dc)
    assert restarted.account("jdoe") == restarted.account(jdoe["uuid"]) == jdoe
    assert restarted.admin_uuid == dc.mahi.admin_uuid


def test_an_account_whose_fabric_finds_no_subnet_is_not_made(dc, http, monkeypatch):
    def exhausted(owner_uuid):
        raise RestError(507, "SubnetsExhausted", "no more free subnets")

    monkeypatch.setattr(dc.napi, "ensure_default_fabric", exhausted)
    assert http.post("/embedded/accounts", json={"login": "carol"}).status_code == 507
    assert dc.mahi.account("carol") is None
    assert http.get("/accounts?login=carol").status_code == 404

"""Roles and policies as MAHI tells of them, and the doors that make them."""

from __future__ import annotations

import pytest

from tests.contract.mahi.test_mahi import ABSENT, KNOWN, refusal

RULE = "CAN getmachine AND listmachines"
READ = {"effect": True, "actions": {"exact": {"getmachine": True, "listmachines": True}, "regex": []}}
DOOR = "/embedded/accounts/jdoe"


@pytest.fixture
def http(dc):
    return dc.mahi.app.test_client()


@pytest.fixture
def jdoe(dc):
    return dc.mahi.create_account("jdoe", ssh_public_key=KNOWN[0])


@pytest.fixture
def alice(http, jdoe):
    made = http.post(f"{DOOR}/users", json={"login": "alice", "key": KNOWN[0], "email": "alice@example.com"})
    assert made.status_code == 201
    return made.json


@pytest.fixture
def policy(http, jdoe):
    return http.post(f"{DOOR}/policies", json={"name": "look", "rules": [RULE], "description": "reading"}).json


@pytest.fixture
def role(http, alice, policy):
    made = http.post(f"{DOOR}/roles", json={"name": "dev", "members": ["alice"], "policies": ["look"]})
    assert made.status_code == 201
    return made.json


def test_a_member_is_told_with_its_roles_and_their_rules(http, jdoe, alice, policy, role):
    shown = {"type": "role", "uuid": role["uuid"], "name": "dev", "account": jdoe["uuid"], "policies": [policy["uuid"]]}
    info = http.get("/users?account=jdoe&login=alice").json
    assert info["roles"] == {role["uuid"]: {**shown, "rules": [[RULE, READ]]}}
    assert info["user"] == {
        "type": "user",
        "uuid": alice["uuid"],
        "account": jdoe["uuid"],
        "login": "alice",
        "keys": {KNOWN[1]: alice["keys"][KNOWN[1]]},
        "roles": [role["uuid"]],
        "defaultRoles": [],
    }
    assert http.get(f"/users/{alice['uuid']}").json == http.get("/user/jdoe/alice").json == info
    assert http.get("/accounts?login=jdoe").json["roles"] == {}


def test_a_role_is_told_with_its_members(http, jdoe, alice, policy, role):
    info = http.get("/roles?account=jdoe&role=dev").json
    assert info["role"].pop("members") == {alice["uuid"]: http.get(f"/users/{alice['uuid']}").json["user"]}
    assert info["role"] == {
        "type": "role", "uuid": role["uuid"], "name": "dev", "account": jdoe["uuid"], "policies": [policy["uuid"]],
    }  # fmt: skip
    assert info["account"]["login"] == "jdoe"
    assert "role" not in http.get("/roles?account=jdoe&role=nope").json


def test_another_account_as_a_default_member(dc, http, jdoe):
    ops = dc.mahi.create_account("ops")
    member = {"type": "account", "login": "ops", "default": True}
    role = http.post(f"{DOOR}/roles", json={"name": "administrator", "members": [member]}).json
    assert role["members"] == role["default_members"] == [ops["uuid"]]
    shown = http.get("/roles?account=jdoe&role=administrator").json["role"]["members"][ops["uuid"]]
    assert (shown["type"], shown["login"]) == ("account", "ops")
    assert shown["roles"] == shown["defaultRoles"] == [role["uuid"]]
    info = http.get("/accounts?login=ops").json
    assert info["roles"][role["uuid"]]["account"] == jdoe["uuid"]
    assert "roles" not in http.get("/accounts?login=jdoe").json["account"]


def test_names_and_uuids_of_roles_and_policies(http, jdoe, role, policy):
    assert http.get("/uuids?account=jdoe&type=role&name=dev&name=x").json["uuids"] == {"dev": role["uuid"]}
    assert http.get("/uuids?account=jdoe&type=policy&name=look").json["uuids"] == {"look": policy["uuid"]}
    names = {role["uuid"]: "dev", policy["uuid"]: "look"}
    assert http.get("/names?" + "&".join(f"uuid={uuid}" for uuid in names)).json == names


def test_members_are_replaced_and_default_members_stay_members(http, alice, role):
    http.post(f"{DOOR}/users", json={"login": "bob"})
    changed = http.put(f"{DOOR}/roles/dev", json={"default_members": ["bob"]}).json
    bob = changed["default_members"][0]
    assert changed["members"] == [alice["uuid"], bob]
    changed = http.put(f"{DOOR}/roles/dev", json={"name": "ops", "members": ["alice", "bob"]}).json
    assert (changed["name"], changed["default_members"]) == ("ops", [bob])
    assert http.put(f"{DOOR}/roles/ops", json={"members": []}).json["default_members"] == []


def test_what_is_deleted_leaves_the_roles(http, alice, policy, role):
    assert http.delete(f"{DOOR}/users/alice").status_code == 204
    assert http.delete(f"{DOOR}/policies/look").status_code == 204
    (left,) = http.get(f"{DOOR}/roles").json
    assert left["members"] == left["policies"] == []
    assert http.delete(f"{DOOR}/roles/dev").status_code == 204
    assert http.get(f"{DOOR}/roles").json == http.get(f"{DOOR}/policies").json == http.get(f"{DOOR}/users").json == []


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("roles", {}, "name must be at most 255 characters other than ',' and '/'"),
        ("roles", {"name": "true"}, "name must be at most 255 characters other than ',' and '/'"),
        ("roles", {"name": "a,b"}, "name must be at most 255 characters other than ',' and '/'"),
        ("roles", {"name": "dev"}, "role dev exists already"),
        ("roles", {"name": "x", "members": ["nobody"]}, "Invalid subuser: nobody"),
        ("roles", {"name": "x", "members": 5}, "members must be a list"),
        ("roles", {"name": "x", "members": [{"type": "robot", "login": "alice"}]}, 'Invalid member: {"login": "alice", "type": "robot"}'),
        ("roles", {"name": "x", "members": [{"type": "account", "login": "jdoe"}]}, "Invalid account: jdoe"),
        ("roles", {"name": "x", "members": [{"type": "account", "id": ABSENT}]}, f"Invalid account: {ABSENT}"),
        ("roles", {"name": "x", "policies": ["nope"]}, "Invalid policy: nope"),
        ("roles", {"name": "administrator", "policies": ["look"]}, "Administrator role cannot have policies"),
        ("roles", {"name": "x", "colour": "red"}, "unknown: colour"),
        ("policies", {"name": "look", "rules": [RULE]}, "policy look exists already"),
        ("policies", {"name": "x"}, "rules must be a rule or a list of rules"),
        ("policies", {"name": "x", "rules": []}, "rules must be a rule or a list of rules"),
        ("policies", {"name": "x", "rules": [RULE, "may read"]}, "may read: expected CAN, found 'read'"),
        ("policies", {"name": "x", "rules": [RULE] * 101}, "a policy has at most 100 rules"),
        ("policies", {"name": "x", "rules": RULE, "description": 5}, "description must be a string"),
        ("users", {"login": "alice"}, "login alice is taken"),
        ("users", {"login": "a/b"}, "login must be 2 to 32 letters, digits, '_', '.', '@' or '-'"),
        ("users", {"login": "bob", "email": "here"}, "email is invalid"),
        ("users", {"login": "bob", "groups": ["operators"]}, "a user has no attribute groups"),
    ],
)  # fmt: skip
def test_the_doors_refuse_what_makes_no_sense(http, role, path, body, told):
    before = http.get(f"{DOOR}/{path}").json
    assert refusal(http.post(f"{DOOR}/{path}", json=body)) == (409, "InvalidArgument", told)
    assert http.get(f"{DOOR}/{path}").json == before


def test_roles_of_another_account_are_out_of_reach(dc, http, role, alice):
    dc.mahi.create_account("eve")
    door = "/embedded/accounts/eve"
    assert http.put(f"{door}/roles/{role['uuid']}", json={"members": []}).status_code == 404
    assert http.delete(f"{door}/users/{alice['uuid']}").status_code == 404
    stolen = http.post(f"{door}/roles", json={"name": "x", "members": [{"type": "subuser", "id": alice["uuid"]}]})
    assert refusal(stolen) == (409, "InvalidArgument", f"Invalid subuser: {alice['uuid']}")


def test_sub_users_change_and_keep_keys(http, alice):
    changed = http.put(f"{DOOR}/users/alice", json={"login": "alicia", "phone": "1", "email": "a@b.c"}).json
    assert (changed["login"], changed["phone"], changed["uuid"]) == ("alicia", "1", alice["uuid"])
    assert "phone" not in http.put(f"{DOOR}/users/alicia", json={"phone": None}).json
    assert http.post(f"{DOOR}/users/alicia/keys", json={"key": KNOWN[0], "name": "second"}).json["key_names"] == {
        "second": KNOWN[1]
    }
    assert http.delete(f"{DOOR}/users/alicia/keys/second").status_code == 204
    assert http.get(f"{DOOR}/users").json[0]["keys"] == {}
    assert http.delete(f"{DOOR}/users/alicia/keys/second").status_code == 404


def test_sub_users_of_an_older_store_get_names_for_their_keys(dc, jdoe):
    old = {"uuid": ABSENT, "account": jdoe["uuid"], "login": "old", "keys": {KNOWN[1]: "PEM"}}
    dc.store.bucket("account_users").put(ABSENT, old)
    found = type(dc.mahi)(dc).users.get(ABSENT)
    assert (found["keys"], found["key_names"], found["openssh"]) == (old["keys"], {KNOWN[1]: KNOWN[1]}, {})


def test_rules_that_would_be_refused_today_count_for_nothing(dc, http, alice, policy, role):
    dc.store.bucket("account_policies").update(policy["uuid"], rules=["CAN /(a+)+/::regex", RULE])
    info = http.get("/users?account=jdoe&login=alice").json
    assert info["roles"][role["uuid"]]["rules"] == [[RULE, READ]]

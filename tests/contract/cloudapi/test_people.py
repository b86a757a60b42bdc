"""Accounts, sub-users, their keys, roles and policies as CloudAPI serves them."""

from __future__ import annotations

import pytest

from tests.contract.cloudapi.caller import PRIVATE, Caller, public_line

ABSENT = "00000000-0000-4000-8000-000000000000"
ALICE = {"login": "alice", "email": "alice@example.com", "password": "secret123"}
KEY = public_line(PRIVATE["ecdsa-sha384"])


@pytest.fixture
def jdoe(dc):
    return Caller(dc)


@pytest.fixture
def alice(jdoe):
    return jdoe.send("POST", "/my/users", **ALICE).json


def refusal(answer):
    return answer.status_code, answer.json["code"], answer.json["message"]


def test_an_account_changes_what_it_says_of_itself(jdoe):
    given = {"firstName": "Jane", "lastName": "Doe", "companyName": "ACME", "postalCode": "1", "phone": "2"}
    changed = jdoe.send("POST", "/my", **given, email="jane@acme.example", triton_cns_enabled=True).json
    assert {name: changed[name] for name in given} == given
    assert (changed["email"], changed["triton_cns_enabled"]) == ("jane@acme.example", True)
    assert jdoe.get("/my").json == changed
    assert "phone" not in jdoe.send("POST", "/my", phone="").json
    assert refusal(jdoe.send("POST", "/my", email="nowhere"))[:2] == (409, "InvalidArgument")
    assert refusal(jdoe.send("POST", "/my", triton_cns_enabled="maybe"))[:2] == (409, "InvalidArgument")
    assert jdoe.send("POST", "/my", approved_for_provisioning=False, groups=["operators"]).status_code == 200
    assert jdoe.get("/my").json["login"] == "jdoe"


def test_attributes_that_are_the_operators_stay(dc, jdoe):
    before = dc.mahi.account("jdoe")
    jdoe.send("POST", "/my", groups=["operators"], limits=[], tenant="x", login="root")
    assert {**dc.mahi.account("jdoe"), "updated": ""} == {**before, "updated": ""}


def test_a_sub_user_from_create_to_delete(dc, jdoe):
    made = jdoe.send("POST", "/my/users", **ALICE, firstName="Alice")
    assert (made.status_code, made.headers["Location"]) == (201, "/jdoe/users/alice")
    shown = made.json
    assert shown == {
        "id": shown["id"], "login": "alice", "email": "alice@example.com", "firstName": "Alice",
        "created": shown["created"], "updated": shown["updated"],
    }  # fmt: skip
    assert jdoe.get("/my/users").json == [shown]
    assert jdoe.get("/my/users/alice").json == jdoe.get(f"/my/users/{shown['id']}").json == shown
    assert "secret123" not in str(dc.mahi.users.get(shown["id"]))
    changed = jdoe.send("POST", f"/my/users/{shown['id']}", login="alicia", firstName="").json
    assert (changed["login"], "firstName" in changed) == ("alicia", False)
    both = {"password": "newer123", "password_confirmation": "newer123"}
    assert jdoe.send("POST", "/my/users/alicia/change_password", **both).status_code == 200
    assert jdoe.send("DELETE", "/my/users/alicia").status_code == 204
    assert jdoe.get("/my/users/alicia").status_code == 404


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"email": None}, "MissingParameter", "Request is missing required parameters: email is required"),
        ({"login": "", "password": ""}, "MissingParameter", "Request is missing required parameters: login is required, password is required"),
        ({"password": "short1"}, "InvalidArgument", "password must have at least 7 characters, with letters and digits"),
        ({"password": "12345678"}, "InvalidArgument", "password must have at least 7 characters, with letters and digits"),
        ({"password": "abcdefgh"}, "InvalidArgument", "password must have at least 7 characters, with letters and digits"),
        ({"email": "here"}, "InvalidArgument", "email is invalid"),
        ({"login": "a/b"}, "InvalidArgument", "login must be 2 to 32 letters, digits, '_', '.', '@' or '-'"),
    ],
)  # fmt: skip
def test_who_is_no_sub_user(jdoe, change, code, told):
    given = {name: value for name, value in {**ALICE, **change}.items() if value is not None}
    assert refusal(jdoe.send("POST", "/my/users", **given)) == (409, code, told)
    assert jdoe.get("/my/users").json == []


def test_passwords_are_confirmed(jdoe, alice):
    path = "/my/users/alice/change_password"
    assert refusal(jdoe.send("POST", path, password="newer123"))[1] == "MissingParameter"
    told = refusal(jdoe.send("POST", path, password="newer123", password_confirmation="other123"))
    assert told == (409, "InvalidArgument", "password and password_confirmation must have the same value")


def test_keys_of_a_sub_user(jdoe, alice):
    path = f"/my/users/{alice['id']}/keys"
    made = jdoe.send("POST", path, name="laptop", key=KEY)
    assert made.status_code == 201
    assert made.json == {"name": "laptop", "fingerprint": made.json["fingerprint"], "key": KEY}
    assert jdoe.get(path).json == [made.json]
    assert jdoe.get(f"{path}/laptop").json == jdoe.get(f"{path}/{made.json['fingerprint']}").json == made.json
    assert refusal(jdoe.send("POST", path, name="laptop", key=public_line(PRIVATE["ecdsa-sha256"])))[0] == 409
    assert refusal(jdoe.send("POST", path, name="other", key=KEY))[0] == 409
    assert refusal(jdoe.send("POST", path, name="bad", key="ssh-rsa x"))[0] == 409
    assert jdoe.send("DELETE", f"{path}/laptop").status_code == 204
    assert jdoe.get(f"{path}/laptop").status_code == jdoe.get("/my/users/nobody/keys").status_code == 404


def test_a_role_from_create_to_delete(jdoe, alice):
    jdoe.send("POST", "/my/policies", name="look", rules=["CAN getmachine"], description="reading")
    (policy,) = jdoe.get("/my/policies").json
    assert policy == {"name": "look", "id": policy["id"], "rules": ["CAN getmachine"], "description": "reading"}
    members = [{"type": "subuser", "login": "alice", "default": True}]
    made = jdoe.send("POST", "/my/roles", name="dev", members=members, policies=[{"name": "look"}])
    assert (made.status_code, made.headers["Location"]) == (201, f"/jdoe/roles/{made.json['id']}")
    assert made.json == {
        "name": "dev",
        "id": made.json["id"],
        "members": [{"id": alice["id"], "login": "alice", "type": "subuser", "default": True}],
        "policies": [{"id": policy["id"], "name": "look"}],
    }
    old = jdoe.get("/my/roles/dev", **{"accept-version": "~8"}).json
    assert (old["members"], old["default_members"], old["policies"]) == (["alice"], ["alice"], ["look"])
    shown = jdoe.get("/my/users/alice?membership=true").json
    assert (shown["roles"], shown["default_roles"]) == (["dev"], ["dev"])
    changed = jdoe.send("POST", f"/my/roles/{made.json['id']}", name="ops", members=[], policies=[]).json
    assert (changed["name"], changed["members"], changed["policies"]) == ("ops", [], [])
    assert jdoe.send("DELETE", "/my/roles/ops").status_code == 204
    assert jdoe.get("/my/roles").json == []


def test_policies_change_and_go(jdoe):
    made = jdoe.send("POST", "/my/policies", name="look", rules="CAN getmachine").json
    changed = jdoe.send("POST", f"/my/policies/{made['id']}", rules=["CAN listmachines"], name="see").json
    assert (changed["name"], changed["rules"], changed["id"]) == ("see", ["CAN listmachines"], made["id"])
    refused = jdoe.send("POST", "/my/policies/see", rules=["CAN listmachines", "may read"])
    assert refusal(refused) == (409, "InvalidArgument", "may read: expected CAN, found 'read'")
    assert jdoe.get("/my/policies/see").json == changed
    assert refusal(jdoe.send("POST", "/my/policies", name="x")) == (
        409, "MissingParameter", "Request is missing required parameters: rules is required",
    )  # fmt: skip
    assert jdoe.send("DELETE", "/my/policies/see").status_code == 204
    assert jdoe.get("/my/policies/see").status_code == 404


def test_administrators_have_no_policies(jdoe):
    jdoe.send("POST", "/my/policies", name="look", rules="CAN getmachine")
    refused = jdoe.send("POST", "/my/roles", name="administrator", policies=["look"])
    assert refusal(refused) == (409, "InvalidArgument", "Administrator role cannot have policies")


def test_roles_and_users_of_another_account_are_not_there(dc, jdoe, alice):
    jdoe.send("POST", "/my/roles", name="dev")
    role = jdoe.get("/my/roles/dev").json
    eve = Caller(dc, "eve", "ecdsa-sha256")
    for path in (f"/my/roles/{role['id']}", f"/my/users/{alice['id']}", f"/my/users/{alice['id']}/keys"):
        assert eve.get(path).status_code == 404
    assert eve.get("/jdoe/roles").status_code == 403
    stolen = eve.send("POST", "/my/roles", name="x", members=[{"type": "subuser", "id": alice["id"]}])
    assert refusal(stolen) == (409, "InvalidArgument", f"Invalid subuser: {alice['id']}")


@pytest.mark.parametrize("path", ["/my/accesskeys", "/my/users/alice/accesskeys"])
def test_access_keys_open_nothing_here(jdoe, alice, path):
    assert jdoe.get(path).json == []
    told = "access keys open object stores, and this data center has none"
    assert refusal(jdoe.send("POST", path)) == (501, "NotImplemented", told)
    assert jdoe.get(f"{path}/abc").status_code == jdoe.send("DELETE", f"{path}/abc").status_code == 404


def test_access_keys_of_nobody(jdoe):
    assert jdoe.get("/my/users/nobody/accesskeys").status_code == 404

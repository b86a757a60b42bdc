"""What sub-users and other accounts may do, as far as an account's roles and policies let them."""

from __future__ import annotations

import pytest

from datacenter.services.cloudapi.actions import ACTIONS, route_key
from tests.contract.cloudapi.caller import Caller, SubCaller

LOOK = "CAN listmachines, getmachine and listimages"


@pytest.fixture
def jdoe(dc):
    return Caller(dc)


@pytest.fixture
def alice(dc, jdoe):
    return SubCaller(dc, "jdoe", "alice", "ed25519-sha512")


@pytest.fixture
def allow(jdoe):
    """Give alice a default role with these rules, and tag resources with it."""

    def allow(*rules, tag=(), default=True):
        if rules:
            jdoe.send("POST", "/my/policies", name="p", rules=list(rules))
        member = {"type": "subuser", "login": "alice", "default": default}
        policies = [{"name": "p"}] if rules else []
        name = "dev" if rules else "administrator"
        made = jdoe.send("POST", "/my/roles", name=name, members=[member], policies=policies)
        assert made.status_code == 201, made.json
        for resource in tag:
            assert jdoe.send("PUT", f"/my{resource}", **{"role-tag": [name]}).status_code == 200

    return allow


def status(answer):
    return answer.status_code, (answer.json or {}).get("code") if isinstance(answer.json, dict) else None


def test_every_route_has_a_name_in_rules(dc):
    served = [
        route_key(method, rule.rule.removeprefix("/<account>"))
        for rule in dc.cloudapi.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/<account>")
    ]
    assert [key for key in served if key not in ACTIONS] == []


def test_without_a_role_nothing_is_allowed(alice):
    answer = alice.get("/jdoe/machines")
    assert (answer.status_code, answer.json) == (
        403,
        {"code": "NotAuthorized", "message": "You do not have permission to access /jdoe/machines (listmachines)"},
    )


def test_rules_count_for_what_bears_the_role(jdoe, alice, allow):
    allow(LOOK, tag=["/machines"])
    assert alice.get("/jdoe/machines").json == alice.get("/my/machines").json == []
    assert alice.http.head("/jdoe/machines", headers=alice.headers("/jdoe/machines", "head")).status_code == 200
    assert status(alice.get("/jdoe/images")) == (403, "NotAuthorized")
    assert status(alice.send("POST", "/jdoe/machines")) == (403, "NotAuthorized")
    jdoe.send("PUT", "/my/images", **{"role-tag": ["dev"]})
    assert alice.get("/jdoe/images").status_code == 200


def test_rules_that_name_resources_need_no_tag(alice, allow):
    allow("CAN list* /jdoe/images and /jdoe/packages", "CAN getaccount *")
    assert alice.get("/jdoe/images").status_code == alice.get("/jdoe/packages").status_code == 200
    assert alice.get("/jdoe").json["login"] == "jdoe"
    assert status(alice.get("/jdoe/networks")) == (403, "NotAuthorized")


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ("CAN listmachines * IF sourceip = 127.0.0.0/8", True),
        ("CAN listmachines * IF sourceip = 10.0.0.0/8", False),
        ("CAN listmachines * IF method = get AND date > 2020-01-01", True),
        ("CAN listmachines * IF datacenter = emb", True),
        ("CAN listmachines * IF user-agent like /^curl/", False),
        ("CAN listmachines * IF tag_role::string = www", False),
        ("CAN NOT listmachines *", False),
    ],
)
def test_conditions_are_weighed(alice, allow, rule, allowed):
    allow(rule)
    assert alice.get("/jdoe/machines").status_code == (200 if allowed else 403)


def test_administrators_may_do_everything_to_their_account_alone(dc, alice, allow):
    allow()
    assert alice.send("POST", "/jdoe/policies", name="x", rules=[LOOK]).status_code == 201
    assert alice.send("DELETE", "/jdoe/policies/x").status_code == 204
    Caller(dc, "eve", "ecdsa-sha256")
    assert status(alice.get("/eve/machines")) == (403, "NotAuthorized")
    dc.mahi.set_attributes("jdoe", groups=["operators"])
    assert status(alice.get("/eve/machines")) == (403, "NotAuthorized")


def test_roles_that_are_not_default_are_asked_for(alice, allow):
    allow("CAN listmachines *", default=False)
    assert status(alice.get("/jdoe/machines")) == (403, "NotAuthorized")
    assert alice.get("/jdoe/machines?as-role=dev").status_code == 200
    assert status(alice.get("/jdoe/machines?as-role=dev,ops")) == (403, "NotAuthorized")


def test_another_account_in_a_role(dc, jdoe):
    ops = Caller(dc, "ops", "ecdsa-sha256")
    assert status(ops.get("/jdoe/machines")) == (403, "NotAuthorized")
    jdoe.send("POST", "/my/policies", name="p", rules=["CAN listmachines *"])
    member = {"type": "account", "login": "ops", "default": True}
    jdoe.send("POST", "/my/roles", name="helpers", members=[member], policies=[{"name": "p"}])
    assert ops.get("/jdoe/machines").status_code == 200
    assert status(ops.get("/jdoe/keys")) == (403, "NotAuthorized")
    assert ops.get("/my/keys").status_code == 200


def test_nobody_acts_for_an_account_that_is_not_approved(dc, alice, allow):
    allow("CAN listmachines *")
    dc.mahi.set_attributes("jdoe", approved_for_provisioning=False)
    assert status(alice.get("/jdoe/machines")) == (403, "NotAuthorized")


def test_what_a_sub_user_makes_bears_its_roles(jdoe, alice, allow):
    allow("CAN createpolicy, getpolicy, listpolicies and deletepolicy", tag=["/policies"])
    made = alice.send("POST", "/jdoe/policies", name="mine", rules=[LOOK]).json
    path = f"/jdoe/policies/{made['id']}"
    assert alice.get(path).headers["role-tag"] == "dev"
    others = jdoe.send("POST", "/my/policies", name="his", rules=[LOOK]).json
    assert status(alice.get(f"/jdoe/policies/{others['id']}")) == (403, "NotAuthorized")
    assert alice.send("DELETE", path).status_code == 204
    assert status(alice.get(path)) == (403, "NotAuthorized")


def test_role_tags_of_resources(dc, jdoe, alice, allow):
    allow(LOOK)
    key = next(iter(dc.mahi.account("jdoe")["key_names"]))
    for resource in ("", "/machines", "/images", f"/keys/{key}", "/users/alice/keys"):
        answer = jdoe.send("PUT", f"/jdoe{resource}", **{"role-tag": ["dev"]})
        assert (answer.status_code, answer.json) == (200, {"name": f"/jdoe{resource}", "role-tag": ["dev"]}), resource
        assert jdoe.get(f"/jdoe{resource}").headers["role-tag"] == "dev"
    assert jdoe.get("/jdoe/packages").headers["role-tag"] == ""
    assert jdoe.send("PUT", "/jdoe/machines", **{"role-tag": []}).json["role-tag"] == []
    refused = jdoe.send("PUT", "/jdoe/machines", **{"role-tag": ["dev", "nope"]})
    assert (refused.status_code, refused.json["message"]) == (409, "Role(s) nope not found")
    assert jdoe.send("PUT", "/jdoe/colours", **{"role-tag": ["dev"]}).status_code == 404
    assert jdoe.send("PUT", "/jdoe/machines/nope", **{"role-tag": ["dev"]}).status_code == 404
    jdoe.send("DELETE", "/jdoe/roles/dev")
    assert jdoe.get("/jdoe/images").headers["role-tag"] == ""


def test_a_header_tags_what_is_made_or_changed(jdoe, alice, allow):
    allow(LOOK)
    headers = {**jdoe.headers("/jdoe/policies", "post"), "role-tag": "dev"}
    made = jdoe.http.post("/jdoe/policies", headers=headers, json={"name": "new", "rules": [LOOK]}).json
    assert jdoe.get(f"/jdoe/policies/{made['id']}").headers["role-tag"] == "dev"
    headers = {**jdoe.headers("/jdoe/policies", "post"), "role-tag": "nope"}
    refused = jdoe.http.post("/jdoe/policies", headers=headers, json={"name": "newer", "rules": [LOOK]})
    assert refused.status_code == 409
    assert "newer" not in [policy["name"] for policy in jdoe.get("/jdoe/policies").json]


def test_what_is_weighed_is_what_is_done(node, machine, alice, allow):
    """A body that says otherwise than the query: the machine does what the body says."""
    path = f"/jdoe/machines/{machine['id']}"
    allow(f"CAN startmachine and updatemachine {path}")
    refused = 403, "NotAuthorized"
    assert status(alice.send("POST", f"{path}?action=start", action="stop")) == refused
    signed = alice.headers(path, "post")
    assert status(alice.http.post(path, headers=signed, data={"action": "stop"})) == refused
    assert (
        status(alice.http.post(path, headers={**signed, "content-type": "text/plain"}, data='{"action": "stop"}'))
        == refused
    )
    assert status(alice.send("POST", f"{path}?action=stop", action="start")) == (409, "InvalidState")

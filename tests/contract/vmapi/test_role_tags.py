"""Role tags of VMs, and migrations, of which there are none."""

from __future__ import annotations

import pytest

ABSENT = "00000000-0000-4000-8000-000000000000"
ROLES = [f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3)]


@pytest.fixture
def path(world):
    return f"/vms/{world.create()['uuid']}/role_tags"


def test_add_set_delete(world, path):
    assert world.http.get(path).json == []
    assert world.http.put(path, json={"role_tags": ROLES[:1]}).json == ROLES[:1]
    assert world.http.post(path, json={"role_tags": ROLES[:2]}).json == ROLES[:2]
    assert world.http.get(path).json == ROLES[:2]
    assert world.http.delete(f"{path}/{ROLES[0]}").json == ROLES[1:2]
    missing = world.http.delete(f"{path}/{ROLES[0]}")
    assert (missing.status_code, missing.json) == (404, {"code": "ResourceNotFound", "message": "Role Tag not found"})
    assert world.http.delete(path).status_code == 200
    assert world.http.get(path).json == []


@pytest.mark.parametrize("method", ["put", "post"])
@pytest.mark.parametrize("body", [{}, {"role_tags": []}, {"role_tags": ABSENT}, {"role_tags": ["admin"]}])
def test_refused(world, path, method, body):
    answer = getattr(world.http, method)(path, json=body)
    assert (answer.status_code, answer.json["message"]) == (409, "Invalid Role Tags")
    assert [(error["field"], error["code"]) for error in answer.json["errors"]] == [("role_tags", "Invalid")]


def test_of_the_owner_alone(world, path):
    assert world.http.get(f"{path}?owner_uuid={ABSENT}").status_code == 404
    assert world.http.put(f"{path}?owner_uuid={ABSENT}", json={"role_tags": ROLES}).status_code == 404
    assert world.http.get(f"/vms/{ABSENT}/role_tags").status_code == 404


def test_given_with_the_creation(world):
    vm = world.create(role_tags=ROLES)
    assert world.http.get(f"/vms/{vm['uuid']}/role_tags").json == ROLES
    assert "role_tags" not in vm
    assert "role_tags" not in world.node.did("machine_create")[0]
    refused = world.http.post("/vms", json=world.payload(role_tags=["x"]))
    assert refused.json["errors"][0]["field"] == "role_tags"


def test_a_refused_vm_leaves_none(world):
    payload = world.payload(role_tags=ROLES, networks=[ABSENT])
    assert world.http.post("/vms", json=payload).status_code == 409
    assert world.vmapi.role_tags.of(payload["uuid"]) == []


def test_forgotten_with_the_vm(world):
    vm = world.create(role_tags=ROLES)
    world.vmapi.table.delete(vm["uuid"])
    assert world.vmapi.role_tags.of(vm["uuid"]) == []


def test_no_migrations(world):
    vm = world.create()
    assert world.http.get("/migrations").json == []
    assert world.http.get(f"/migrations?vm_uuid={vm['uuid']}").json == []
    assert world.http.get("/migrations?vm_uuid=x").status_code == 409
    for path in (f"/migrations/{vm['uuid']}", f"/migrations/{vm['uuid']}/watch", f"/migrations/{ABSENT}"):
        answer = world.http.get(path)
        assert (answer.status_code, answer.json["code"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("action", "status", "code"),
    [(None, 409, "InvalidArgument"), ("hop", 409, "InvalidArgument"), ("sync", 404, "ResourceNotFound"),
     ("abort", 404, "ResourceNotFound"), ("begin", 501, "NotImplemented"), ("estimate", 501, "NotImplemented")],
)  # fmt: skip
def test_nothing_migrates(world, action, status, code):
    vm = world.create()
    answer = world.http.post(f"/vms/{vm['uuid']}?action=migrate", json={"migration_action": action})
    assert (answer.status_code, answer.json["code"]) == (status, code)

"""What nodes put: one VM, all of a server's VMs, VMs that nobody made here, and zones that are gone."""

from __future__ import annotations

import uuid

import pytest

ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def vm(world):
    return world.create("web1")


def errors(answer):
    assert (answer.status_code, answer.json["code"]) == (409, "ValidationFailed"), answer.json
    return [(error["field"], error["code"]) for error in answer.json["errors"]]


def whole(world, **fields):
    """A VM as its agent tells all of it."""
    return {"owner_uuid": world.owner, "brand": "lx", "server_uuid": world.node.uuid, "state": "running", "pid": 7,
            "zone_state": "running", "ram": 128, "max_physical_memory": 128, "quota": 1, "alias": "old", **fields}  # fmt: skip


def test_many_at_once(world, vm):
    other = world.create("web2")
    news = {one["uuid"]: {"state": "running", "zone_state": "running"} for one in (vm, other)}
    answer = world.http.put(f"/vms?server_uuid={world.node.uuid}", json={"vms": news})
    assert (answer.status_code, answer.data) == (200, b"")
    assert {world.vmapi.vm(one)["state"] for one in news} == {"running"}


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        ("", {"vms": {}}, ("server_uuid", "MissingParameter")),
        ("?server_uuid=x", {"vms": {ABSENT: {}}}, ("server_uuid", "Invalid")),
        (f"?server_uuid={ABSENT}", {}, ("vms", "MissingParameter")),
        (f"?server_uuid={ABSENT}", {"vms": [ABSENT]}, ("vms", "Invalid")),
        (f"?server_uuid={ABSENT}", {"vms": {ABSENT: 7}}, ("vms", "Invalid")),
        (f"?server_uuid={ABSENT}", {"vms": {"x": {}}}, ("uuid", "Invalid")),
    ],
)
def test_refused(world, query, body, expected):
    assert errors(world.http.put(f"/vms{query}", json=body)) == [expected]


def test_one_bad_vm_keeps_all_from_being_taken_in(world, vm):
    news = {vm["uuid"]: {"state": "running"}, ABSENT: 7}
    assert world.http.put(f"/vms?server_uuid={world.node.uuid}", json={"vms": news}).status_code == 409
    assert world.vmapi.vm(vm["uuid"]) == vm


def test_a_vm_that_was_not_made_here_is_put_on_record(world):
    vm_uuid = str(uuid.uuid4())
    answer = world.http.put(f"/vms/{vm_uuid}", json=whole(world))
    assert (answer.status_code, answer.json["alias"]) == (200, "old")
    found = world.http.get(f"/vms/{vm_uuid}").json
    assert (found["state"], found["pid"], found["nics"], found["tags"]) == ("running", 7, [], {})
    assert found.keys() >= world.create().keys() - {"docker", "filesystems", "kernel_version", "tmpfs"}
    assert world.vmapi.promised(world.node.uuid).ram >= 128


def test_news_of_a_vm_nobody_knows_are_no_vm(world):
    assert world.http.put(f"/vms/{ABSENT}", json={"state": "stopped"}).status_code == 404
    assert world.http.put("/vms/web1", json=whole(world)).status_code == 409
    assert world.vmapi.table.all() == []


def test_a_vm_that_is_told_to_be_destroyed_is_gone_with_what_it_had(world, vm):
    answer = world.http.put(f"/vms/{vm['uuid']}", json={"state": "destroyed", "zone_state": "destroyed"})
    assert (answer.status_code, answer.json["state"]) == (200, "destroyed")
    assert world.vmapi.vm(vm["uuid"])["destroyed"]
    assert world.napi.nics.of(vm["uuid"]) == []
    assert world.fwapi.destroyed == [vm["uuid"]]
    assert world.vmapi.promised(world.node.uuid).ram == 0


def test_sync_asks_the_node(world, vm):
    world.node.zones[vm["uuid"]].update(state="running", pid=99)
    assert world.http.get(f"/vms/{vm['uuid']}").json["state"] == "stopped"
    assert world.http.get(f"/vms/{vm['uuid']}?sync=true").json["pid"] == 99
    assert world.http.get(f"/vms/{vm['uuid']}?fields=state").json == {"state": "running"}


@pytest.mark.parametrize("code", ["VmNotFound", "ResourceNotFound"])
def test_sync_of_a_zone_that_is_gone(world, vm, code):
    world.node.failures["machine_load"] = [(code, "no such zone")]
    gone = world.http.get(f"/vms/{vm['uuid']}?sync=true").json
    assert (gone["state"], gone["zone_state"]) == ("destroyed", "destroyed")
    assert world.napi.nics.of(vm["uuid"]) == []
    world.create("web1")


def test_sync_of_a_zone_that_never_came_to_be(world, vm):
    world.vmapi.table.put({**vm, "state": "provisioning"})
    world.node.failures["machine_load"] = [("VmNotFound", "no such zone")]
    assert world.http.get(f"/vms/{vm['uuid']}?sync=true").json["state"] == "failed"
    assert world.napi.nics.of(vm["uuid"]) == []


def test_sync_leaves_a_vm_that_is_being_made_to_its_job(world):
    world.node.delays["machine_create"] = 0.05
    world.node.failures["machine_load"] = [("VmNotFound", "not yet")]
    made = world.http.post("/vms", json=world.payload()).json
    assert world.http.get(f"/vms/{made['vm_uuid']}?sync=true").json["state"] == "provisioning"
    assert world.job(made["job_uuid"])["execution"] == "succeeded"


def test_sync_of_a_node_that_does_not_answer(world, vm):
    world.node.failures["machine_load"] = [("InternalError", "busy")]
    answer = world.http.get(f"/vms/{vm['uuid']}?sync=true")
    assert (answer.status_code, answer.json["code"]) == (500, "InternalError")


def test_proc_passes_on_what_cnapi_says(world, vm):
    world.act(vm, "start")
    for code, status, told in (
        ("VmNotFound", 404, "ResourceNotFound"),
        ("VmNotRunning", 409, "VmNotRunning"),
        ("Odd", 500, "InternalError"),
    ):
        world.node.failures["machine_proc"] = [(code, "no")]
        answer = world.http.get(f"/vms/{vm['uuid']}/proc")
        assert (answer.status_code, answer.json["code"]) == (status, told)


def test_head_of_one_vm(world, vm):
    answer = world.http.head(f"/vms/{vm['uuid']}")
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 100
    assert world.http.head(f"/vms/{ABSENT}").status_code == 404


def test_statuses_need_uuids_and_leave_out_what_is_none(world, vm):
    answer = world.http.get("/statuses")
    assert (answer.status_code, answer.json) == (409, {"code": "MissingParameter", "message": "uuids is required"})
    assert world.http.get(f"/statuses?uuids=web1,{vm['uuid']},{ABSENT}").json == {vm["uuid"]: "stopped"}


@pytest.mark.parametrize("path", ["", "/proc", "/jobs", "/tags", "/role_tags"])
def test_uuids_are_in_small_letters(world, path):
    assert errors(world.http.get(f"/vms/{ABSENT.replace('0', 'A')}{path}")) == [("uuid", "Invalid")]


@pytest.mark.parametrize("call", [("POST", "?action=start"), ("DELETE", "?a=b")])
def test_sync_is_true_or_false(world, vm, call):
    method, query = call
    answer = world.http.open(f"/vms/{vm['uuid']}{query}&sync=maybe", method=method)
    assert errors(answer) == [("sync", "Invalid")]
    assert errors(world.http.post("/vms?sync=1", json=world.payload())) == [("sync", "Invalid")]

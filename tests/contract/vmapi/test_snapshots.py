"""Snapshots and reprovisioning: what is refused, and what a job does."""

from __future__ import annotations

import re

import pytest

from tests.contract.conftest import IMAGE

ABSENT = "00000000-0000-4000-8000-000000000000"
OTHER = "b4a96f09-026d-7abb-7aa3-bc2cfa5c5826"
ACTIONS = ("create_snapshot", "rollback_snapshot", "delete_snapshot")


@pytest.fixture
def vm(world):
    return world.create("web1")


@pytest.fixture
def other_image(world):
    world.imgapi.manifests[OTHER] = {**world.imgapi.manifests[IMAGE], "uuid": OTHER}
    return OTHER


def take(world, vm, name="one"):
    job = world.act(vm, "create_snapshot", snapshot_name=name)
    assert job["execution"] == "succeeded", job["chain_results"][-1]
    return job


def names(world, vm):
    return [snapshot["name"] for snapshot in world.http.get(f"/vms/{vm['uuid']}").json["snapshots"]]


def refused(answer, code="ValidationFailed"):
    assert (answer.status_code, answer.json["code"]) == (409, code), answer.json
    return [(error["field"], error["code"]) for error in answer.json.get("errors", ())]


def test_a_snapshot_is_taken_and_told_of(world, vm):
    job = take(world, vm)
    assert (job["name"].rpartition("-")[0], job["params"]["task"], job["params"]["snapshot_name"]) == (
        "snapshot",
        "snapshot",
        "one",
    )
    (snapshot,) = world.http.get(f"/vms/{vm['uuid']}").json["snapshots"]
    assert snapshot["name"] == "one"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", snapshot["created_at"])
    assert world.node.did("machine_create_snapshot") == [{"uuid": vm["uuid"], "snapshot_name": "one"}]


def test_a_name_of_the_time_in_utc(world, vm):
    job = world.act(vm, "create_snapshot")
    (name,) = names(world, vm)
    assert re.fullmatch(r"\d{8}T\d{6}Z", name)
    assert job["params"]["snapshot_name"] == name


@pytest.mark.parametrize("action", ["rollback_snapshot", "delete_snapshot"])
def test_these_need_a_name(world, vm, action):
    assert refused(world.http.post(f"/vms/{vm['uuid']}?action={action}")) == [("snapshot_name", "MissingParameter")]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("name", ["a/b", "x" * 65, "with blank", 7])
def test_names(world, vm, action, name):
    answer = world.http.post(f"/vms/{vm['uuid']}?action={action}", json={"snapshot_name": name})
    assert refused(answer) == [("snapshot_name", "Invalid")]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"brand": "bhyve"}, 'snapshots are not supported for VMs of brand "bhyve"'),
        ({"brand": "kvm"}, 'snapshots are not supported for VMs of brand "kvm"'),
        ({"datasets": ["zones/x/data"]}, "snapshots are not supported for VMs with delegated datasets"),
        ({"internal_metadata": {"docker:volumesfrom": "[]"}}, "snapshots are not supported for docker VMs that use --volumes-from"),
    ],
)  # fmt: skip
def test_vms_without_snapshots(world, vm, action, fields, message):
    world.vmapi.table.put({**vm, **fields})
    answer = world.http.post(f"/vms/{vm['uuid']}?action={action}&snapshot_name=one")
    assert refused(answer, "BrandNotSupported") == []
    assert answer.json["message"] == message


@pytest.mark.parametrize("action", [*ACTIONS, "reprovision"])
def test_a_provisioning_vm_takes_none(world, action):
    vm_uuid = world.http.post("/vms", json=world.payload()).json["vm_uuid"]
    answer = world.http.post(f"/vms/{vm_uuid}?action={action}&snapshot_name=a&image_uuid={IMAGE}")
    assert refused(answer, "UnallocatedVM") == []


def test_rollback_stops_and_starts(world, vm):
    world.act(vm, "start")
    take(world, vm)
    job = world.act(vm, "rollback_snapshot", snapshot_name="one")
    assert (job["execution"], job["name"].rpartition("-")[0], job["params"]["task"]) == (
        "succeeded",
        "rollback",
        "snapshot",
    )
    assert [name for name, _ in world.node.tasks][-2:] == ["machine_rollback_snapshot", "machine_boot"]
    assert world.vmapi.vm(vm["uuid"])["state"] == "running"
    assert names(world, vm) == ["one"]


def test_delete(world, vm):
    take(world, vm, "one")
    take(world, vm, "two")
    job = world.act(vm, "delete_snapshot", snapshot_name="one")
    assert (job["execution"], job["name"].rpartition("-")[0]) == ("succeeded", "delete-snapshot")
    assert names(world, vm) == ["two"]
    listed = world.http.get(f"/jobs?vm_uuid={vm['uuid']}&task=snapshot").json
    assert [job["name"].rpartition("-")[0] for job in listed] == ["delete-snapshot", "snapshot", "snapshot"]


@pytest.mark.parametrize("action", ["rollback_snapshot", "delete_snapshot"])
def test_a_snapshot_that_is_not_there(world, vm, action):
    answer = world.http.post(f"/vms/{vm['uuid']}?action={action}&snapshot_name=none&sync=true")
    assert (answer.status_code, answer.json["code"]) == (404, "ResourceNotFound")
    assert world.node.did("machine_rollback_snapshot") == []


def test_a_name_that_is_taken_fails_the_job(world, vm):
    world.node.failures["machine_create_snapshot"] = [("SnapshotExists", "there is one")]
    job = world.act(vm, "create_snapshot", snapshot_name="one")
    assert job["execution"] == "failed"
    assert job["chain_results"][-1]["error"]["restCode"] == "SnapshotExists"
    assert world.cnapi.tickets.busy(world.node.uuid, vm["uuid"]) is False


@pytest.mark.parametrize(
    ("action", "code"), [("create_snapshot", "SnapshotExists"), ("delete_snapshot", "SnapshotNotFound")]
)
def test_a_job_found_after_a_restart_is_not_put_out_by_its_own_traces(world, vm, monkeypatch, action, code):
    take(world, vm)
    monkeypatch.setattr(world.wfapi.engine, "launch", lambda job: job)
    answer = world.http.post(f"/vms/{vm['uuid']}?action={action}&snapshot_name=one")
    monkeypatch.undo()
    task = f"machine_{action}"
    world.node.failures[task] = [(code, "so it is")]
    world.wfapi.engine.resume()
    assert world.job(answer.json["job_uuid"])["execution"] == "succeeded"


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_reprovision(world, vm, other_image, state):
    if state == "running":
        world.act(vm, "start")
    take(world, vm)
    job = world.act(vm, "reprovision", image_uuid=other_image)
    assert (job["execution"], job["name"].rpartition("-")[0], job["params"]["task"]) == (
        "succeeded",
        "reprovision",
        "reprovision",
    )
    assert job["timeout"] == 210
    after = world.vmapi.vm(vm["uuid"])
    assert (after["image_uuid"], after["state"], after["snapshots"]) == (other_image, state, [])
    for field in ("internal_metadata", "tags", "alias", "owner_uuid"):
        assert after[field] == vm[field]
    assert [nic["mac"] for nic in after["nics"]] == [nic["mac"] for nic in vm["nics"]]


@pytest.mark.parametrize(("image", "code"), [(None, "MissingParameter"), ("x", "Invalid"), (ABSENT, "Invalid")])
def test_reprovision_needs_an_image_that_is_there(world, vm, image, code):
    answer = world.http.post(f"/vms/{vm['uuid']}?action=reprovision", json={"image_uuid": image})
    assert refused(answer) == [("image_uuid", code)]


@pytest.mark.parametrize("brand", ["bhyve", "kvm"])
def test_reprovision_is_not_for_every_brand(world, vm, brand):
    world.vmapi.table.put({**vm, "brand": brand})
    answer = world.http.post(f"/vms/{vm['uuid']}?action=reprovision", json={"image_uuid": IMAGE})
    assert refused(answer, "BrandNotSupported") == []


def test_a_failed_reprovision_leaves_the_record(world, vm, other_image):
    world.node.failures["machine_reprovision"] = [("ImageInstallError", "no space left")]
    assert world.act(vm, "reprovision", image_uuid=other_image)["execution"] == "failed"
    assert world.vmapi.vm(vm["uuid"])["image_uuid"] == IMAGE


@pytest.mark.parametrize("action", ["create_disk", "resize_disk", "delete_disk"])
def test_disks_are_for_another_brand(world, vm, action):
    assert refused(world.http.post(f"/vms/{vm['uuid']}?action={action}"), "BrandNotSupported") == []

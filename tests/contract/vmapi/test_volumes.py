"""VMs that mount volumes: VMAPI holds, makes and counts them, and lets go of them whatever becomes of the VM."""

from __future__ import annotations

import json

import pytest

from tests.contract.volapi.conftest import Volumes


@pytest.fixture
def volumes(world):
    return Volumes(world.with_volumes())


def on_fabric(world, *volumes, **fields):
    return {"networks": [{"uuid": world.fabric["uuid"]}], "volumes": list(volumes), **fields}


def mount(name="data", **fields):
    return {"name": name, "mountpoint": "/data", **fields}


def named(volumes, name="data"):
    (found,) = volumes.http.get(f"/volumes?name={name}").json
    return found


def test_a_volume_that_is_there_is_mounted(volumes, world):
    volume = volumes.create()
    asked = [mount(mode="ro", type="tritonnfs")]
    vm = world.create(**on_fabric(world, *asked))
    assert json.loads(vm["internal_metadata"]["sdc:volumes"]) == asked
    assert json.loads(vm["internal_metadata"]["docker:nfsvolumes"]) == [
        {"name": "data", "mountpoint": "/data", "nfsvolume": volume["filesystem_path"], "type": "tritonnfs", "mode": "ro",
         "readonly": True},
    ]  # fmt: skip
    (made,) = (params for params in world.node.did("machine_create") if params["uuid"] == vm["uuid"])
    assert made["internal_metadata"]["docker:nfsvolumes"] == vm["internal_metadata"]["docker:nfsvolumes"]
    assert named(volumes)["refs"] == [vm["uuid"]]
    assert volumes.http.get("/volumereservations").json == []


def test_a_volume_that_is_missing_is_made_on_the_networks_of_the_vm(volumes, world):
    vm = world.create(**on_fabric(world, mount("one"), mount("two", mountpoint="/two")))
    one, two = named(volumes, "one"), named(volumes, "two")
    for volume in (one, two):
        assert (volume["state"], volume["networks"], volume["refs"]) == (
            "ready", [world.fabric["uuid"]], [vm["uuid"]],
        )  # fmt: skip
    told = json.loads(vm["internal_metadata"]["docker:nfsvolumes"])
    assert [item["nfsvolume"] for item in told] == [one["filesystem_path"], two["filesystem_path"]]
    assert [item["mode"] for item in told] == ["rw", "rw"]


def test_two_vms_that_miss_the_same_volume_share_one(volumes, world):
    world.node.delays["machine_create"] = 0.1
    answers = [world.http.post("/vms", json=world.payload(**on_fabric(world, mount()))) for _ in range(2)]
    for answer in answers:
        assert world.job(answer.json["job_uuid"])["execution"] == "succeeded"
    assert named(volumes)["refs"] == [answer.json["vm_uuid"] for answer in answers]


def test_the_end_of_a_vm_frees_its_volumes_and_keeps_them(volumes, world):
    vm = world.create(**on_fabric(world, mount()))
    assert volumes.refusal(volumes.delete(named(volumes)))[1] == "VolumeInUse"
    world.job(world.http.delete(f"/vms/{vm['uuid']}").json["job_uuid"])
    assert "refs" not in named(volumes)
    assert volumes.delete(named(volumes)).status_code == 204


def test_a_vm_that_its_node_has_lost_frees_its_volumes(volumes, world):
    vm = world.create(**on_fabric(world, mount()))
    world.node.failures["machine_load"] = [("VmNotFound", "not here")]
    assert world.http.get(f"/vms/{vm['uuid']}?sync=true").json["state"] == "destroyed"
    assert "refs" not in named(volumes)


def test_a_vm_that_cannot_be_made_leaves_nothing_of_its_volumes(volumes, world):
    """What was there before stays; what was made for it goes."""
    volumes.create("old")
    payload = world.payload(**on_fabric(world, mount("old"), mount("new", mountpoint="/new")))
    refuse_containers(world)
    job = world.job(world.http.post("/vms", json=payload).json["job_uuid"])
    assert job["execution"] == "failed"
    assert "refs" not in named(volumes, "old")
    for left in world.volapi.select({"name": "new"}):
        world.job(left["job_uuid"])
    assert volumes.listed() == ["old"]
    assert volumes.http.get("/volumereservations").json == []
    assert [vm["alias"].split("-")[0] for vm in world.vmapi.on_server(world.node.uuid)] == ["VOLAPI"]


def refuse_containers(world):
    """Have the node fail at what is made after a storage VM."""
    run = world.node.run

    def refusing(task, params):
        if task == "machine_create":
            world.node.failures[task] = [("InternalError", "no space")]
        return run(task, params)

    world.node.run = refusing


def test_a_vm_whose_volume_cannot_be_made_fails_with_the_reason(volumes, world):
    world.node.failures["machine_create"] = [("InternalError", "no space for exports")]
    answer = world.http.post("/vms", json=world.payload(**on_fabric(world, mount())))
    job = world.job(answer.json["job_uuid"])
    assert job["execution"] == "failed"
    assert "no space for exports" in job["chain_results"][-1]["error"]["message"]
    assert world.vmapi.vm(answer.json["vm_uuid"])["state"] == "failed"
    assert world.napi.nics.of(answer.json["vm_uuid"]) == []
    assert volumes.http.get("/volumereservations").json == []


def test_volumes_on_other_networks_are_not_reachable(volumes, world):
    volumes.create()
    answer = world.http.post("/vms", json=world.payload(volumes=[mount()]))
    external = world.network["uuid"]
    assert (answer.status_code, answer.json) == (
        409,
        {"code": "VolumesNotReachable", "message": f"Volumes not reachable: Volume data not reachable on networks {external}"},
    )  # fmt: skip
    assert world.vmapi.on_server(world.node.uuid) == [world.vmapi.vm(named(volumes)["vm_uuid"])]


def test_a_volume_cannot_be_made_for_a_vm_without_a_fabric_network(volumes, world):
    answer = world.http.post("/vms", json=world.payload(volumes=[mount()]))
    job = world.job(answer.json["job_uuid"])
    assert job["chain_results"][-1]["error"]["restCode"] == "ValidationError"
    assert volumes.listed() == []


def test_others_volumes_of_that_name_are_left_alone(volumes, world, other_owner):
    theirs = volumes.create(owner_uuid=other_owner, networks=[world.napi.ensure_default_fabric(other_owner)["uuid"]])
    vm = world.create(**on_fabric(world, mount()))
    assert theirs["filesystem_path"] not in vm["internal_metadata"]["docker:nfsvolumes"]
    assert len(volumes.listed("?name=data")) == 2


@pytest.fixture
def other_owner():
    return "930896af-bf8c-48d4-885c-6573a94b1853"


@pytest.mark.parametrize(
    "wrong",
    ["data", {}, {"name": "-"}, mount(mountpoint="data"), mount(mode="rx"), mount(mode=["rw"]), mount(type="zfs")],
)
def test_what_is_refused(volumes, world, wrong):
    answer = world.http.post("/vms", json=world.payload(**on_fabric(world, wrong)))
    assert (answer.status_code, answer.json["code"]) == (409, "ValidationFailed")
    assert {error["field"] for error in answer.json["errors"]} == {"volumes"}


def test_a_vm_that_a_killed_process_was_making_gets_its_volumes(volumes, world, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(world.wfapi.engine, "launch", lambda job: job)
        vm_uuid = world.http.post("/vms", json=world.payload(**on_fabric(world, mount()))).json["vm_uuid"]
    assert [held["vm_uuid"] for held in volumes.http.get("/volumereservations").json] == [vm_uuid]
    for job in world.wfapi.engine.resume():
        assert job.ended.wait(10)
    assert world.vmapi.vm(vm_uuid)["state"] == "stopped"
    assert named(volumes)["refs"] == [vm_uuid]
    assert volumes.http.get("/volumereservations").json == []

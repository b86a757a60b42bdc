"""A volume's life: asked for, made, named, used, deleted."""

from __future__ import annotations

import re

import pytest

from datacenter.services.volapi import storage


def test_a_volume_is_a_storage_vm_of_its_owner(volumes, world):
    volume = volumes.create(size=20480, labels={"a": "b"})
    vm = world.vmapi.vm(volume["vm_uuid"])
    assert volume == {
        "uuid": volume["uuid"], "name": "data", "owner_uuid": world.owner, "type": "tritonnfs", "size": 20480,
        "networks": [world.fabric["uuid"]], "create_timestamp": volume["create_timestamp"], "state": "ready",
        "vm_uuid": vm["uuid"], "billing_id": vm["billing_id"], "labels": {"a": "b"},
        "filesystem_path": f"{vm['nics'][0]['ip']}:/exports/data",
    }  # fmt: skip
    assert (vm["state"], vm["brand"], vm["owner_uuid"]) == ("running", "joyent-minimal", world.owner)
    assert vm["alias"] == f"VOLAPI-nfs-{volume['uuid']}"
    assert vm["internal_metadata"]["sdc:system_role"] == "nfsvolumestorage"
    assert vm["quota"] == 20
    assert vm["nics"][0]["network_uuid"] == world.fabric["uuid"]
    assert "docker" not in vm
    assert world.http.get("/vms?docker=true").json == []


def test_without_size_it_is_the_smallest_and_without_name_it_gets_one(volumes):
    volume = volumes.create(name=None)
    assert volume["size"] == 10240
    assert re.fullmatch(r"[0-9a-f]{64}", volume["name"])
    assert volume["name"].startswith(volume["uuid"].replace("-", ""))


def test_names_are_unique_by_owner(volumes, world, other_owner):
    volumes.create()
    assert volumes.refusal(volumes.ask(name="data")) == (
        409, "VolumeAlreadyExists", "Volume with name data already exists",
    )  # fmt: skip
    theirs = world.napi.ensure_default_fabric(other_owner)["uuid"]
    assert volumes.create(owner_uuid=other_owner, networks=[theirs])["state"] == "ready"


def test_a_name_is_taken_while_its_volume_is_being_made(volumes, world):
    world.node.delays["machine_create"] = 0.2
    first, second = volumes.ask(name="data"), volumes.ask(name="data")
    assert (first.status_code, second.status_code) == (201, 409)
    assert volumes.settled(first.json["uuid"])["state"] == "ready"


def test_a_volume_whose_vm_cannot_be_made_fails_and_frees_its_name(volumes, world):
    world.node.failures["machine_create"] = [("InternalError", "no space")]
    failed = volumes.create()
    assert (failed["state"], "filesystem_path" in failed) == ("failed", False)
    assert world.napi.nics.of(failed["vm_uuid"]) == []
    assert world.vmapi.vm(failed["vm_uuid"])["state"] == "destroyed"
    assert volumes.create()["state"] == "ready"
    assert volumes.delete(failed).status_code == 204
    assert volumes.listed() == ["data"]


def test_a_volume_without_room_fails(volumes, world):
    assert volumes.create(size=1024000)["state"] == "failed"


def test_deleting_takes_the_vm_along(volumes, world):
    volume = volumes.create()
    world.node.delays["machine_destroy"] = 0.2
    assert volumes.http.delete(f"/volumes/{volume['uuid']}?owner_uuid={world.owner}").status_code == 204
    assert volumes.http.get(f"/volumes/{volume['uuid']}").json["state"] == "deleting"
    again = volumes.create()
    world.job(world.volapi.get(volume["uuid"])["job_uuid"])
    assert volumes.http.get(f"/volumes/{volume['uuid']}").status_code == 404
    assert world.vmapi.vm(volume["vm_uuid"])["state"] == "destroyed"
    assert world.napi.nics.of(volume["vm_uuid"]) == []
    assert volumes.http.get(f"/volumes/{again['uuid']}").json["state"] == "ready"


def test_a_deletion_that_fails_leaves_a_failed_volume(volumes, world):
    volume = volumes.create()
    world.node.failures["machine_destroy"] = [("InternalError", "busy")]
    assert volumes.delete(volume).status_code == 204
    assert volumes.http.get(f"/volumes/{volume['uuid']}").json["state"] == "failed"
    assert volumes.delete(volume).status_code == 204
    assert volumes.listed() == []


def test_a_volume_may_be_deleted_while_it_is_being_made(volumes, world):
    world.node.delays["machine_create"] = 0.2
    made = volumes.ask(name="data").json
    create_job = world.volapi.get(made["uuid"])["job_uuid"]
    assert volumes.delete(made).status_code == 204
    assert world.job(create_job)["execution"] == "failed"
    assert volumes.listed() == []
    assert world.vmapi.on_server(world.node.uuid) == []
    assert world.napi.nics.of(made["vm_uuid"]) == []


def test_renaming(volumes, world):
    volume, other = volumes.create(), volumes.create("other")
    path = f"/volumes/{volume['uuid']}"
    assert volumes.http.post(f"{path}?owner_uuid={world.owner}", json={"name": "store"}).status_code == 204
    assert volumes.http.get(path).json["name"] == "store"
    assert volumes.refusal(volumes.http.post(path, json={"name": other["name"]}))[1] == "VolumeAlreadyExists"
    assert volumes.refusal(volumes.http.post(path, json={"name": "-"}))[1] == "ValidationError"
    world.volapi.refer(volume["uuid"], world.owner)
    assert volumes.refusal(volumes.http.post(path, json={"name": "third"})) == (
        409, "VolumeInUse", "Volume with name store is used",
    )  # fmt: skip


def test_sizes_are_those_of_packages(volumes):
    sizes = volumes.http.get("/volumesizes?type=tritonnfs").json
    assert sizes[:2] == [{"size": 10240, "type": "tritonnfs"}, {"size": 20480, "type": "tritonnfs"}]
    assert sizes == sorted(sizes, key=lambda size: size["size"])
    refused = volumes.ask(size=10241)
    assert (refused.status_code, refused.json["code"]) == (409, "VolumeSizeNotAvailable")
    assert refused.json["availableSizes"] == [size["size"] for size in sizes]
    assert refused.json["message"].startswith("Volume size 10241 is not available. Available sizes are: 10240, 20480")


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"owner_uuid": "x"}, "x is not a valid owner_uuid UUID"),
        ({"owner_uuid": None}, "missing mandatory parameter: owner_uuid"),
        ({"uuid": "x"}, "x is not a valid uuid UUID"),
        ({"type": None}, "missing mandatory parameter: type"),
        ({"type": "zfs"}, "Volume type: zfs is not supported"),
        ({"networks": []}, "networks must be a non-empty array"),
        ({"networks": ["x"]}, "x is not a valid network UUID"),
        ({"name": "-a"}, r"volume name must match /^[a-zA-Z0-9][a-zA-Z0-9_\.\-]+$/"),
        ({"name": 7}, "volume name must be a string"),
        ({"name": "a" * 257}, "volume name is too long, max length is 256"),
        ({"size": "10G"}, 'Volume size: "10G" is not a valid volume size. Size must be a number > 0'),
        ({"labels": {"a": 1}}, "labels must be an object whose values are strings"),
        ({"affinity": "x"}, "affinity must be an array of objects"),
        ({"colour": "red"}, "invalid parameter: colour"),
    ],
)
def test_what_is_refused_as_invalid(volumes, fields, cause):
    status, code, message = volumes.refusal(volumes.ask(**{"name": "data", **fields}))
    assert (status, code) == (409, "ValidationError")
    assert message.startswith("Validation error, causes: ")
    assert f"Error: {cause}" in message
    assert volumes.listed() == []


def test_networks_are_fabrics_of_the_owner(volumes, world, other_owner):
    theirs = world.napi.ensure_default_fabric(other_owner)["uuid"]
    absent = "00000000-0000-4000-8000-000000000000"
    refused = volumes.ask(name="data", networks=[absent, theirs, world.network["uuid"]])
    external = world.network["uuid"]
    told = f"missing: {absent}, not owned by user: {theirs}, {external}, non-fabric: {external}"
    assert volumes.refusal(refused) == (409, "InvalidNetworks", f"Invalid networks: {told}")


def test_others_volumes_are_not_found(volumes, world, other_owner):
    volume = volumes.create()
    path, query = f"/volumes/{volume['uuid']}", f"?owner_uuid={other_owner}"
    gone = (404, "VolumeNotFound", f"Volume with uuid {volume['uuid']} could not be found")
    assert volumes.refusal(volumes.http.get(path + query)) == gone
    assert volumes.refusal(volumes.http.delete(path + query)) == gone
    assert volumes.refusal(volumes.http.post(path, json={"name": "mine", "owner_uuid": other_owner})) == gone
    assert volumes.http.get(f"{path}?owner_uuid={world.owner}").json == volume


def test_versions(volumes):
    for wanted, status in (("^1", 200), ("~1", 200), ("*", 200), ("1.0.0", 200), ("~2", 400)):
        assert volumes.http.get("/ping", headers={"Accept-Version": wanted}).status_code == status, wanted


@pytest.mark.parametrize("has_vm", [False, True])
def test_a_volume_that_a_killed_process_was_making_is_finished(volumes, world, monkeypatch, has_vm):
    """The next process finds the job on disk, with or without the storage VM's own."""
    with monkeypatch.context() as killed:
        killed.setattr(world.wfapi.engine, "launch", lambda job: job)
        made = volumes.ask(name="data").json
        if has_vm:
            world.vmapi.placing.provision(storage.vm_payload(world.volapi.get(made["uuid"])), "", None)
    for job in world.wfapi.engine.resume():
        assert job.ended.wait(10)
    assert volumes.http.get(f"/volumes/{made['uuid']}").json["state"] == "ready"
    assert [vm["uuid"] for vm in world.vmapi.on_server(world.node.uuid)] == [made["vm_uuid"]]
    assert len(world.napi.nics.of(made["vm_uuid"])) == 1


def test_a_volume_that_can_no_longer_be_made_after_a_restart_fails(volumes, world, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(world.wfapi.engine, "launch", lambda job: job)
        made = volumes.ask(name="data").json
    world.node.failures["machine_create"] = [("InternalError", "no space")]
    for job in world.wfapi.engine.resume():
        assert job.ended.wait(10)
    assert volumes.http.get(f"/volumes/{made['uuid']}").json["state"] == "failed"
    assert world.napi.nics.of(made["vm_uuid"]) == []


def test_a_deletion_that_a_killed_process_began_is_finished(volumes, world, monkeypatch):
    volume = volumes.create()
    with monkeypatch.context() as killed:
        killed.setattr(world.wfapi.engine, "launch", lambda job: job)
        assert volumes.http.delete(f"/volumes/{volume['uuid']}").status_code == 204
    for job in world.wfapi.engine.resume():
        assert job.ended.wait(10)
    assert volumes.listed() == []
    assert world.vmapi.vm(volume["vm_uuid"])["state"] == "destroyed"

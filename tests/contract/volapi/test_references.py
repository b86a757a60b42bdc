"""Uses of volumes, and reservations for VMs that are still to come."""

from __future__ import annotations

import uuid

import pytest


@pytest.fixture
def vm_uuid():
    return str(uuid.uuid4())


def test_references_keep_a_volume(volumes, world, vm_uuid):
    volume = volumes.create()
    path, body = f"/volumes/{volume['uuid']}", {"owner_uuid": world.owner, "vm_uuid": vm_uuid}
    assert volumes.http.get(f"{path}/references").json == []
    for _ in range(2):
        assert volumes.http.post(f"{path}/addreference", json=body).status_code == 204
    assert volumes.http.get(f"{path}/references").json == [vm_uuid]
    assert volumes.http.get(path).json["refs"] == [vm_uuid]
    assert volumes.refusal(volumes.delete(volume)) == (409, "VolumeInUse", "Volume with name data is used")
    assert volumes.http.post(f"{path}/removereference", json=body).status_code == 204
    assert volumes.http.get(f"{path}/references").json == []
    assert "refs" not in volumes.http.get(path).json
    assert volumes.delete(volume).status_code == 204


def test_force_deletes_what_is_used(volumes, world, vm_uuid):
    volume = volumes.create()
    world.volapi.refer(volume["uuid"], vm_uuid)
    assert volumes.refusal(volumes.delete(volume, "?force=perhaps"))[1] == "ValidationError"
    assert volumes.delete(volume, "?force=false").status_code == 409
    assert volumes.delete(volume, "?force=true").status_code == 204
    assert volumes.listed() == []


@pytest.mark.parametrize("verb", ["addreference", "removereference"])
def test_references_need_a_vm(volumes, world, verb):
    path = f"/volumes/{volumes.create()['uuid']}/{verb}"
    _, _, message = volumes.refusal(volumes.http.post(path, json={"owner_uuid": world.owner}))
    assert message == "Validation error, causes: Error: missing mandatory parameter: vm_uuid"
    _, _, message = volumes.refusal(volumes.http.post(path, json={"owner_uuid": world.owner, "vm_uuid": "x"}))
    assert message == "Validation error, causes: Error: x is not a valid vm_uuid UUID"


def reservation(world, vm_uuid, name="data"):
    return {"owner_uuid": world.owner, "volume_name": name, "vm_uuid": vm_uuid, "job_uuid": str(uuid.uuid4())}


def test_a_reservation_keeps_a_volume_until_it_is_taken_back(volumes, world, vm_uuid):
    volume = volumes.create()
    asked = reservation(world, vm_uuid)
    made = volumes.http.post("/volumereservations", json=asked)
    assert made.status_code == 201
    assert made.json == {**asked, "uuid": made.json["uuid"], "create_timestamp": made.json["create_timestamp"]}
    assert volumes.http.get("/volumereservations").json == [made.json]
    assert volumes.http.get(f"/volumereservations/{made.json['uuid']}").json == made.json
    assert volumes.refusal(volumes.delete(volume))[1] == "VolumeInUse"
    path = f"/volumereservations/{made.json['uuid']}?owner_uuid={world.owner}"
    assert volumes.http.delete(path).status_code == 204
    assert volumes.http.delete(path).status_code == 404
    assert volumes.delete(volume).status_code == 204


def test_a_reservation_waits_for_its_volume(volumes, world, vm_uuid):
    volumes.http.post("/volumereservations", json=reservation(world, vm_uuid))
    volume = volumes.create()
    assert volume["refs"] == [vm_uuid]
    volumes.http.post(f"/volumes/{volume['uuid']}/addreference", json={"owner_uuid": world.owner, "vm_uuid": vm_uuid})
    assert volumes.http.get("/volumereservations").json == []
    assert volumes.http.get(f"/volumes/{volume['uuid']}/references").json == [vm_uuid]


def test_a_later_reservation_of_the_same_replaces_the_earlier(volumes, world, vm_uuid):
    volumes.http.post("/volumereservations", json=reservation(world, vm_uuid))
    second = volumes.http.post("/volumereservations", json=reservation(world, vm_uuid)).json
    other = volumes.http.post("/volumereservations", json=reservation(world, str(uuid.uuid4()))).json
    assert volumes.http.get("/volumereservations").json == [second, other]


def test_reservations_are_checked(volumes, world, vm_uuid, other_owner):
    refused = volumes.http.post("/volumereservations", json={**reservation(world, vm_uuid), "volume_name": "/"})
    assert volumes.refusal(refused)[1] == "ValidationError"
    assert volumes.refusal(volumes.http.post("/volumereservations", json={}))[2].count("missing mandatory") == 4
    made = volumes.http.post("/volumereservations", json=reservation(world, vm_uuid)).json
    theirs = volumes.http.delete(f"/volumereservations/{made['uuid']}?owner_uuid={other_owner}")
    assert volumes.refusal(theirs)[:2] == (404, "VolumeReservationNotFound")


def test_uses_by_vms_that_are_gone_are_forgotten_at_the_start(volumes, world, vm_uuid):
    volume = volumes.create()
    world.volapi.refer(volume["uuid"], vm_uuid)
    alive = world.create()
    world.volapi.refer(volume["uuid"], alive["uuid"])
    world.volapi.set_up()
    assert volumes.http.get(f"/volumes/{volume['uuid']}/references").json == [alive["uuid"]]

"""The gateway's client of VOLAPI against the embedded one, method by method."""

from __future__ import annotations

import uuid

import pytest

from sdc.errors import SdcError
from sdc.volapi import Volapi
from tests.contract.test_middleware import client


@pytest.fixture
def volapi(volumes):
    return client(Volapi, volumes.world.volapi.app)


def payload(world, **fields):
    return {"owner_uuid": world.owner, "type": "tritonnfs", "networks": [world.fabric["uuid"]], **fields}


def test_ping(volapi):
    assert volapi.ping()["healthy"] is True


def test_create_get_list_rename_delete(volapi, volumes, world):
    made = volapi.create_volume(payload(world, name="data", labels={"a": "b"}))
    assert made["state"] == "creating"
    volumes.settled(made["uuid"])
    ready = volapi.get_volume(made["uuid"], world.owner)
    assert (ready["state"], ready["labels"]) == ("ready", {"a": "b"})
    assert volapi.list_volumes(owner_uuid=world.owner, name="data") == [ready]
    assert volapi.list_volumes(owner_uuid=world.owner, predicate={"eq": ["dangling", False]}) == []
    volapi.update_volume(made["uuid"], world.owner, name="store")
    assert volapi.get_volume(made["uuid"], world.owner)["name"] == "store"
    job = world.volapi.delete(world.volapi.get(made["uuid"]), "")
    volapi.delete_volume(made["uuid"], world.owner)
    world.job(job)
    assert volapi.list_volumes() == []


def test_refusals_keep_their_codes(volapi, volumes, world):
    made = volumes.create()
    other = str(uuid.uuid4())
    for refused, code in (
        (lambda: volapi.create_volume(payload(world, name="data")), "VolumeAlreadyExists"),
        (lambda: volapi.create_volume(payload(world, size=1)), "VolumeSizeNotAvailable"),
        (lambda: volapi.create_volume(payload(world, networks=[other])), "InvalidNetworks"),
        (lambda: volapi.get_volume(made["uuid"], other), "VolumeNotFound"),
        (lambda: volapi.list_volumes(colour="red"), "ValidationError"),
    ):
        with pytest.raises(SdcError) as error:
            refused()
        assert error.value.code == code
    world.volapi.refer(made["uuid"], other)
    assert volapi.get_volume_references(made["uuid"]) == [other]
    with pytest.raises(SdcError) as error:
        volapi.delete_volume(made["uuid"], world.owner)
    assert (error.value.status, error.value.code) == (409, "VolumeInUse")


def test_sizes(volapi):
    assert volapi.list_volume_sizes()[:3] == [10240, 20480, 30720]

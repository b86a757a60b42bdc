"""CloudAPI's volumes: what a customer does with them, and what others can't."""

from __future__ import annotations

import json

import gevent
import pytest

from tests.contract.cloudapi.caller import Caller
from tests.contract.conftest import BookNode

ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def storage(dc):
    """A node, and the image of storage VMs."""
    node = BookNode()
    dc.cnapi.app.test_client().post(f"/servers/{node.uuid}/sysinfo", json={"sysinfo": node.sysinfo()})
    dc.volapi.set_up()
    yield node
    node.server.stop(timeout=0)


@pytest.fixture
def jane(dc, storage):
    return Caller(dc, "jane")


def create(caller, **fields):
    return caller.send("POST", "/my/volumes", **{"type": "tritonnfs", "name": "data", **fields})


def settled(dc, caller, answer):
    """A volume once it is ready, or failed."""
    assert answer.status_code == 201, answer.json
    assert dc.wfapi.engine._running[dc.volapi.get(answer.json["id"])["job_uuid"]].ended.wait(10)
    return caller.get(f"/my/volumes/{answer.json['id']}").json


def test_create_get_list_rename_delete(dc, jane):
    made = create(jane)
    volume = settled(dc, jane, made)
    assert volume == {
        "id": made.json["id"], "name": "data", "owner_uuid": jane.uuid, "type": "tritonnfs", "size": 10240,
        "networks": [jane.get("/my/config").json["default_network"]], "created": volume["created"], "state": "ready",
        "filesystem_path": volume["filesystem_path"],
    }  # fmt: skip
    listed = jane.get("/my/volumes")
    assert listed.json == [volume]
    assert listed.headers["x-resource-count"] == "1"
    path = f"/my/volumes/{volume['id']}"
    assert jane.send("POST", path, name="store").status_code == 204
    assert jane.get(path).json["name"] == "store"
    assert jane.send("DELETE", path).status_code == 204
    for _ in range(500):
        if jane.get(path).status_code == 404:
            break
        gevent.sleep(0.01)
    assert jane.get(path).json["code"] == "VolumeNotFound"


def test_the_vm_behind_a_volume_is_nobodys_machine(dc, jane):
    settled(dc, jane, create(jane))
    (vm,) = dc.vmapi.active_of(jane.uuid)
    assert jane.get("/my/machines").json == []
    path = f"/my/machines/{vm['uuid']}"
    assert jane.get(path).status_code == 404
    assert jane.send("DELETE", path).status_code == 404
    assert jane.send("POST", path, action="stop").status_code == 404
    assert dc.vmapi.vm(vm["uuid"])["state"] == "running"


def test_lists(dc, jane, storage):
    volume = settled(dc, jane, create(jane))
    storage.failures["machine_create"] = [("InternalError", "no space")]
    assert settled(dc, jane, create(jane, name="broken"))["state"] == "failed"

    def names(query=""):
        return [item["name"] for item in jane.get(f"/my/volumes{query}").json]

    assert names() == ["data"]
    assert names("?state=failed") == ["broken"]
    assert names("?name=da*") == ["data"]
    assert names("?predicate=" + json.dumps({"eq": ["id", volume["id"]]}).replace(" ", "")) == ["data"]
    both = {"or": [{"eq": ["name", "data"]}, {"eq": ["name", "broken"]}]}
    assert names("?predicate=" + json.dumps(both).replace(" ", "")) == ["data", "broken"]
    for wrong in ("?colour=red", "?state=gone", "?owner_uuid=" + ABSENT):
        assert jane.get(f"/my/volumes{wrong}").status_code == 409


def test_sizes(jane):
    assert jane.get("/my/volumesizes").json[:2] == [
        {"size": 10240, "type": "tritonnfs"}, {"size": 20480, "type": "tritonnfs"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"type": "zfs"}, "InvalidArgument", "Volume type: zfs is not supported"),
        ({"colour": "red"}, "InvalidArgument", "invalid parameter: colour"),
        ({"networks": [ABSENT]}, "InvalidArgument", "Invalid networks"),
        ({"size": 1}, "VolumeSizeNotAvailable", "Error when creating volume: Volume size 1 is not available"),
        ({"name": "-"}, "ValidationError", "volume name must match"),
        ({"tags": {"a": "b"}}, "InvalidArgument", "tags: not supported"),
    ],
)
def test_what_is_refused(jane, fields, code, words):
    answer = create(jane, **fields)
    assert (answer.status_code, answer.json["code"]) == (409, code)
    assert words in answer.json["message"]
    assert jane.get("/my/volumes").json == []


def test_in_use(dc, jane):
    volume = settled(dc, jane, create(jane))
    dc.volapi.refer(volume["id"], ABSENT)
    answer = jane.send("DELETE", f"/my/volumes/{volume['id']}")
    assert (answer.status_code, answer.json["code"]) == (409, "VolumeInUse")
    assert answer.json["message"] == "Error when deleting volume: Volume with name data is used"


def test_others_volumes_are_not_there(dc, jane):
    volume = settled(dc, jane, create(jane))
    other = Caller(dc, "other", "ecdsa-sha256")
    path = f"/my/volumes/{volume['id']}"
    assert other.get("/my/volumes").json == []
    for answer in (other.get(path), other.send("POST", path, name="mine"), other.send("DELETE", path)):
        assert (answer.status_code, answer.json["code"]) == (404, "VolumeNotFound")
    assert other.get("/my/volumes/x").json["code"] == "InvalidArgument"
    assert create(other).status_code == 201

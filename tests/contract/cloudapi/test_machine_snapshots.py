"""The snapshots of machines, as customers take, use and delete them."""

from __future__ import annotations

import re

import pytest

from tests.contract.cloudapi.caller import Caller, wait_for
from tests.contract.cloudapi.test_machine_nics import ended


@pytest.fixture
def path(machine):
    return f"/jdoe/machines/{machine['id']}/snapshots"


def test_create_get_list_delete(dc, jdoe, machine, path):
    made = jdoe.send("POST", path, name="one")
    assert (made.status_code, made.json) == (201, {"name": "one", "state": "queued"})
    ended(dc, machine, "snapshot")
    snapshot = jdoe.get(f"{path}/one").json
    assert (snapshot["name"], snapshot["state"]) == ("one", "created")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", snapshot["created"])
    assert snapshot["updated"] == snapshot["created"]
    assert jdoe.get(path).json == [snapshot]
    assert jdoe.send("DELETE", f"{path}/one").status_code == 204
    ended(dc, machine, "snapshot")
    assert jdoe.get(path).json == []
    assert jdoe.get(f"{path}/one").json == {"name": "one", "state": "deleted"}


def test_a_name_of_the_time(jdoe, path):
    assert re.fullmatch(r"\d{8}T\d{6}Z", jdoe.send("POST", path).json["name"])


def test_a_snapshot_that_could_not_be_taken(dc, jdoe, node, machine, path):
    node.failures["machine_create_snapshot"] = [("InternalError", "no space left")]
    jdoe.send("POST", path, name="one")
    ended(dc, machine, "snapshot")
    assert jdoe.get(f"{path}/one").json == {"name": "one", "state": "failed"}


def test_start_from_a_snapshot(dc, jdoe, node, machine, path):
    jdoe.send("POST", path, name="one")
    ended(dc, machine, "snapshot")
    jdoe.send("POST", f"/jdoe/machines/{machine['id']}", action="stop")
    wait_for(jdoe, machine, "stopped")
    assert jdoe.send("POST", f"{path}/one").status_code == 202
    ended(dc, machine, "snapshot")
    wait_for(jdoe, machine, "running")
    assert node.did("machine_rollback_snapshot") == [{"uuid": machine["id"], "snapshot_name": "one"}]
    audit = [entry["action"] for entry in jdoe.get(f"/jdoe/machines/{machine['id']}/audit").json]
    assert audit[:3] == ["rollback_snapshot", "stop", "create_snapshot"]


def test_what_is_not_there(jdoe, path):
    for method in ("GET", "POST", "DELETE"):
        answer = jdoe.send(method, f"{path}/none")
        assert (answer.status_code, answer.json["code"]) == (404, "ResourceNotFound")


def test_names_that_are_none(jdoe, path):
    answer = jdoe.send("POST", path, name="a/b")
    assert (answer.status_code, answer.json["code"]) == (409, "InvalidArgument")


def test_snapshots_of_others(dc, jdoe, path):
    jdoe.send("POST", path, name="one")
    eve = Caller(dc, "eve", "ecdsa-sha256")
    theirs = path.replace("jdoe", "eve")
    for method, where in (("GET", ""), ("POST", ""), ("GET", "/one"), ("POST", "/one"), ("DELETE", "/one")):
        assert eve.send(method, theirs + where).status_code == 404


def test_a_silent_node_does_not_hide_them(dc, jdoe, node, machine, path):
    jdoe.send("POST", path, name="one")
    ended(dc, machine, "snapshot")
    node.failures["machine_load"] = [("InternalError", "busy")]
    assert [snapshot["name"] for snapshot in jdoe.get(path).json] == ["one"]

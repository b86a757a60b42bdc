"""Commits of real containers: the layer that is made, and what becomes of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile

import pytest

from grammars.dockerids import layer_uuid
from tests.unit.datacenter.node.build_client import Events
from tests.unit.datacenter.node.node_kit import IMAGE, TaskFailed

pytestmark = pytest.mark.node

BASE = {
    "config_digest": "sha256:" + "b" * 64,
    "image_uuid": IMAGE,
    "manifest_str": json.dumps({"layers": [{"mediaType": "x", "digest": "sha256:base", "size": 1}]}),
    "image": {"config": {"Cmd": ["sh"], "Env": ["A=1"]}, "rootfs": {"diff_ids": ["sha256:base"]}},
}
VOLUME = "0c0ffee0-0000-4000-8000-0000000000f1"


def ended(node, script, **options):
    vm = node.create("sh", "-c", script, **options)
    node.task("machine_boot", uuid=vm)
    node.wait(vm)
    return vm


def commit(node, vm, answers=None, **payload) -> list[dict]:
    payload = {"command": "commit", "account_uuid": "a", "fromImg": BASE, **payload}
    return Events(node.task("docker_build", uuid=vm, payload=payload)).run(**(answers or {}))


def made(events) -> dict:
    assert events[-1] == {"type": "end", "messageId": events[-1]["messageId"]}, events[-1]
    return next(event["payload"] for event in events if event["type"] == "image_create")


def layer(center, image) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(center.files[image["image_uuid"]]), mode="r:")


def test_the_layer_holds_what_was_changed_and_nothing_of_the_node_s(node, center):
    volume = [{"source": VOLUME, "target": "/vol", "type": "lofs"}]
    script = (
        "echo new > /data/new; echo x > /vol/inside; rm /bin/nc; mkdir -p /deep/er; ln -s /none /deep/link; "
        "echo two > /two; ln /two /also; chown 12:13 /two; chmod 4750 /two; rm -r /data && mkdir /data && echo o > /data/o"
    )
    vm = ended(node, script, filesystems=volume)
    entries = {entry.name: entry for entry in layer(center, made(commit(node, vm)))}
    assert set(entries) == {
        "also", "bin", "bin/.wh.nc", "data", "data/.wh..wh..opq", "data/o", "deep", "deep/er", "deep/link", "two", "vol",
    }  # fmt: skip
    assert entries["deep/link"].linkname == "/none"
    assert (entries["two"].islnk(), entries["two"].linkname) == (True, "also")
    assert (entries["also"].uid, entries["also"].gid, entries["also"].mode) == (12, 13, 0o4750)
    assert entries["bin/.wh.nc"].isreg() and entries["bin/.wh.nc"].size == 0


def test_odd_names_attributes_and_holes_are_kept(node, center):
    vm = node.create("sleep", "600")
    node.task("machine_boot", uuid=vm)
    upper = node.state / "nodes" / "0" / "zones" / vm / "upper"
    odd = os.fsdecode(b"\xff\xfe odd\n" + b"n" * 120)
    (upper / odd).write_text("odd")
    os.setxattr(upper / odd, "user.note", b"\x00\xff")
    os.setxattr(upper / odd, "trusted.secret", b"not for others")
    with (upper / "holes").open("wb") as file:
        file.seek(50_000_000)
        file.write(b"end")
    os.mkfifo(upper / "fifo")
    image = made(commit(node, vm))
    entries = {entry.name: entry for entry in layer(center, image)}
    assert entries.keys() == {odd, "holes", "fifo"}
    attributes = {key: value for key, value in entries[odd].pax_headers.items() if key.startswith("SCHILY")}
    assert attributes == {"SCHILY.xattr.user.note": os.fsdecode(b"\x00\xff")}
    content = layer(center, image).extractfile("holes").read()
    assert (len(content), content[-3:], content.count(0)) == (50_000_003, b"end", 50_000_000)
    node.task("machine_destroy", uuid=vm)


def test_the_same_changes_are_the_same_layer_named_by_its_chain(node, center):
    vm = ended(node, "mkdir /z /y; echo a > /z/a")
    first, second = made(commit(node, vm)), made(commit(node, vm))
    data = center.files[first["image_uuid"]]
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    assert first["image_uuid"] == second["image_uuid"] == layer_uuid(["sha256:base", digest])
    assert first["image"]["rootfs"]["diff_ids"][-1] == digest
    stored = center.images[first["image_uuid"]]
    assert (stored["state"], stored["files"][0]["digest"], stored["owner"]) == (
        "active",
        digest,
        "00000000-0000-0000-0000-000000000000",
    )


def test_changes_are_applied_and_told_in_order(node):
    vm = ended(node, "true")
    events = commit(node, vm, changes=["CMD echo hi", "ENV A=2"], comment="why", author="me")
    assert [event["type"] for event in events] == ["message", "image_create", "commit_finished", "end"]
    image = made(events)["image"]
    assert image["config"] == {"Cmd": ["/bin/sh", "-c", "echo hi"], "Env": ["A=2"]}
    assert (image["comment"], image["author"], image["history"][-1]["empty_layer"]) == ("why", "me", True)
    assert events[2]["finalImageDigest"] == made(events)["config_digest"]


def test_a_container_that_was_held_goes_on_and_one_that_stood_still_does_not(node):
    vm = node.create("sh", "-c", "while :; do echo tick; sleep 0.01; done")
    node.task("machine_boot", uuid=vm)
    seen = []

    def look(_event):
        seen.append(node.task("machine_load", uuid=vm)["vm"].get("internal_metadata", {}).get("docker:paused", False))
        return {}

    made(commit(node, vm, {"image_create": look}, pause=True))
    assert seen == [False]
    assert node.task("machine_load", uuid=vm)["vm"]["state"] == "running"
    node.task("machine_pause", uuid=vm)
    made(commit(node, vm, pause=True))
    assert node.task("machine_load", uuid=vm)["vm"]["internal_metadata"]["docker:paused"] is True
    node.task("machine_destroy", uuid=vm)


def test_a_layer_can_be_used_as_an_image(node, center):
    vm = ended(node, "echo inside > /f; rm /bin/nc; rm -r /data; mkdir /data")
    image = made(commit(node, vm))
    center.images[image["image_uuid"]]["origin"] = IMAGE
    script = "cat /f; [ -e /bin/nc ] || echo gone; ls /data"
    assert node.run("sh", "-c", script, image_uuid=image["image_uuid"]) == (0, "inside\ngone\n")


@pytest.mark.parametrize("refusing", ["image_create", "commit_finished"])
def test_a_refusal_ends_it_and_leaves_no_layer(node, center, refusing):
    vm = ended(node, f"echo {refusing} > /f")
    before = set(center.images)
    events = commit(node, vm, {refusing: lambda _: {"error": "no more room"}})
    assert (events[-1]["type"], events[-1]["error"]) == ("end", "no more room")
    if refusing == "image_create":
        assert set(center.images) == before


def test_an_upload_that_fails_leaves_nothing(node, center):
    vm = ended(node, "echo broken > /f")
    before = set(center.images)
    center.broken_upload = True
    try:
        events = commit(node, vm)
    finally:
        center.broken_upload = False
    assert "could not be stored" in events[-1]["error"]
    assert set(center.images) == before
    assert [path.name for path in (node.state / "nodes" / "0" / "zones" / vm).glob("tmp*")] == []


@pytest.mark.parametrize(
    ("payload", "words"),
    [({"changes": ["RUN x"]}, "not a valid change"), ({"fromImg": BASE | {"image_uuid": "other"}}, "not made from")],
)
def test_what_cannot_be_is_said_at_the_end(node, payload, words):
    vm = ended(node, "true")
    assert words in commit(node, vm, **payload)[-1]["error"]


@pytest.mark.parametrize(
    "payload", [None, {}, {"command": "other"}, {"command": "commit"}, {"command": "commit", "fromImg": 1}]
)
def test_a_payload_that_makes_no_sense_is_refused(node, idle, payload):
    with pytest.raises(TaskFailed) as failed:
        node.task("docker_build", uuid=idle, payload=payload)
    assert failed.value.code == "InvalidParameters"

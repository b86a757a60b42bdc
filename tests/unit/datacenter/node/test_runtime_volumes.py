"""Volumes of real containers: filled from the image, shared, and gone with their owner."""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.datacenter.node.node_kit import TaskFailed

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]


def test_volume_is_filled_from_the_image_once_and_shared(node):
    volume = str(uuid.uuid4())
    mine = [{"source": volume, "target": "/data", "type": "lofs", "options": []}]
    vm = node.create("sh", "-c", "ls -ln /data/seed; echo new > /data/new", filesystems=mine)
    node.task("machine_boot", uuid=vm)
    node.wait(vm)
    assert " 1000 " in node.log(vm)
    theirs = [{"source": f"/zones/{vm}/volumes/{volume}", "target": "/from", "type": "lofs", "options": ["ro"]}]
    status, text = node.run("sh", "-c", "cat /from/seed /from/new; touch /from/x", filesystems=theirs)
    assert status == 1
    assert text.startswith("from the image\nnew\n")


def shared(vm, volume, target="/from", *options):
    return {"source": f"/zones/{vm}/volumes/{volume}", "target": target, "type": "lofs", "options": list(options)}


def test_volume_of_a_container_that_never_ran(node):
    volume = str(uuid.uuid4())
    own = {"source": volume, "target": "/data", "type": "lofs", "options": []}
    vm = node.create("sh", "-c", "cat /data/new", filesystems=[own])
    status, text = node.run("sh", "-c", "cat /from/seed; echo new > /from/new", filesystems=[shared(vm, volume)])
    assert (status, text) == (0, "from the image\n")
    assert node.run("cat", "/from/new", filesystems=[shared(vm, volume, "/from", "ro")]) == (0, "new\n")
    node.task("machine_boot", uuid=vm)
    node.wait(vm)
    assert node.log(vm) == "new\n"


def test_several_at_once_use_a_volume_first(node):
    volume = str(uuid.uuid4())
    vm = node.create("true", filesystems=[{"source": volume, "target": "/data", "type": "lofs", "options": []}])
    users = [node.create("cat", "/from/seed", filesystems=[shared(vm, volume)]) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda uuid: node.task("machine_boot", uuid=uuid), [*users, vm]))
    for user in users:
        node.wait(user)
        assert node.log(user) == "from the image\n"


@pytest.mark.parametrize("why", ["removed", "another volume", "another account", "another account, made"])
def test_volume_that_is_gone(node, why):
    volume = str(uuid.uuid4())
    own = {"source": volume, "target": "/data", "type": "lofs", "options": []}
    vm = node.create("true", filesystems=[own], owner_uuid="jill" if "account" in why else "jack")
    if why.endswith("made"):
        node.task("machine_boot", uuid=vm)
        node.wait(vm)
    if why == "removed":
        node.task("machine_destroy", uuid=vm)
    elif why == "another volume":
        volume = str(uuid.uuid4())
    user = node.create("true", filesystems=[shared(vm, volume)], owner_uuid="jack")
    with pytest.raises(TaskFailed) as failed:
        node.task("machine_boot", uuid=user)
    assert failed.value.code == "InitFailed"
    assert failed.value.message.startswith(f"volume {volume} is gone: ")

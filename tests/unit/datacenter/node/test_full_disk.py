"""A node whose disk is full: what runs ends as ever, nothing hangs, and what fills the disk can be removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datacenter.node import cgroups, syscalls
from tests.unit.datacenter.node.node_kit import (
    IMAGE,
    TaskFailed,
    TestedNode,
    free_instance,
    nic,
    until,
)
from tests.unit.datacenter.node.stdio_client import session

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

SIZE = "16m"
ROOM = 8 << 20
"""Bytes that are left when nobody has filled it."""


@pytest.fixture(scope="module")
def node(center, tmp_path_factory):
    """A node on a small disk of its own."""
    state = tmp_path_factory.mktemp("disk")
    syscalls.mount("tmpfs", state, "tmpfs", 0, f"size={SIZE}")
    node = TestedNode(state / "node", center.port_base, free_instance())
    try:
        node.start()
        node.task("image_ensure_present", image_uuid=IMAGE)
        yield node
    finally:
        node.clean_up()
        syscalls.unmount(state)


@pytest.fixture
def running(node):
    """A container from before the disk was full."""
    vm = node.create("sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.1; done", nics=[nic(41)])
    node.task("machine_boot", uuid=vm)
    yield vm
    node.task("machine_destroy", uuid=vm)


@pytest.fixture
def filler(node, running):
    """A container that fills the disk, and fills it again, for as long as it is there."""
    vm = node.create("sh", "-c", "while :; do dd if=/dev/zero bs=4096 >> /big; sleep 0.1; done")
    node.task("machine_boot", uuid=vm)
    until(lambda: not free(node))
    yield vm
    node.task("machine_destroy", uuid=vm)
    await_room(node)


def free(node):
    """Bytes that the node's disk has left."""
    found = os.statvfs(node.state)
    return found.f_bavail * found.f_bsize


def await_room(node):
    until(lambda: free(node) > ROOM)


def zones(node):
    return {path.name for path in (node.state / "nodes" / "0" / "zones").iterdir()}


def test_what_runs_can_be_stopped_and_started_again_when_there_is_room(node, center, running, filler):
    assert node.task("machine_shutdown", uuid=running, timeout=10)["vm"]["state"] == "stopped"
    center.wait_for(running, lambda body: body["state"] == "stopped")
    until(lambda: not free(node))
    with pytest.raises(TaskFailed) as failure:
        node.task("machine_boot", uuid=running)
    assert failure.value.code == "InternalError"
    node.task("machine_destroy", uuid=filler)
    await_room(node)
    assert node.task("machine_boot", uuid=running)["vm"]["state"] == "running"


def test_what_cannot_be_noted_is_not_paused(node, running, filler):
    pid = node.task("machine_load", uuid=running)["vm"]["pid"]
    with pytest.raises(TaskFailed, match="No space left"):
        node.task("machine_pause", uuid=running)
    assert frozen(node, running) in {"THAWED", "0"}
    assert Path(f"/proc/{pid}").exists()
    assert node.task("machine_shutdown", uuid=running, timeout=10)["vm"]["state"] == "stopped"


def frozen(node, vm):
    """What the cgroup of a container says of its being frozen."""
    name = "cgroup.freeze" if cgroups.is_v2() else "freezer.state"
    (file,) = Path("/sys/fs/cgroup").glob(f"**/tdg-?-{node.mark}/{vm}/{name}")
    return file.read_text().strip()


def test_an_exec_that_needs_room_says_so(node, running, filler):
    out, _, end = session(node, running, Cmd=["echo", "hello"]).rest()
    assert b"No space left on device" in out
    assert end["code"] == 126


def test_what_there_is_no_room_for_is_not_half_made(node, filler):
    before = zones(node)
    with pytest.raises(TaskFailed):
        node.create("true")
    assert zones(node) == before


def test_a_new_agent_takes_up_what_its_disk_could_not_be_told(node, center, running, filler):
    node.task("machine_shutdown", uuid=running, timeout=10)
    node.crash()
    node.start()
    assert node.task("machine_load", uuid=running)["vm"]["state"] == "stopped"
    assert node.task("machine_load", uuid=filler)["vm"]["state"] == "running"

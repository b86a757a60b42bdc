"""Snapshots of real containers, rolled back and deleted; containers that begin anew on another image."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.unit.datacenter.node.node_kit import IMAGE, TOP_IMAGE, TaskFailed, until

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

VOLUME = "0c0ffee0-0000-4000-8000-0000000000cc"
TICKING = "while :; do echo tick; sleep 0.01; done"


def folder(node, vm, *names):
    return node.state.joinpath("nodes", "0", "zones", vm, *names)


def written(node, vm, script):
    """Run a script in a stopped container, to its end, by booting it with another command."""
    node.task(
        "machine_update", uuid=vm, set_internal_metadata={"docker:cmd": f'["sh", "-c", {script!r}]'.replace("'", '"')}
    )
    node.task("machine_boot", uuid=vm)
    status = node.wait(vm)["exit_status"]
    return status, node.log(vm)


@pytest.fixture
def vm(node):
    vm = node.create("true", filesystems=[{"source": VOLUME, "target": "/vol", "type": "lofs", "options": []}])
    yield vm
    node.task("machine_destroy", uuid=vm)


def snapshots(answer):
    return [snapshot["name"] for snapshot in answer["vm"]["snapshots"]]


def test_back_to_what_was_there(node, vm):
    assert written(node, vm, "echo old > /tmp/kept; echo seed > /vol/kept; rm /etc/group")[0] == 0
    assert snapshots(node.task("machine_create_snapshot", uuid=vm, snapshot_name="before")) == ["before"]
    assert (
        written(node, vm, "echo new > /tmp/kept; echo x > /tmp/more; echo y > /etc/group; echo v > /vol/kept")[0] == 0
    )
    told = node.task("machine_rollback_snapshot", uuid=vm, snapshot_name="before")
    assert (told["vm"]["state"], snapshots(told)) == ("stopped", ["before"])
    status, log = written(node, vm, "cat /tmp/kept /vol/kept; test ! -e /tmp/more && test ! -e /etc/group")
    assert (status, log.splitlines()[-2:]) == (0, ["old", "v"])


def test_a_deleted_folder_stays_deleted_and_its_new_content_new(node, vm):
    """What overlayfs keeps in extended attributes comes through the copies."""
    assert written(node, vm, "rm -r /data && mkdir /data && echo own > /data/own && chown 1000 /data/own")[0] == 0
    node.task("machine_create_snapshot", uuid=vm, snapshot_name="a")
    assert written(node, vm, "rm -r /data")[0] == 0
    node.task("machine_rollback_snapshot", uuid=vm, snapshot_name="a")
    status, log = written(node, vm, "ls /data; ls -n /data/own")
    assert status == 0
    assert "seed" not in log
    assert log.splitlines()[-1].split()[2] == "1000"


def test_a_running_container_is_copied_standing_still_and_goes_on(node):
    vm = node.create("sh", "-c", TICKING)
    node.task("machine_boot", uuid=vm)
    until(lambda: "tick" in node.log(vm))
    told = node.task("machine_create_snapshot", uuid=vm, snapshot_name="live")["vm"]
    assert told["state"] == "running"
    assert "docker:paused" not in told.get("internal_metadata", {})
    so_far = len(node.log(vm))
    until(lambda: len(node.log(vm)) > so_far)
    told = node.task("machine_rollback_snapshot", uuid=vm, snapshot_name="live", timeout=0)["vm"]
    assert (told["state"], told["exit_status"]) == ("stopped", 137)
    node.task("machine_destroy", uuid=vm)


def test_a_paused_container_stays_paused(node):
    vm = node.create("sleep", "100")
    node.task("machine_boot", uuid=vm)
    node.task("machine_pause", uuid=vm)
    told = node.task("machine_create_snapshot", uuid=vm, snapshot_name="p")["vm"]
    assert told["internal_metadata"]["docker:paused"] is True
    node.task("machine_destroy", uuid=vm)


def test_an_agent_that_died_over_it_leaves_nobody_frozen(node):
    vm = node.create("sh", "-c", TICKING)
    node.task("machine_boot", uuid=vm)
    until(lambda: "tick" in node.log(vm))
    node.crash()
    kept = folder(node, vm, "zone.json")
    kept.write_text(kept.read_text().replace('"held":false', '"held":true'))
    runtime = next(
        name for name in ("crun", "runc") if (node.state / "nodes/0/runtime.json").read_text().find(name) >= 0
    )
    root = f"/run/tdg/{node.mark}/runtime"
    pinned = str(node.state / "nodes/0/ns/mnt")
    subprocess.run(["nsenter", f"--mount={pinned}", runtime, f"--root={root}", "pause", vm], check=True)
    so_far = len(node.log(vm))
    node.start()
    until(lambda: len(node.log(vm)) > so_far)
    assert '"held":false' in kept.read_text()
    node.task("machine_destroy", uuid=vm)


def test_an_agent_that_died_while_it_changed_layers_left_a_zone_that_boots(node, vm):
    assert written(node, vm, "echo old > /w")[0] == 0
    node.crash()
    folder(node, vm, "upper").rename(folder(node, vm, "upper.new"))
    folder(node, vm, "upper.new", "w").write_text("fresh\n")
    folder(node, vm, "work").rename(folder(node, vm, "gone"))
    node.start()
    status, log = written(node, vm, "cat /w")
    assert (status, log.splitlines()[-1]) == (0, "fresh")


def test_snapshots_are_on_record_until_they_are_deleted(node, vm):
    for name in ("one", "two", ".."):
        node.task("machine_create_snapshot", uuid=vm, snapshot_name=name)
    node.crash()
    node.start()
    assert snapshots(node.task("machine_load", uuid=vm)) == ["one", "two", ".."]
    assert snapshots(node.task("machine_delete_snapshot", uuid=vm, snapshot_name="one")) == ["two", ".."]
    assert {path.name for path in folder(node, vm, "snapshots").iterdir()} == {"vmsnap-two", "vmsnap-.."}
    node.task("machine_destroy", uuid=vm)
    assert not folder(node, vm).exists()


@pytest.mark.parametrize(
    ("task", "name", "code"),
    [
        ("machine_create_snapshot", "", "InvalidArgument"),
        ("machine_create_snapshot", "a/b", "InvalidArgument"),
        ("machine_create_snapshot", "there", "SnapshotExists"),
        ("machine_rollback_snapshot", "none", "SnapshotNotFound"),
        ("machine_delete_snapshot", "none", "SnapshotNotFound"),
    ],
)
def test_refused(node, vm, task, name, code):
    node.task("machine_create_snapshot", uuid=vm, snapshot_name="there")
    with pytest.raises(TaskFailed) as failure:
        node.task(task, uuid=vm, snapshot_name=name)
    assert failure.value.code == code
    assert snapshots(node.task("machine_load", uuid=vm)) == ["there"]


def test_no_more_than_the_limit(node):
    vm = node.create("true", zfs_snapshot_limit=1)
    node.task("machine_create_snapshot", uuid=vm, snapshot_name="a")
    with pytest.raises(TaskFailed) as failure:
        node.task("machine_create_snapshot", uuid=vm, snapshot_name="b")
    assert failure.value.code == "SnapshotLimit"


def test_reprovision_begins_anew_on_another_image(node, vm):
    assert written(node, vm, "echo w > /tmp/w; echo v > /vol/v; test ! -e /top")[0] == 0
    node.task("machine_create_snapshot", uuid=vm, snapshot_name="a")
    told = node.task("machine_reprovision", uuid=vm, image_uuid=TOP_IMAGE)["vm"]
    assert (told["image_uuid"], told["snapshots"], told["state"]) == (TOP_IMAGE, [], "stopped")
    assert not folder(node, vm, "snapshots").exists()
    status, log = written(node, vm, "cat /top /vol/v; test ! -e /tmp/w")
    assert (status, log.splitlines()[-2:]) == (0, ["top", "v"])
    node.task("machine_reprovision", uuid=vm, image_uuid=IMAGE)
    assert written(node, vm, "test ! -e /top && cat /vol/v")[0] == 0


def test_reprovision_to_an_image_that_is_not_there_changes_nothing(node, vm):
    assert written(node, vm, "echo w > /tmp/w")[0] == 0
    with pytest.raises(TaskFailed) as failure:
        node.task("machine_reprovision", uuid=vm, image_uuid="0c0ffee0-0000-4000-8000-00000000dead")
    assert failure.value.code == "ImageNotFound"
    assert written(node, vm, "cat /tmp/w")[0] == 0


def test_reprovision_stops_a_running_container(node):
    vm = node.create("sleep", "100")
    node.task("machine_boot", uuid=vm)
    told = node.task("machine_reprovision", uuid=vm, image_uuid=TOP_IMAGE, timeout=0)["vm"]
    assert (told["state"], told["exit_status"]) == ("stopped", 137)
    node.task("machine_destroy", uuid=vm)

"""What others left in a node's folders keeps neither an agent from starting nor a clean-up from being complete."""

from __future__ import annotations

import json
import os
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

from datacenter.node import cgroups, netlink
from tests.unit.datacenter.node.node_kit import Center, TestedNode, free_instance, free_port_base, nic, until

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]


@pytest.fixture
def own(tmp_path):
    """A node of the test's own, which it may take down."""
    center = Center(free_port_base())
    node = TestedNode(tmp_path / "node", center.port_base, free_instance())
    node.start()
    yield node
    node.clean_up()
    center.close()


def folder(node, name):
    return node.state / "nodes" / "0" / name


def letter(node):
    return json.loads(node.settings.read_text())["instance"]


def leave_things(node):
    (folder(node, "netns") / "stray" / "deeper").mkdir(parents=True)
    (folder(node, "netns") / "stray" / "deeper" / "file").touch()
    (folder(node, "zones") / "no-zone").write_text("a file")


def test_an_agent_starts_over_what_is_no_namespace_and_no_zone(node):
    vm = node.create("sleep", "60", nics=[nic(21)])
    node.task("machine_boot", uuid=vm)
    node.crash()
    leave_things(node)
    node.start()
    names = {path.name for part in ("netns", "zones") for path in folder(node, part).iterdir()}
    assert not names & {"stray", "no-zone"}
    until(lambda: not list(folder(node, "trash").iterdir()))
    assert node.task("machine_load", uuid=vm)["vm"]["state"] == "running"
    node.task("machine_destroy", uuid=vm)


def test_a_folder_in_the_place_of_a_namespace_does_not_keep_a_zone_from_running(node):
    vm = node.create("ip", "-4", "-o", "addr", nics=[nic(22)])
    (folder(node, "netns") / vm).mkdir()
    node.task("machine_boot", uuid=vm)
    assert node.wait(vm)["exit_status"] == 0
    assert nic(22)["ip"] in node.log(vm)


def test_cleanup_is_complete_when_everything_was_killed(own):
    kinds = {
        kind: own.create("sleep", "600", nics=[nic(number)])
        for number, kind in enumerate(("runs", "paused", "held"), 30)
    }
    for vm in kinds.values():
        own.task("machine_boot", uuid=vm)
    pids = [own.task("machine_load", uuid=vm)["vm"]["pid"] for vm in kinds.values()]
    own.task("machine_pause", uuid=kinds["paused"])
    own.crash()
    freeze(f"/tdg-{letter(own)}-{own.mark}/{kinds['held']}")
    record = folder(own, "zones") / kinds["held"] / "zone.json"
    record.write_text(record.read_text().replace('"held":false', '"held":true'))
    for vm in kinds.values():
        os.kill(int((folder(own, "zones") / vm / "lives" / "1" / "conmon.pid").read_text()), signal.SIGKILL)
    leave_things(own)
    own.clean_up()
    until(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()])
    assert not list(Path("/sys/fs/cgroup").glob(f"**/tdg-?-{own.mark}"))
    assert str(own.state) not in Path("/proc/self/mountinfo").read_text()
    assert not Path(f"/run/tdg/{own.mark}").exists()


def test_cleanup_finds_what_no_record_tells_of(own):
    vm = own.create("sleep", "600", nics=[nic(33)])
    pid = own.task("machine_boot", uuid=vm)["vm"]["pid"]
    own.task("machine_pause", uuid=vm)
    own.crash()
    os.kill(int((folder(own, "zones") / vm / "lives" / "1" / "conmon.pid").read_text()), signal.SIGKILL)
    for name in ("zones", "runtime"):
        shutil.rmtree(folder(own, name) / vm)
    own.clean_up()
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert not list(Path("/sys/fs/cgroup").glob(f"**/tdg-?-{own.mark}"))
    assert not list(Path("/sys/class/net").glob(f"tdg{letter(own)}*"))


def freeze(group):
    if cgroups.is_v2():
        (cgroups.folder(group, "") / "cgroup.freeze").write_text("1")
    else:
        (cgroups.folder(group, "freezer") / "freezer.state").write_text("FROZEN")


def test_looking_into_a_namespace_that_is_gone_keeps_nothing_open(tmp_path):
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with pytest.raises(FileNotFoundError), netlink.inside(tmp_path / "gone"):
            pass
    assert len(os.listdir("/proc/self/fd")) == len(before)


def links(node):
    return [link.name for kind in ("tdg", "tv") for link in Path("/sys/class/net").glob(f"{kind}{letter(node)}*")]


@contextmanager
def kept_network(node, vm):
    """Keep a running container's network, as a connection does whose peer does not answer any more."""
    fd = os.open(f"/proc/{node.task('machine_load', uuid=vm)['vm']['pid']}/ns/net", os.O_RDONLY)
    try:
        yield
    finally:
        os.close(fd)


def test_an_address_goes_with_its_container_though_its_network_is_kept(own):
    vm = own.create("sleep", "60", nics=[nic(23)])
    own.task("machine_boot", uuid=vm)
    with kept_network(own, vm):
        own.task("machine_destroy", uuid=vm)
        until(lambda: [link for link in links(own) if link.startswith("tv")] == [])


def test_a_clean_up_is_complete_though_a_network_is_kept(own):
    vm = own.create("sleep", "60", nics=[nic(24)])
    own.task("machine_boot", uuid=vm)
    with kept_network(own, vm):
        own.clean_up()
        assert links(own) == []

"""Zones are frozen and go on."""

from __future__ import annotations

import os

import pytest

from tests.unit.datacenter.node.node_kit import Center, TaskFailed, TestedNode, free_instance, free_port_base, until

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    center = Center(free_port_base())
    node = TestedNode(tmp_path_factory.mktemp("node"), center.port_base, free_instance())
    node.start()
    yield node
    node.clean_up()
    center.close()


def running(node, *command):
    vm = node.create(*command)
    node.task("machine_boot", uuid=vm)
    return vm


def is_paused(node, vm):
    return node.task("machine_load", uuid=vm)["vm"].get("internal_metadata", {}).get("docker:paused")


def test_a_paused_zone_does_nothing_until_it_goes_on_even_under_another_agent(node):
    vm = running(node, "sh", "-c", "while :; do echo tick; sleep 0.01; done")
    until(lambda: "tick" in node.log(vm))
    assert node.task("machine_pause", uuid=vm)["vm"]["internal_metadata"]["docker:paused"] is True
    node.crash()
    node.start()
    assert is_paused(node, vm) is True
    written = node.log(vm)
    assert node.task("machine_pause", uuid=vm)["vm"]["state"] == "running"
    assert node.log(vm) == written
    node.task("machine_unpause", uuid=vm)
    until(lambda: len(node.log(vm)) > len(written))
    assert is_paused(node, vm) is False
    node.task("machine_destroy", uuid=vm)


def test_a_paused_zone_can_be_stopped_killed_and_destroyed(node):
    stopped, killed, destroyed = (running(node, "sleep", "100") for _ in range(3))
    for vm in (stopped, killed, destroyed):
        node.task("machine_pause", uuid=vm)
    node.task("machine_kill", uuid=killed, signal="SIGKILL")
    until(lambda: node.task("machine_load", uuid=killed)["vm"]["state"] == "stopped")
    assert is_paused(node, killed) is False
    assert node.task("machine_shutdown", uuid=stopped, timeout=0.1)["vm"]["exit_status"] == 137
    node.task("machine_destroy", uuid=destroyed)


def test_only_a_running_zone_can_be_paused(node):
    vm = node.create("true")
    with pytest.raises(TaskFailed) as failure:
        node.task("machine_pause", uuid=vm)
    assert failure.value.code == "VmNotRunning"

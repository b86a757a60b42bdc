"""What restart policies decide, and what a real node makes of them."""

from __future__ import annotations

import json
import os

import pytest

from datacenter.node.restarts import LONGEST_PAUSE, next_pause, wants_restart
from datacenter.node.zone import Life
from tests.unit.datacenter.node.node_kit import until


@pytest.mark.parametrize(
    ("policy", "code", "count", "halted", "host_booted", "wanted"),
    [
        ("no", 1, 0, False, False, False),
        ("always", 0, 99, False, False, True),
        ("always", 0, 0, True, False, False),
        ("always", 0, 0, True, True, True),
        ("unless-stopped", 0, 0, False, False, True),
        ("unless-stopped", 0, 0, True, True, False),
        ("unless-stopped", 0, 0, False, True, True),
        ("on-failure", 0, 0, False, False, False),
        ("on-failure", 3, 99, False, False, True),
        ("on-failure:2", 3, 1, False, False, True),
        ("on-failure:2", 3, 2, False, False, False),
        ("on-failure", 3, 0, True, False, False),
        ("on-failure", 0, 0, False, True, False),
    ],
)
def test_who_is_started_again(policy, code, count, halted, host_booted, wanted):
    life = Life(exit_status=code, restart_count=count, halted=halted)
    assert wants_restart(policy, life, host_booted=host_booted) is wanted


def test_pauses_double_up_to_a_minute_and_begin_anew_after_a_good_run():
    pauses, last = [], 0.0
    for _ in range(12):
        last = next_pause(last, ran=1)
        pauses.append(last)
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == LONGEST_PAUSE
    assert next_pause(last, ran=10) == 0.1


node_tests = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]


def marked(function):
    for mark in node_tests:
        function = mark(function)
    return function


def policy(node, name, *command):
    vm = node.create(*command, meta={"docker:restartpolicy": name})
    node.task("machine_boot", uuid=vm)
    return vm


def load(node, vm):
    return node.task("machine_load", uuid=vm)["vm"]


def count(node, vm):
    return load(node, vm).get("internal_metadata", {}).get("docker:restartcount", 0)


@marked
def test_on_failure_gives_up_after_its_number_of_restarts(node, center):
    vm = policy(node, "on-failure:2", "sh", "-c", "echo try; exit 4")
    done = center.wait_for(vm, lambda body: body["state"] == "stopped" and body["zone_state"] == "installed")
    assert done["exit_status"] == 4
    assert done["internal_metadata"]["docker:restartcount"] == 2
    last = json.loads(done["internal_metadata"]["docker:lastend"])
    assert last["exit_status"] == 4
    assert last["exit_timestamp"] <= done["boot_timestamp"] <= done["exit_timestamp"]
    assert node.log(vm) == "try\n" * 3
    assert center.wait_for(vm, lambda body: body["zone_state"] == "ready")["state"] == "stopped"


@marked
def test_what_was_stopped_stays_stopped_and_starts_anew(node):
    vm = policy(node, "always", "sh", "-c", "sleep 0.1")
    until(lambda: count(node, vm) >= 2)
    stopped = node.task("machine_shutdown", uuid=vm, timeout=1)["vm"]
    assert (stopped["state"], stopped["zone_state"]) == ("stopped", "installed")
    assert load(node, vm)["zone_state"] == "installed"
    node.task("machine_boot", uuid=vm)
    assert count(node, vm) <= 1


@marked
def test_a_kill_ends_a_policy(node):
    vm = policy(node, "always", "sleep", "100")
    node.task("machine_kill", uuid=vm, signal="SIGKILL")
    until(lambda: load(node, vm)["state"] == "stopped")
    assert load(node, vm)["zone_state"] == "installed"


@marked
def test_policies_survive_the_agent(node):
    waiting = policy(node, "always", "sh", "-c", "exit 1")
    stopped = policy(node, "always", "sleep", "100")
    node.task("machine_shutdown", uuid=stopped, timeout=0)
    until(lambda: count(node, waiting) >= 3)
    node.crash()
    node.start()
    before = count(node, waiting)
    until(lambda: count(node, waiting) > before)
    assert load(node, stopped)["state"] == "stopped"
    node.task("machine_destroy", uuid=waiting)


@marked
def test_after_a_boot_of_the_host_policies_decide(node):
    stopped = {name: policy(node, name, "sleep", "100") for name in ("always", "unless-stopped", "no")}
    for vm in stopped.values():
        node.task("machine_shutdown", uuid=vm, timeout=0)
    node.crash()
    (boot_id,) = node.state.glob("nodes/*/boot_id")
    boot_id.write_text("another boot")
    node.start()
    until(lambda: load(node, stopped["always"])["state"] == "running")
    assert [load(node, stopped[name])["state"] for name in ("unless-stopped", "no")] == ["stopped"] * 2

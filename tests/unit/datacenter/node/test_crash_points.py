"""A real node's agent is killed at every point at which a container's life may stand: each life is lived once.

What is written down, and what a new agent makes of it, is told by ``adopt``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from http.client import HTTPException

import pytest

from tests.faults.points import Point, Points
from tests.unit.datacenter.node.node_kit import TestedNode, free_instance, until

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

RECORD = "replace zones/*/zone.json.new >|"
STARTING, MADE, RUNNING, ENDED, STARTING_AGAIN, MADE_AGAIN, RUNNING_AGAIN, ENDED_AGAIN = range(1, 9)
"""What each writing of the record says, of a container whose policy starts it once more."""


@pytest.fixture(scope="module")
def points():
    points = Points()
    yield points
    shutil.rmtree(points.folder)


@pytest.fixture(scope="module")
def node(center, points, tmp_path_factory):
    node = TestedNode(tmp_path_factory.mktemp("node"), center.port_base, free_instance(), points.environment)
    node.start()
    yield node
    node.clean_up()


def load(node, vm):
    return node.task("machine_load", uuid=vm)["vm"]


def ask(node, name, vm, **params):
    """Have a task done, and ask for it again when the agent died over it: who asked has not heard that it was done."""
    try:
        node.task(name, uuid=vm, **params)
    except (OSError, HTTPException):
        node.process.wait()
        node.start()
        node.task(name, uuid=vm, **params)


def remains(node, vm):
    """What of a container's lives is there: files, and processes that keep or make it."""
    found = [str(path) for path in (node.state / "nodes" / "0" / "zones" / vm).glob("lives/*")]
    listing = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    return found + [line for line in listing.splitlines() if f"/{vm}/lives" in line]


@pytest.mark.parametrize(
    "point",
    [
        *(Point("node", RECORD, number) for number in range(STARTING, ENDED_AGAIN + 1)),
        Point("node", "start conmon  >|"),
        *(Point("node", "let the process go >|", number) for number in (1, 2)),
        Point("node", "start crun delete >|"),
    ],
    ids=str,
)
def test_every_life_is_lived_once_and_keeps_its_code(node, points, point):
    vm = node.create("sh", "-c", "echo up; exit 6", meta={"docker:restartpolicy": "on-failure:1"})
    points.kill_at(point)
    died = node.process
    ask(node, "machine_boot", vm, job="start")
    until(lambda: points.fired(point))
    points.disarm(point)
    if node.process is died:
        died.wait()
        node.start()
    over = until(lambda: (seen := load(node, vm))["zone_state"] == "installed" and seen["exit_timestamp"] and seen)
    assert (over["exit_status"], over["internal_metadata"]["docker:restartcount"]) == (6, 1)
    assert over["boot_timestamp"] <= over["exit_timestamp"]
    assert node.log(vm) == "up\n" * 2
    until(lambda: not remains(node, vm))
    node.task("machine_destroy", uuid=vm)


@pytest.mark.parametrize("number", [MADE, RUNNING])
def test_a_container_outlives_an_agent_that_dies_over_its_start(node, points, number):
    vm = node.create("sh", "-c", "trap 'exit 4' USR1; echo up; while :; do sleep 0.1; done")
    points.kill_at(Point("node", RECORD, number))
    ask(node, "machine_boot", vm, job="start")
    pid = load(node, vm)["pid"]
    until(lambda: node.log(vm) == "up\n")
    node.crash()
    os.kill(pid, signal.SIGUSR1)
    until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110
    node.start()
    assert load(node, vm)["exit_status"] == 4
    node.task("machine_destroy", uuid=vm)


REBOOTS = [
    *(Point("node", RECORD, number) for number in (2, 3, 5)),  # ended, starting, running
    Point("node", "task machine_reboot >|"),
]


@pytest.mark.parametrize("point", REBOOTS, ids=str)
def test_a_reboot_is_one_however_often_it_is_asked_for(node, points, point):
    vm = node.create("sh", "-c", "trap 'exit 4' TERM; echo up; while :; do sleep 0.1; done")
    node.task("machine_boot", uuid=vm)
    until(lambda: node.log(vm) == "up\n")
    points.kill_at(point)
    ask(node, "machine_reboot", vm, job="reboot", timeout=10)
    assert points.fired(point)
    points.disarm(point)
    assert load(node, vm)["state"] == "running"
    until(lambda: node.log(vm).count("up\n") >= 2)
    ask(node, "machine_reboot", vm, job="reboot", timeout=10)
    assert node.log(vm) == "up\n" * 2
    ask(node, "machine_reboot", vm, job="another", timeout=10)
    until(lambda: node.log(vm) == "up\n" * 3)
    node.task("machine_destroy", uuid=vm)


def test_a_start_that_was_taken_back_has_changed_nothing(node, points):
    vm = node.create("sh", "-c", "exit 3")
    node.task("machine_boot", uuid=vm)
    before = node.wait(vm)
    until(lambda: not remains(node, vm))
    points.kill_at(Point("node", "start conmon  >|"))
    with pytest.raises((OSError, HTTPException)):
        node.task("machine_boot", uuid=vm)
    node.process.wait()
    node.start()
    assert load(node, vm) == before
    assert remains(node, vm) == []
    node.task("machine_destroy", uuid=vm)

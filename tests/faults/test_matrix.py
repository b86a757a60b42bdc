"""Every operation, broken off at every point of every process: nothing is left behind, and nobody was lied to.

The points are those that the operation passes when nothing is broken: whoever adds a step adds its points.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import time
import uuid

import pytest

from tests.e2e.conftest import wait_for
from tests.faults.conftest import Faulty
from tests.faults.operations import MORE, OPERATIONS, Operation
from tests.faults.points import Point

pytestmark = pytest.mark.docker
FIRING = 1.0
"""Seconds in which a point behind the client's back is reached."""
UNREACHED = 0.1
"""Part of the points, passed twice, that need not be passed a third time: some are other greenlets', by chance."""
EVERY = bool(os.environ.get("EVERY_POINT"))
STRIDE = 3
"""Without EVERY_POINT one of so many points is taken; which of them, is the random seed's to say."""
names = (f"cell{number}" for number in itertools.count())


def trace(faulty: Faulty, operation: Operation) -> list[Point]:
    """Carry an operation out, unharmed; what it passes."""
    name = next(names)
    operation.prepare(faulty.docker, name)
    with faulty.points.traced() as passed:
        done = operation.act(faulty, name)
        assert faulty.settle() == set()
    assert (done.returncode == 0) == operation.succeeds, done.stderr
    assert operation.truth(faulty.docker, name, done) == ""
    operation.leaves(faulty.docker, name)
    return passed


def broken_off(faulty: Faulty, operation: Operation, point: Point, victim: str = "self") -> set[str] | None:
    """Carry an operation out and kill a process at a point; what is wrong afterwards, None when it was not reached."""
    began = time.monotonic()
    name = next(names)
    operation.prepare(faulty.docker, name)
    faulty.points.kill_at(point, victim)
    done = operation.act(faulty, name)
    fired = has_fired(faulty, point)
    faulty.points.disarm(point)
    faulty.back()
    wrong = faulty.settle()
    wrong |= {lie for lie in [operation.truth(faulty.docker, name, done)] if lie}
    operation.leaves(faulty.docker, name)
    wrong |= faulty.settle()
    print(
        f"{time.monotonic() - began:4.1f} s {operation.name}, {point}: {wrong if fired else 'not reached'}", flush=True
    )
    told = (done.stderr or done.stdout).decode().strip()
    return {f"{operation.name}, {point}: {one} (told: {told})" for one in wrong} if fired else None


def is_by_chance(point: Point) -> bool:
    """Whether a point is a later letter about firewalls: how many a change takes, nobody can say."""
    return "task fw_update" in point.name and point.nth > 1


def has_fired(faulty: Faulty, point: Point) -> bool:
    end = time.monotonic() + FIRING
    while not faulty.points.fired(point) and time.monotonic() < end:
        time.sleep(0.02)
    return faulty.points.fired(point)


@pytest.mark.parametrize("operation", (*OPERATIONS, *(MORE if EVERY else ())), ids=lambda operation: operation.name)
def test_no_kill_leaves_anything_or_makes_anybody_a_liar(faulty, operation):
    once, again = trace(faulty, operation), set(trace(faulty, operation))
    points = [point for point in once if point in again and not is_by_chance(point)]
    assert {point.label for point in points} == {"gateway", "services", "node"}
    points = points if EVERY else points[random.randrange(STRIDE) :: STRIDE]  # noqa: S311 - chance
    found = {point: broken_off(faulty, operation, point) for point in points}
    assert set().union(*(wrong for wrong in found.values() if wrong)) == set()
    unreached = [str(point) for point, wrong in found.items() if wrong is None]
    assert len(unreached) <= max(2, UNREACHED * len(points)), unreached


@pytest.mark.parametrize("victim", ["services", "gateway"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_nor_does_one_while_the_node_is_at_work(faulty, operation, victim):
    """``gateway`` is the arbiter, with which its worker dies; the points before are those of the worker alone."""
    at_work = next(point for point in trace(faulty, operation) if point.label == "node")
    pid = faulty.running.pid(victim)
    assert broken_off(faulty, operation, at_work, str(pid)) == set()
    wait_for(lambda: faulty.running.pid(victim) != pid)


def test_a_stop_that_is_asked_for_again_is_told_once(faulty):
    operation = next(one for one in OPERATIONS if one.name == "stop")
    points = [point for point in trace(faulty, operation) if point.label == "gateway"]
    points = points if EVERY else points[random.randrange(STRIDE) :: STRIDE]  # noqa: S311 - chance
    told = {str(point): signals_of_a_repeated_stop(faulty, point) for point in points}
    assert {point: signals for point, signals in told.items() if signals != ["15"]} == {}


def signals_of_a_repeated_stop(faulty: Faulty, point: Point) -> list[str]:
    """Stop a container, again at once when the gateway is killed over it; the signals that were told."""
    name = next(names)
    faulty.docker.ok(
        "run", "-d", "--name", name, "busybox", "sh", "-c", "trap 'exit 0' TERM; echo set; sleep 600 & wait"
    )
    wait_for(lambda: faulty.docker.ok("logs", name) == "set")
    faulty.points.kill_at(point)
    wait_for(lambda: faulty.docker("stop", "-t", "5", name).returncode == 0)
    faulty.points.disarm(point)
    faulty.back()
    wait_for(lambda: "die" in told_of(faulty, name, "{{.Action}}"))
    signals = told_of(faulty, name, "{{.Actor.Attributes.signal}}", "--filter", "event=kill")
    faulty.docker.ok("rm", "-f", name)
    assert faulty.settle() == set()
    return signals


def told_of(faulty: Faulty, name: str, template: str, *filters: str) -> list[str]:
    asked = ("events", "--since", "10m", "--until", "0s", "--filter", f"container={name}", *filters)
    return faulty.docker.ok(*asked, "--format", template).split()


@pytest.mark.parametrize("place", ["mount zones/*/rootfs >|", "netlink link >|", "start conmon  >|"])
def test_nor_does_a_defect_of_the_node_s(faulty, place):
    """The container can be started again."""
    name = next(names)
    faulty.docker.ok("create", "--name", name, "-v", "/data", "busybox", "sleep", "600")
    with faulty.points.failing_at(Point("node", place)):
        assert faulty.docker("start", name).returncode != 0
    assert faulty.settle() == set()
    faulty.docker.ok("start", name)
    faulty.docker.ok("rm", "-f", name)
    assert faulty.settle() == set()


def test_nor_does_the_death_of_a_keeper_that_has_just_begun(faulty):
    operation = next(one for one in OPERATIONS if one.name == "start")
    conmon = next(point for point in trace(faulty, operation) if "start conmon" in point.name)
    assert broken_off(faulty, operation, conmon, "child") == set()


@pytest.mark.parametrize("act", ["stop", "rm"])
def test_nor_does_the_death_of_a_keeper_while_its_container_is_ended(faulty, act):
    """Nobody knows then how the container ended."""
    name = next(names)
    faulty.docker.ok("run", "-d", "--name", name, "busybox", "sleep", "600")
    task = {"stop": "task machine_shutdown |>", "rm": "task machine_destroy |>"}[act]
    point = Point("node", task)
    faulty.points.kill_at(point, keeper_of(faulty, name))
    done = faulty.docker(act, *{"stop": ("-t", "0"), "rm": ("-f",)}[act], name)
    assert (done.returncode, faulty.points.fired(point)) == (0, True), done.stderr
    assert faulty.settle() == set()
    if act == "stop":
        assert faulty.docker.inspect(name, "{{.State.Status}} {{.State.ExitCode}}") in {"exited 255", "exited 137"}
        faulty.docker.ok("rm", name)
    assert faulty.settle() == set()


def test_a_container_ends_with_its_keeper(faulty):
    name = next(names)
    faulty.docker.ok("run", "-d", "--name", name, "busybox", "sleep", "600")
    os.kill(int(keeper_of(faulty, name)), signal.SIGKILL)
    assert faulty.docker.ok("wait", name) == "255"
    assert faulty.settle() == set()
    faulty.docker.ok("start", name)
    assert faulty.settle() == set()
    faulty.docker.ok("rm", "-f", name)


def keeper_of(faulty: Faulty, name: str) -> str:
    """The pid of a container's conmon."""
    vm_uuid = uuid.UUID(faulty.docker.inspect(name, "{{.Id}}")[:32])
    found = subprocess.run(["pgrep", "-f", f"^conmon .*{vm_uuid}"], capture_output=True, text=True, check=True)
    return found.stdout.split()[0]

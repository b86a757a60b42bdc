"""Every operation, broken off at every point of every process: nothing is left behind, and nobody was lied to.

The points are those that the operation passes when nothing is broken: whoever adds a step adds its points.
"""

from __future__ import annotations

import itertools
import os
import random
import time

import pytest

from tests.e2e.conftest import wait_for
from tests.faults.conftest import Faulty
from tests.faults.operations import MORE, OPERATIONS, Operation
from tests.faults.points import Point

pytestmark = pytest.mark.docker
FIRING = 1.0
"""Seconds in which a point behind the client's back is reached."""
UNREACHED = 0.1
"""Part of the points that may not be passed again: what happens by chance, or once only."""
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


def has_fired(faulty: Faulty, point: Point) -> bool:
    end = time.monotonic() + FIRING
    while not faulty.points.fired(point) and time.monotonic() < end:
        time.sleep(0.02)
    return faulty.points.fired(point)


@pytest.mark.parametrize("operation", (*OPERATIONS, *(MORE if EVERY else ())), ids=lambda operation: operation.name)
def test_no_kill_leaves_anything_or_makes_anybody_a_liar(faulty, operation):
    points = trace(faulty, operation)
    assert {point.label for point in points} == {"gateway", "services", "node"}
    points = points if EVERY else points[random.randrange(STRIDE) :: STRIDE]  # noqa: S311 - chance
    found = {point: broken_off(faulty, operation, point) for point in points}
    assert set().union(*(wrong for wrong in found.values() if wrong)) == set()
    unreached = [str(point) for point, wrong in found.items() if wrong is None]
    assert len(unreached) <= UNREACHED * len(points), unreached


@pytest.mark.parametrize("victim", ["services", "gateway"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_nor_does_one_while_the_node_is_at_work(faulty, operation, victim):
    """``gateway`` is the arbiter, with which its worker dies; the points before are those of the worker alone."""
    at_work = next(point for point in trace(faulty, operation) if point.label == "node")
    pid = faulty.running.pid(victim)
    assert broken_off(faulty, operation, at_work, str(pid)) == set()
    wait_for(lambda: faulty.running.pid(victim) != pid)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.name == "start"], ids=lambda one: one.name)
def test_nor_does_the_death_of_a_container_s_keeper(faulty, operation):
    conmon = next(point for point in trace(faulty, operation) if "start conmon" in point.name)
    assert broken_off(faulty, operation, conmon, "child") == set()

"""Reservations: who came before whom, over several connections as several workers have."""

from __future__ import annotations

import threading

import pytest

from gateway.state import reservations as module
from gateway.state.database import Database
from gateway.state.reservations import Reservations


@pytest.fixture
def file(tmp_path):
    return tmp_path / "gateway.sqlite"


@pytest.fixture
def reservations(file):
    return Reservations(Database(file))


def reserve(reservations, vm, owner="jill", seconds=60.0, **more):
    amounts = {"ram": 128, "disk": 0.5, "attributes": {"brand": "lx"}, **more}
    return [each.vm_uuid for each in reservations.reserve(owner, vm, seconds=seconds, **amounts)]


def test_each_is_told_of_those_before_it(reservations):
    assert reserve(reservations, "a") == []
    assert reserve(reservations, "b") == ["a"]
    assert reserve(reservations, "c") == ["a", "b"]


def test_accounts_are_apart(reservations):
    reserve(reservations, "a", owner="tom")
    assert reserve(reservations, "b", owner="jill") == []


def test_what_was_held_comes_back_as_it_was(reservations):
    reserve(reservations, "a", ram=256, disk=1.25, attributes={"brand": "kvm", "image": ["x"]})
    (held,) = reservations.reserve("jill", "b", ram=1, disk=1, attributes={}, seconds=1)
    assert (held.ram, held.disk, held.attributes) == (256, 1.25, {"brand": "kvm", "image": ["x"]})


def test_released_ones_are_gone_and_releasing_twice_is_no_error(reservations):
    reserve(reservations, "a")
    reservations.release("a")
    reservations.release("a")
    assert reserve(reservations, "b") == []


def test_reserving_again_keeps_the_place(reservations):
    reserve(reservations, "a")
    reserve(reservations, "b")
    assert reserve(reservations, "a", ram=512) == []
    assert reserve(reservations, "c") == ["a", "b"]


def test_a_place_is_never_given_twice(reservations):
    reserve(reservations, "a")
    reserve(reservations, "b")
    reservations.release("b")
    assert reserve(reservations, "c") == ["a"]
    assert reserve(reservations, "d") == ["a", "c"]


def test_what_a_dead_gateway_held_is_given_back_in_time(reservations, monkeypatch):
    reserve(reservations, "a", seconds=60)
    later = module.time.time() + 61
    monkeypatch.setattr(module.time, "time", lambda: later)
    assert reserve(reservations, "b") == []


def test_racing_workers_form_one_line(file):
    Reservations(Database(file))
    told: list[int] = []
    start = threading.Barrier(6)

    def worker(number):
        mine = Reservations(Database(file))
        start.wait()
        for turn in range(5):
            told.append(len(reserve(mine, f"{number}-{turn}")))

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == list(range(30))

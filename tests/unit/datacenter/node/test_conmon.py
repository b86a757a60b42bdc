"""Whose conmon is whose, and which processes belong to a life."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from datacenter.node import conmon
from datacenter.node.zone import Life, Zone
from tests.unit.datacenter.node.node_kit import until

UUID = "96a6e2b0-6c51-4a7e-9d4f-0a2f5c1b7e11"


@pytest.fixture
def zone(tmp_path):
    zone = Zone(tmp_path, {"uuid": UUID}, Life(state="running", number=2))
    zone.present_life.mkdir(parents=True)
    return zone


@pytest.fixture
def run():
    """Start programs that name a file, as conmon and the runtime do, and end when they are told to."""
    started = []

    def start(path):
        process = subprocess.Popen(["sh", "-c", "read line", "sh", "-p", str(path)], stdin=subprocess.PIPE)
        started.append(process)
        until(Path(f"/proc/{process.pid}/cmdline").read_bytes)  # it is known to have begun a moment before it has words
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def noted(zone, process):
    (zone.present_life / "conmon.pid").write_text(str(process.pid))


def test_the_conmon_of_a_life_is_held_until_it_is_gone(zone, run):
    process = run(zone.present_life / "pidfile")
    noted(zone, process)
    assert conmon.is_alive(zone)
    pidfd = conmon.hold(zone)
    process.communicate(b"go\n")
    conmon.await_end(pidfd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(pidfd)
    assert not conmon.is_alive(zone)


def test_a_wake_for_nothing_is_no_end(zone, run, monkeypatch):
    process, woken = run(zone.present_life / "pidfile"), []
    noted(zone, process)

    def wake(pidfd):
        woken.append(pidfd)
        if len(woken) == 3:
            process.kill()
            process.wait()

    monkeypatch.setattr(conmon, "wait_read", wake)
    conmon.await_end(conmon.hold(zone))
    assert len(woken) == 3


def test_a_process_that_has_the_number_of_a_dead_conmon_is_none(zone, run):
    noted(zone, run(zone.folder / "lives" / "1" / "pidfile"))
    assert conmon.hold(zone) is None


def test_a_life_without_a_pid_file_has_no_conmon(zone):
    assert conmon.hold(zone) is None


def test_what_makes_a_container_is_ended_and_nothing_else(zone, run):
    makers = [run(zone.present_life / "pidfile") for _ in range(2)]
    others = [run(zone.lives / "21" / "pidfile"), run(zone.lives / "1" / "pidfile"), run(zone.uuid)]
    conmon.end_all(zone)
    for process in makers:
        process.wait(10)  # how it ended may have been told to the loop of an earlier test, which reaps all children
    assert [process.poll() for process in others] == [None] * 3

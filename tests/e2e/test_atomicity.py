"""Whatever is killed while containers come and go: afterwards nothing is there that nobody owns."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.conftest import wait_for
from tests.faults import inventory

pytestmark = pytest.mark.docker

PROCESSES = ("services", "node-0", "node-1", "node-2", "gateway")


def one_life(docker, name: str) -> None:
    """Take a container through its life; what fails because something was just killed is left as it is."""
    steps = (
        ("create", "--name", name, "-p", "80", "-v", "/data", "busybox", "sleep", "600"),
        ("start", name),
        ("exec", name, "true"),
        ("rm", "-f", name),
    )
    for step in steps:
        for _ in range(40):
            if b"Cannot connect" not in docker(*step).stderr:
                break
            time.sleep(0.25)


def killing(running, over: threading.Event) -> None:
    while not over.wait(random.uniform(0.5, 2.0)):  # noqa: S311 - chance
        try:
            os.kill(running.pid(random.choice(PROCESSES)), signal.SIGKILL)  # noqa: S311 - chance
        except (ProcessLookupError, ValueError):
            continue  # it is just being started again


def settled(running, seconds: float = 30.0) -> None:
    """Wait until everything has its owner; clean-up goes on after the answers."""
    end = time.monotonic() + seconds
    wrong = {"never looked"}
    while wrong and time.monotonic() < end:
        try:
            wrong = inventory.take(running).wrong()
        except (OSError, ValueError) as error:  # the last one killed is only just coming back
            wrong = {f"cannot be looked at: {error}"}
        time.sleep(0.2)
    assert wrong == set()


def test_nothing_is_left_behind_by_kills_at_any_moment(running, docker):
    over = threading.Event()
    killer = threading.Thread(target=killing, args=(running, over))
    killer.start()
    try:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda number: one_life(docker, f"life{number}"), range(18)))
    finally:
        over.set()
        killer.join()
        assert running.command("up").returncode == 0
    wait_for(lambda: not running.http("wfapi", "/jobs?execution=running"), 60)
    settled(running)
    left = docker.ok("ps", "-aq", "-f", "name=life").split()
    if left:  # lived through it, so that they can be removed as ever
        docker.ok("rm", "-f", *left)
    settled(running)

"""What probes make of a zone's health, and what a real node does."""

from __future__ import annotations

import json
import os

import pytest

from datacenter.node.health import NANO, Check, Health, Result
from tests.unit.datacenter.node.node_kit import Center, TestedNode, free_instance, free_port_base, until


def probe(code):
    return Result("start", "end", code, f"said {code}")


def after(check, *codes, age=100.0):
    health = Health()
    for code in codes:
        health = health.after(probe(code), check, age)
    return health


def test_three_failures_in_a_row_make_it_unhealthy_and_one_success_healthy():
    check = Check(Test=["CMD", "x"])
    assert after(check, 1, 1) == Health("starting", 2, [probe(1)] * 2)
    assert after(check, 1, 1, 1).Status == "unhealthy"
    assert after(check, 1, 1, 0, 1).Status == "healthy"
    assert after(check, 1, 1, 1, 0).FailingStreak == 0


def test_failures_of_the_start_period_do_not_count():
    check = Check(Test=["CMD", "x"], StartPeriod=10 * NANO, Retries=1)
    assert after(check, 1, 1, age=9) == Health("starting", 0, [probe(1)] * 2)
    assert after(check, 1, age=11).Status == "unhealthy"
    assert after(check, 0, 1, age=9).Status == "unhealthy"


def test_the_last_five_are_kept():
    assert [result.ExitCode for result in after(Check(), 9, 8, 7, 6, 5, 4).Log] == [8, 7, 6, 5, 4]


@pytest.mark.parametrize(
    ("check", "status", "age", "pause"),
    [
        (Check(), "starting", 0, 30),
        (Check(Interval=2 * NANO), "healthy", 0, 2),
        (Check(StartPeriod=9 * NANO), "starting", 1, 5),
        (Check(StartPeriod=9 * NANO, StartInterval=NANO), "starting", 1, 1),
        (Check(StartPeriod=9 * NANO, StartInterval=NANO), "healthy", 1, 30),
        (Check(StartPeriod=9 * NANO, StartInterval=NANO), "starting", 10, 30),
    ],
)
def test_pauses(check, status, age, pause):
    assert check.pause(status, age) == pause


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (["CMD", "a", "b"], ["a", "b"]),
        (["CMD-SHELL", "a b"], ["/bin/sh", "-c", "a b"]),
        (["NONE"], []),
        ([], []),
    ],
)
def test_words(test, words):
    assert Check(Test=test).command == words


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    center = Center(free_port_base())
    node = TestedNode(tmp_path_factory.mktemp("node"), center.port_base, free_instance())
    node.start()
    yield node
    node.clean_up()
    center.close()


def health(node, vm):
    text = node.task("machine_load", uuid=vm)["vm"]["internal_metadata"]["docker:health"]
    return json.loads(text)


def checked(node, *test, **times):
    check = {"Test": list(test), **{name: int(seconds * NANO) for name, seconds in times.items()}, "Retries": 2}
    vm = node.create("sh", "-c", "touch /ok; sleep 100", meta={"docker:healthcheck": json.dumps(check)})
    node.task("machine_boot", uuid=vm)
    return vm


@pytest.mark.node
@pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")
def test_a_node_checks_through_its_own_crash_and_marks_the_end(node):
    vm = checked(node, "CMD-SHELL", "echo looked; test -f /ok", Interval=0.1)
    assert health(node, vm)["Status"] == "starting"
    until(lambda: health(node, vm)["Status"] == "healthy")
    assert health(node, vm)["Log"][0]["Output"] == "looked\n"
    node.crash()
    node.start()
    command = {"Cmd": ["busybox", "rm", "/ok"], "Detach": True}
    assert node.task("docker_exec", uuid=vm, command=command) == {}
    until(lambda: health(node, vm)["Status"] == "unhealthy")
    assert health(node, vm)["FailingStreak"] >= 2
    node.task("machine_destroy", uuid=vm)


@pytest.mark.node
@pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")
def test_a_probe_that_takes_too_long_or_cannot_run_has_failed(node):
    slow = checked(node, "CMD", "sleep", "9", Interval=0.1, Timeout=0.2)
    until(lambda: health(node, slow)["Status"] == "unhealthy")
    assert health(node, slow)["Log"][0]["Output"] == "Health check exceeded timeout (0.2s)"
    missing = checked(node, "CMD", "no-such-program", Interval=0.1)
    until(lambda: health(node, missing)["Status"] == "unhealthy")
    assert health(node, missing)["Log"][0]["ExitCode"] == -1
    for vm in (slow, missing):
        node.task("machine_destroy", uuid=vm)

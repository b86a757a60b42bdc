"""Wait: three conditions, the right code whatever order the news come in, and self-removing containers."""

from __future__ import annotations

import threading

import pytest

from gateway.errors import InvalidParameter, NotFound
from sdc.errors import SdcUnavailable
from tests.unit.translators.containers.test_create import create
from translators.containers.autoremove import AutoRemove
from translators.containers.removal import is_due
from translators.containers.vmfeed import feed_of
from translators.containers.wait import CONDITIONS, Life, wait
from translators.jobs import Jobs

RAN = {
    "state": "stopped",
    "exit_status": 3,
    "exit_timestamp": "2026-11-23T10:00:05.000Z",
    "boot_timestamp": "2026-11-23T10:00:00.000Z",
}
RUNNING = {"state": "running", "boot_timestamp": "2026-11-23T10:00:00.000Z"}
CREATED = {"state": "stopped"}
AGAIN = {**RAN, "exit_status": 4, "exit_timestamp": "2026-11-23T11:00:05.000Z"}
RUNNING_AGAIN = {**RAN, "state": "running"}
RESTARTED = {
    **RUNNING,
    "internal_metadata": {"docker:restartcount": 1, "docker:lastend": '{"exit_status": 5}'},
}
WAITS = {**RAN, "zone_state": "ready"}
"""To be started again by its restart policy."""
GONE = {"state": "destroyed"}


def told(condition, *news):
    """The code that a waiter of a condition gets who sees these states, and how many of them it saw; None: waits on."""
    first, *rest = ({"uuid": "v", **vm} if vm is not GONE else GONE for vm in news)
    life = Life(first)
    for count, vm in enumerate([first, *rest], 1):
        life.see(vm)
        if CONDITIONS[condition](life):
            return life.code(), count
    return None


@pytest.mark.parametrize(("condition", "news", "code"), [
    ("not-running", [CREATED], (0, 1)),
    ("not-running", [RAN], (3, 1)),
    ("not-running", [RUNNING, RAN], (3, 2)),
    ("not-running", [RUNNING, RUNNING, GONE], (137, 3)),
    ("not-running", [RUNNING_AGAIN, AGAIN], (4, 2)),
    ("not-running", [RUNNING, CREATED], (None, 2)),  # the code is late
    ("not-running", [RUNNING_AGAIN, RAN], (None, 2)),  # what it says is about the run before
    ("not-running", [RUNNING, WAITS], (3, 2)),  # a restart policy is no reason to wait on
    ("not-running", [RUNNING_AGAIN, RESTARTED], (5, 2)),  # it was quick
    ("not-running", [WAITS, WAITS], None),
    ("next-exit", [RUNNING, RESTARTED], (5, 2)),
    ("next-exit", [CREATED], None),
    ("next-exit", [RAN], None),
    ("next-exit", [CREATED, RUNNING, RAN], (3, 3)),
    ("next-exit", [CREATED, RAN], (3, 2)),  # so short that nobody saw it run
    ("next-exit", [RAN, AGAIN], (4, 2)),
    ("next-exit", [RUNNING, {**RUNNING_AGAIN, "internal_metadata": {"docker:restartcount": 1}}], (None, 2)),
    ("next-exit", [CREATED, GONE], (0, 2)),
    ("removed", [RUNNING, RAN], None),
    ("removed", [CREATED, RUNNING, RAN, GONE], (3, 4)),
    ("removed", [CREATED, RUNNING, {**RAN, "state": "destroyed"}], (3, 3)),
    ("removed", [RUNNING, GONE], (137, 2)),
    ("removed", [CREATED, GONE], (0, 2)),
])  # fmt: skip
def test_conditions(condition, news, code):
    assert told(condition, *news) == code


def test_bad_condition_and_no_such_container(world):
    create(world, "web")
    with pytest.raises(InvalidParameter, match='invalid condition: "soon"'):
        wait(world.call("container.wait", condition="soon"), "web")
    with pytest.raises(NotFound, match="No such container: ghost"):
        wait(world.call("container.wait"), "ghost")


def test_the_watch_begins_before_the_head_goes_out(world):
    create(world, "web")
    feed = feed_of(world.vmapi)
    replies = wait(world.call("container.wait", condition="next-exit"), "web")
    uuid = world.vm("web")["uuid"]
    assert uuid in feed._watches
    world.vm("web").update(RUNNING)
    feed._dispatch({"changedResourceId": uuid, "resourceObject": dict(world.vm("web"))})
    world.vm("web").update(RAN)
    assert list(replies) == [{"StatusCode": 3}]
    assert uuid not in feed._watches


def test_the_end_is_told_to_every_worker_before_the_waiter_is_answered(world):
    create(world, "web")
    call = world.call("container.wait", condition="next-exit")
    replies = wait(call, "web")
    world.vm("web").update(RAN)
    feed_of(world.vmapi)._dispatch({"changedResourceId": world.vm("web")["uuid"], "resourceObject": world.vm("web")})
    next(replies)
    told = [event.what.action for event in call.state.events.read(call.owner.uuid, after=0)]
    assert told[-1] == "die"


def test_news_hurry_the_pollers_of_a_vm_but_not_that_it_is_being_made(world, monkeypatch):
    hurried = []
    monkeypatch.setattr(Jobs, "wake", lambda _, vm_uuid: hurried.append(vm_uuid))
    for state in ("provisioning", "stopped", "destroyed"):
        feed_of(world.vmapi)._dispatch({"changedResourceId": state, "resourceObject": {"state": state}})
    assert hurried == ["stopped", "destroyed"]


def test_a_late_code_is_asked_of_the_node_itself(world):
    create(world, "web")
    vm = world.vm("web") | RUNNING
    world.vmapi.vms[vm["uuid"]] = vm
    asked = []
    plain = world.vmapi.get_vm

    def get_vm(uuid, owner_uuid=None, *, sync=False):
        asked.append(sync)
        if len(asked) == 2:
            raise SdcUnavailable("vmapi", 503, "ServiceUnavailable", "a hiccup")
        vm["state"] = "stopped"
        if sync:
            vm.update(RAN)
        return plain(uuid)

    world.vmapi.get_vm = get_vm
    assert list(wait(world.call("container.wait"), "web")) == [{"StatusCode": 3}]
    assert asked == [False, True, True]


def test_autoremove_removes_what_ended_and_nothing_else(world, tmp_path):
    for name, remove in (("ended", True), ("kept", False), ("fresh", True), ("busy", True)):
        create(world, name, HostConfig={"AutoRemove": remove})
    for name in ("ended", "kept"):
        world.vm(name).update(RAN)
    world.vm("busy").update(RUNNING)
    reaper = AutoRemove(world.services, world.state, world.config, tmp_path)
    reaper.reconcile()
    reaper._heard(dict(world.vm("busy")))
    world.vm("busy").update(RAN)
    reaper._heard(dict(world.vm("busy")))
    while reaper._busy:
        threading.Event().wait(0.005)
    assert sorted(vm["alias"] for vm in world.vmapi.vms.values() if vm["state"] != "destroyed") == ["fresh", "kept"]


def test_due_is_what_ran_and_was_to_go():
    wanted = {"internal_metadata": {"docker:autoremove": True}}
    assert is_due(RAN | wanted)
    assert not is_due(RAN)
    assert not is_due(CREATED | wanted)
    assert not is_due(RUNNING | wanted)

"""Who tells what: calls, the feed in another worker, listings; each turn once and in order."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from gateway.errors import DeadlineExceeded, InvalidParameter
from gateway.state import State
from sdc.errors import SdcError
from tests.unit.translators.containers.conftest import ALICE, BOB, EXTERNAL, FABRIC
from tests.unit.translators.containers.test_create import create
from translators.containers import lifecycle, removal
from translators.events import recorder
from translators.events.recorder import ending, observe, restarting, starting, tell, tell_prune
from translators.events.watcher import Watcher

BOOT, EXIT = "2026-11-23T10:00:00.000Z", "2026-11-23T10:00:05.000Z"
LATER_BOOT, LATER_EXIT = "2026-11-23T11:00:00.000Z", "2026-11-23T11:00:05.000Z"


@pytest.fixture(autouse=True)
def _no_feed_to_wait_for(monkeypatch):
    monkeypatch.setattr(recorder, "FEED_TRIES", 1)


@pytest.fixture
def watcher(world, tmp_path):
    """The leader of another worker, with records of its own on the same file."""
    return Watcher(world.services, State(tmp_path), world.config, tmp_path)


def told(world, owner=ALICE, kinds=("container",)):
    def shown(what):
        return " ".join([what.action, *(what.attributes[k] for k in ("signal", "exitCode") if k in what.attributes)])

    events = world.state.events.read(owner, after=0)
    return [shown(event.what) for event in events if event.what.type in kinds]


def last(world):
    return world.state.events.read(ALICE, after=0)[-1].what


def test_create_tells_labels_image_and_name(world):
    create(world, "web", Labels={"tier": "front"})
    what = last(world)
    assert (what.type, what.action) == ("container", "create")
    assert what.actor_id == world.vm("web")["internal_metadata"]["docker:id"]
    assert what.attributes == {
        "tier": "front",
        "image": "busybox",
        "name": "web",
        "com.joyent.package": "sample-128M",
    }
    assert told(world, BOB) == []


def test_a_life_in_calls_alone(world):
    create(world, "web")
    lifecycle.start(world.call("container.start"), "web")
    lifecycle.kill(world.call("container.kill", signal="HUP"), "web")
    lifecycle.stop(world.call("container.stop", t=3), "web")
    lifecycle.start(world.call("container.start"), "web")
    lifecycle.rename(world.call("container.rename", name="db"), "web")
    assert last(world).attributes["oldName"] == "/web"
    removal.remove(world.call("container.remove", force=1), "db")
    life = ["start", "kill 1", "kill 15", "stop", "die 137", "start", "rename", "kill 9", "die 137", "destroy"]
    assert told(world) == ["create", *life]


def test_networks_are_joined_before_the_start_and_left_before_the_end(world):
    create(world, "web", ExposedPorts={"80/tcp": {}}, HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "80"}]}})
    lifecycle.start(world.call("container.start"), "web")
    world.vm("web").update(state="stopped", exit_status=0, exit_timestamp="2126-11-23T10:00:00.000Z")
    observe(world.call(), world.vm("web"))
    story = told(world, kinds=("container", "network"))
    assert story == ["create", "connect", "connect", "start", "disconnect", "disconnect", "die 0"]
    joined = [event.what for event in world.state.events.read(ALICE, after=0) if event.what.type == "network"]
    assert {what.attributes["name"] for what in joined} == {"bridge", "external"}
    assert {what.attributes["container"] for what in joined} == {world.vm("web")["internal_metadata"]["docker:id"]}
    assert {nic["network_uuid"] for nic in world.vm("web")["nics"]} == {FABRIC, EXTERNAL}


def test_the_feed_and_the_call_tell_one_start(world, watcher):
    create(world, "web")
    call, vm = world.call(), world.vm("web")
    with starting(call, vm):
        watcher.observe({**vm, "state": "running", "boot_timestamp": BOOT})
    watcher.observe({**vm, "state": "running", "boot_timestamp": BOOT})
    assert told(world) == ["create", "start"]


def test_the_call_may_be_faster_than_the_feed(world, watcher):
    create(world, "web")
    vm = world.vm("web")
    with starting(world.call(), vm):
        pass
    running = {**vm, "state": "running", "boot_timestamp": BOOT}
    ended = {**running, "state": "stopped", "exit_timestamp": EXIT, "exit_status": 4}
    for seen in (running, ended, running, ended, {**ended, "state": "destroyed"}, ended):
        watcher.observe(seen)
    assert told(world) == ["create", "start", "die 4", "destroy"]


def test_what_a_call_announces_comes_before_the_end_that_the_feed_sees(world, watcher):
    create(world, "web")
    vm = {**world.vm("web"), "state": "running", "boot_timestamp": BOOT}
    call = world.call()
    observe(call, vm)
    stop = [("kill", {"signal": "15"}, None), ("kill", {"signal": "9"}, 0.0), ("stop", {}, None)]
    ended = {**vm, "state": "stopped", "exit_timestamp": EXIT, "exit_status": 137}
    with restarting(call, vm), ending(call, vm, *stop) as told_so_far:
        watcher.observe(ended)  # even before the call knows that its job was accepted
        told_so_far.sent()
        watcher.observe({**ended, "state": "running", "boot_timestamp": LATER_BOOT})
    assert told(world) == ["create", "start", "kill 15", "kill 9", "stop", "die 137", "start", "restart"]


def test_what_was_refused_is_not_told(world):
    create(world, "web")
    call, vm = world.call(), world.vm("web")
    with pytest.raises(InvalidParameter), ending(call, vm, ("kill", {"signal": "15"}, None)):
        raise InvalidParameter("no")
    observe(call, {**vm, "state": "running", "boot_timestamp": BOOT})
    observe(call, {**vm, "state": "stopped", "boot_timestamp": BOOT, "exit_timestamp": EXIT, "exit_status": 0})
    assert told(world) == ["create", "start", "die 0"]


def test_what_takes_too_long_for_the_call_is_told_when_it_happens(world):
    create(world, "web")
    call, vm = world.call(), world.vm("web")
    observe(call, {**vm, "state": "running", "boot_timestamp": BOOT})
    with pytest.raises(DeadlineExceeded), ending(call, vm, ("kill", {"signal": "15"}, None), ("stop", {}, None)) as one:
        one.sent()
        raise DeadlineExceeded("late")
    assert told(world) == ["create", "start", "kill 15"]
    observe(call, {**vm, "state": "stopped", "boot_timestamp": BOOT, "exit_timestamp": EXIT, "exit_status": 0})
    assert told(world) == ["create", "start", "kill 15", "stop", "die 0"]


STOP = (("kill", {"signal": "15"}, None), ("kill", {"signal": "9"}, 5.0), ("stop", {}, None))


class Died(BaseException):
    """The worker, over a call."""


@pytest.fixture
def break_off(world, tmp_path, monkeypatch):
    """Break a stop off as its worker's death does: nobody takes back what it has announced."""

    def do(vm, *, sent):
        worker = State(tmp_path)
        call = dataclasses.replace(world.call(), state=worker)
        with monkeypatch.context() as patch, pytest.raises(Died):
            patch.setattr(recorder.Ending, "withdraw", lambda _: None)
            with ending(call, vm, *STOP) as told_so_far:
                if sent:
                    told_so_far.sent()
                raise Died
        worker.presence.close()

    return do


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("code", [0, 137])
def test_a_stop_that_is_asked_for_again_is_told_once(world, break_off, sent, code):
    create(world, "web")
    call, vm = world.call(), world.vm("web")
    observe(call, {**vm, "state": "running", "boot_timestamp": BOOT})
    break_off(vm, sent=sent)
    ended = {**vm, "state": "stopped", "boot_timestamp": BOOT, "exit_timestamp": EXIT, "exit_status": code}
    with ending(call, vm, *STOP) as again:
        again.sent()
        observe(call, ended)
    assert told(world) == ["create", "start", "kill 15", "stop", f"die {code}"]
    assert world.state.undertakings.left() == []


def test_another_stop_while_one_is_under_way_is_told_too(world, tmp_path):
    """As dockerd does, which sends the signal twice."""
    create(world, "web")
    vm = {**world.vm("web"), "state": "running", "boot_timestamp": BOOT}
    call, other = world.call(), dataclasses.replace(world.call(), state=State(tmp_path))
    observe(call, vm)
    with ending(call, vm, *STOP) as one, ending(other, vm, *STOP) as another:
        one.sent()
        another.sent()
    assert told(world).count("kill 15") == 2


def test_what_was_broken_off_is_not_taken_for_something_else(world, break_off):
    create(world, "web")
    call, vm = world.call(), {**world.vm("web"), "state": "running", "boot_timestamp": BOOT}
    observe(call, vm)
    break_off(vm, sent=False)
    with ending(call, vm, ("kill", {"signal": "9"}, None)) as kill:
        kill.sent()
    assert told(world)[-1] == "kill 9"
    assert len(world.state.undertakings.left()) == 1


def test_many_workers_tell_one_end(world, tmp_path):
    create(world, "web")
    vm = {**world.vm("web"), "state": "stopped", "boot_timestamp": BOOT, "exit_timestamp": EXIT, "exit_status": 0}
    watchers = [Watcher(world.services, State(tmp_path), world.config, tmp_path) for _ in range(6)]
    threads = [threading.Thread(target=one.observe, args=(vm,)) for one in watchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told(world) == ["create", "start", "die 0"]


def test_the_first_listing_of_all_is_no_news(world, watcher):
    create(world, "old")
    world.vm("old").update(state="running", boot_timestamp=BOOT)
    world.state.database.execute("DELETE FROM events")
    world.state.database.execute("DELETE FROM container_journal")
    watcher.reconcile()
    assert told(world) == []
    create(world, "new")
    world.vm("old").update(state="stopped", exit_timestamp=EXIT, exit_status=2)
    watcher.reconcile()
    assert sorted(told(world)) == ["create", "die 2"]


def test_a_listing_tells_what_went_unheard(world, watcher):
    watcher.reconcile()
    create(world, "web")
    create(world, "gone")
    world.vm("web").update(state="running", boot_timestamp=BOOT)
    world.vm("gone")["state"] = "destroyed"
    world.state.database.execute("DELETE FROM container_journal WHERE vm_uuid = ?", (world.vm("web")["uuid"],))
    world.state.database.execute("DELETE FROM events")
    watcher.reconcile()
    watcher.reconcile()
    assert told(world) == ["create", "start", "destroy"]  # made by others, started, and another one destroyed


def test_a_container_without_a_trace_is_forgotten(world, watcher):
    create(world, "web")
    world.vmapi.vms.clear()
    watcher.reconcile()
    assert world.state.journal.alive() == []


def test_a_late_exit_code_is_asked_of_the_node(world, watcher):
    create(world, "web")
    vm = world.vm("web")
    watcher.observe({**vm, "state": "running", "boot_timestamp": BOOT})
    vm.update(state="stopped", boot_timestamp=BOOT, exit_timestamp=EXIT, exit_status=9)
    watcher.observe({**vm, "exit_status": None, "exit_timestamp": None})
    assert told(world) == ["create", "start", "die 9"]


def test_a_network_that_cannot_be_named_goes_by_its_uuid(world, monkeypatch):
    create(world, "web")

    def away(self, owner_uuid, network_uuid):
        raise SdcError("napi", 500, "InternalError", "away")

    monkeypatch.setattr("translators.containers.networks.NetworkBook.name", away)
    observe(world.call(), {**world.vm("web"), "state": "running", "boot_timestamp": BOOT})
    events = [event.what for event in world.state.events.read(ALICE, after=0)]
    assert [what.attributes["name"] for what in events if what.type == "network"] == [FABRIC]


def test_other_words(world):
    create(world, "web")
    tell(world.call(), world.vm("web"), "exec_create: ls", execID="e1")
    assert last(world).action == "exec_create: ls"
    assert last(world).attributes["execID"] == "e1"


def test_prunes(world):
    tell_prune(world.call(), "image", 4096)
    assert (last(world).type, last(world).action, last(world).attributes) == ("image", "prune", {"reclaimed": "4096"})


def test_the_removal_of_an_ended_container_tells_its_end_first(world):
    create(world, "web")
    world.vm("web").update(state="stopped", boot_timestamp=BOOT, exit_timestamp=EXIT, exit_status=6)
    removal.remove(world.call("container.remove"), "web")
    assert told(world) == ["create", "start", "die 6", "destroy"]

"""The event log: order, one account's view, listeners of several workers, bounds."""

from __future__ import annotations

import time

import pytest

from gateway.state import State, event_log
from gateway.state.event_log import Happening

ALICE, BOB = "alice", "bob"


def happening(action, name="web"):
    return Happening(type="container", action=action, actor_id="c0ffee", attributes={"name": name})


def write(state, owner, *actions):
    with state.events.writing():
        for action in actions:
            state.events.append(owner, happening(action))


def actions(events):
    return [event.what.action for event in events]


@pytest.fixture
def state(tmp_path):
    return State(tmp_path)


def test_events_come_back_in_order_and_to_their_owner_only(state):
    write(state, ALICE, "create", "start")
    write(state, BOB, "create")
    write(state, ALICE, "die")
    assert actions(state.events.read(ALICE, after=0)) == ["create", "start", "die"]
    assert actions(state.events.read(BOB, after=0)) == ["create"]
    first, second, _ = state.events.read(ALICE, after=0)
    assert actions(state.events.read(ALICE, after=first.place)) == ["start", "die"]
    assert actions(state.events.read(ALICE, after=0, most=2)) == ["create", "start"]
    assert first.what == happening("create")
    assert first.moment < second.moment


def test_moments_grow_even_when_the_clock_goes_back(state, monkeypatch):
    write(state, ALICE, "create")
    (before,) = state.events.read(ALICE, after=0)
    monkeypatch.setattr(event_log.time, "time_ns", lambda: before.moment - 10**12)
    write(state, ALICE, "start")
    assert state.events.read(ALICE, after=before.place)[0].moment == before.moment + 1


def test_before_finds_where_a_window_begins(state):
    write(state, ALICE, "create", "start", "die")
    moments = [event.moment for event in state.events.read(ALICE, after=0)]
    assert state.events.before(ALICE, moments[0]) == 0
    assert actions(state.events.read(ALICE, after=state.events.before(ALICE, moments[1]))) == ["start", "die"]
    assert state.events.before(ALICE, moments[2] + 1) == state.events.head()


def test_a_broken_writing_leaves_nothing(state):
    with pytest.raises(RuntimeError), state.events.writing():
        state.events.append(ALICE, happening("create"))
        raise RuntimeError
    assert state.events.read(ALICE, after=0) == []


def test_it_outlives_the_process(tmp_path):
    write(State(tmp_path), ALICE, "create")
    assert actions(State(tmp_path).events.read(ALICE, after=0)) == ["create"]


def test_a_listener_is_woken_by_this_worker_and_by_others(tmp_path):
    here, elsewhere = State(tmp_path), State(tmp_path)
    with here.events.listening() as news, here.events.listening() as other:
        for writer in (here, elsewhere):
            news.clear()
            other.clear()
            time.sleep(2 * event_log.LOOK_SECONDS)
            news.clear()
            write(writer, ALICE, "create")
            assert news.wait(5)
            assert other.wait(5)
    assert len(here.events.read(ALICE, after=0)) == 2


def test_nobody_looks_out_when_nobody_listens(state):
    def looking():
        return state.events._looking

    assert not looking()
    with state.events.listening():
        assert looking()
    end = time.monotonic() + 5
    while looking() and time.monotonic() < end:
        time.sleep(0.01)
    assert not looking()
    with state.events.listening() as news:
        write(state, ALICE, "create")
        assert news.wait(5)


def test_only_so_many_of_an_account_are_kept_and_only_so_long(state, monkeypatch):
    monkeypatch.setattr(event_log, "KEPT_EVENTS", 10)
    write(state, BOB, "create")
    write(state, ALICE, *(f"exec_create: {n}" for n in range(200)))
    kept = actions(state.events.read(ALICE, after=0, most=1000))
    assert kept[-1] == "exec_create: 199"
    assert len(kept) < 10 + event_log._TIDY_EVERY
    assert actions(state.events.read(BOB, after=0)) == ["create"]
    monkeypatch.setattr(event_log, "KEPT_SECONDS", 0.0)
    write(state, ALICE, *("top" for _ in range(event_log._TIDY_EVERY)))
    assert state.events.read(BOB, after=0) == []


def test_long_events_are_fewer(state, monkeypatch):
    monkeypatch.setattr(event_log, "KEPT_CHARACTERS", 5000)
    write(state, BOB, "create")
    write(state, ALICE, *(f"exec_create: {n} {'x' * 1000}" for n in range(200)))
    kept = actions(state.events.read(ALICE, after=0, most=1000))
    assert kept[-1].startswith("exec_create: 199 ")
    assert len(kept) < 5 + event_log._TIDY_EVERY
    assert actions(state.events.read(BOB, after=0)) == ["create"]

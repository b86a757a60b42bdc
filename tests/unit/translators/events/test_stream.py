"""The stream: history and what comes after it, without gap or repetition; it ends when it was asked to."""

from __future__ import annotations

import threading
import time

import pytest

from gateway.blueprints.events import event_list
from gateway.errors import InvalidParameter
from gateway.state import State
from gateway.state.event_log import Happening
from tests.unit.translators.containers.conftest import ALICE, BOB
from translators.events.stream import listen


def write(state, *names, owner=ALICE):
    for name in names:
        with state.events.writing():
            state.events.append(owner, Happening(type="volume", action="create", actor_id=name, attributes={}))


def listening(world, **query):
    return listen(world.call("event.list", **query))


def names(items):
    return [item["Actor"]["ID"] for item in items]


def test_history_alone_ends(world):
    write(world.state, "a", "b")
    write(world.state, "x", owner=BOB)
    write(world.state, "c")
    until = f"{time.time():.9f}"
    write(world.state, "d")
    assert names(listening(world, since="0", until=until)) == ["a", "b", "c"]
    assert names(listening(world, until=until)) == ["a", "b", "c"]
    middle = world.state.events.read(ALICE, after=0)[1].moment
    assert names(listening(world, since=f"{middle // 10**9}.{middle % 10**9:09}", until=until)) == ["b", "c"]


def test_more_history_than_one_reading(world):
    with world.state.events.writing():
        for number in range(450):
            what = Happening(type="volume", action="create", actor_id=str(number), attributes={})
            world.state.events.append(ALICE, what)
    assert names(listening(world, since="0", until=f"{time.time():.9f}")) == [str(n) for n in range(450)]


def test_without_a_window_only_what_comes_from_the_call_on(world, tmp_path):
    write(world.state, "before")
    items = listening(world)
    write(world.state, "between")  # after the call, before anybody reads
    assert names([next(items)]) == ["between"]
    elsewhere = State(tmp_path)
    threading.Timer(0.05, write, (elsewhere, "elsewhere")).start()
    assert names([next(items)]) == ["elsewhere"]
    items.close()


def test_history_runs_into_what_comes(world):
    write(world.state, "old")
    items = listening(world, since="0")
    assert names([next(items)]) == ["old"]
    write(world.state, "new", "newer")
    assert names([next(items), next(items)]) == ["new", "newer"]
    items.close()


def test_until_in_the_future_ends_the_stream(world):
    items = listening(world, until=f"{time.time() + 0.3:.9f}", since="0")
    write(world.state, "a")
    assert names(items) == ["a"]
    assert not world.state.events._waiting


def test_a_listener_that_leaves_is_forgotten(world):
    items = listening(world, since="0")
    write(world.state, "a")
    next(items)
    assert len(world.state.events._waiting) == 1
    items.close()
    assert not world.state.events._waiting


def test_refusals_come_before_the_head(world):
    for query in ({"since": "x"}, {"since": "5", "until": "3"}, {"filters": '{"nope":["a"]}'}):
        with pytest.raises(InvalidParameter):
            event_list(world.call("event.list", **query))


def test_the_form_follows_accept(world):
    call = world.call("event.list")
    assert (event_list(call).content_type, event_list(call).start) == ("application/json", b"")
    call.headers = {"accept": "application/json-seq"}
    assert (event_list(call).content_type, event_list(call).start) == ("application/json-seq", b"\x1e")

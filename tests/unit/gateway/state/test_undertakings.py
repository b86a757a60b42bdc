"""What is begun is ended by its worker, or left: by choice, by failure, or by death."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.state import State
from gateway.state.undertakings import CREATE, EXEC, LAYER, REMOVE

DYING = """
import os, sys
from pathlib import Path
from gateway.state import State
state = State(Path(sys.argv[1]))
state.undertakings.begin("create", "vm", "alice")
print(state.presence.token(), flush=True)
sys.stdin.read()
os._exit(0)
"""


@pytest.fixture
def here(tmp_path):
    return State(tmp_path)


@pytest.fixture
def elsewhere(here, tmp_path):
    return State(tmp_path)


def left(state):
    return [(one.kind, one.subject, one.unwanted) for one in state.undertakings.left()]


def test_what_a_live_worker_is_at_is_nobody_elses_business(here, elsewhere):
    here.undertakings.begin(CREATE, "vm", "alice")
    assert left(elsewhere) == left(here) == []
    elsewhere.undertakings.end(CREATE, "vm")
    assert elsewhere.undertakings.is_under_way(CREATE, "vm")
    here.undertakings.end(CREATE, "vm")
    here.presence.close()
    assert left(elsewhere) == []


def test_what_a_killed_worker_was_at_is_left(tmp_path, here):
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", DYING, str(tmp_path)]
    worker = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with worker:
        token = worker.stdout.readline().decode().strip()
        assert here.presence.is_alive(token)
        assert left(here) == []
        worker.kill()
    assert left(here) == [(CREATE, "vm", False)]
    assert not here.presence.is_alive(token)
    (one,) = here.undertakings.left()
    assert one.owner_uuid == "alice"
    here.undertakings.settled(one)
    assert left(here) == []


def test_a_block_that_fails_leaves_what_it_was_at(here, elsewhere):
    with here.undertakings.under_way(REMOVE, "a", "alice"):
        pass
    with pytest.raises(KeyError), here.undertakings.under_way(REMOVE, "b", "alice"):
        raise KeyError("b")
    assert left(elsewhere) == [(REMOVE, "b", False)]


def test_what_was_left_as_unwanted_stays_so_whatever_its_worker_does_then(here, elsewhere):
    here.undertakings.begin(CREATE, "vm", "alice")
    here.undertakings.leave(CREATE, "vm", "alice", unwanted=True)
    here.undertakings.end(CREATE, "vm")
    assert left(elsewhere) == [(CREATE, "vm", True)]


def test_several_may_be_at_the_same_thing(here, elsewhere):
    for state in (here, elsewhere):
        state.undertakings.begin(LAYER, "image", "alice")
    here.presence.close()
    assert left(elsewhere) == [(LAYER, "image", False)]
    assert elsewhere.undertakings.is_under_way(LAYER, "image")


def test_whoever_sees_an_end_may_note_it(here, elsewhere):
    here.undertakings.begin(EXEC, "session", "alice")
    elsewhere.undertakings.end(EXEC, "session", whoever=True)
    here.presence.close()
    assert left(elsewhere) == []


def test_only_the_living_have_files(here, elsewhere, tmp_path):
    mine = here.presence.token()
    elsewhere.presence.token()
    elsewhere.presence.close()
    here.presence.bury()
    assert [path.name for path in (tmp_path / "workers").iterdir()] == [mine]


def test_only_what_was_left_is_taken_over(here, elsewhere):
    here.undertakings.begin(CREATE, "vm", "alice")
    assert not elsewhere.undertakings.take_over(CREATE, "vm")
    here.presence.close()
    assert elsewhere.undertakings.take_over(CREATE, "vm")
    elsewhere.undertakings.leave(CREATE, "vm", "alice")
    assert elsewhere.undertakings.take_over(CREATE, "vm")
    assert not elsewhere.undertakings.take_over(CREATE, "vm")
    elsewhere.undertakings.end(CREATE, "vm")
    assert left(elsewhere) == []
    assert not elsewhere.undertakings.take_over(CREATE, "vm")

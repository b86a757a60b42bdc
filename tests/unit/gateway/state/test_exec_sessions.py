from __future__ import annotations

import pytest

from gateway.state.database import Database
from gateway.state.exec_sessions import ExecSessions


@pytest.fixture
def sessions(tmp_path):
    return ExecSessions(Database(tmp_path / "db"))


def test_a_session_lives_from_create_to_end(sessions):
    made = sessions.create("owner", "vm", "c" * 64, {"Cmd": ["true"]})
    assert len(made.id) == 64
    assert sessions.get("owner", made.id) == made
    assert sessions.claim(made.id)
    assert sessions.of_vm("vm") == [made.id]
    sessions.end(made.id, 7)
    ended = sessions.get("owner", made.id)
    assert (ended.started, ended.running, ended.exit_code) == (True, False, 7)
    assert sessions.of_vm("vm") == []


def test_it_is_started_once(sessions):
    made = sessions.create("owner", "vm", "c", {})
    assert [sessions.claim(made.id), sessions.claim(made.id)] == [True, False]


def test_it_is_its_owner_s_alone(sessions):
    made = sessions.create("owner", "vm", "c", {})
    assert sessions.get("other", made.id) is None


def test_none_outlives_its_container(sessions):
    running, waiting, other = (sessions.create("owner", vm, "c", {}) for vm in ("vm", "vm", "vm2"))
    sessions.claim(running.id)
    sessions.forget("vm")
    assert [sessions.get("owner", made.id) for made in (running, waiting)] == [None, None]
    assert sessions.get("owner", other.id) == other

"""How containers ended, read from conmon's files."""

from __future__ import annotations

import pytest

from datacenter.node.exits import Exits

UUID = "96a6e2b0-6c51-4a7e-9d4f-0a2f5c1b7e11"


class Killed(BaseException):
    """The agent, in the middle of it."""


def test_a_code_outlives_an_agent_that_dies_over_it(tmp_path):
    def die(uuid, code):
        raise Killed

    (tmp_path / UUID).write_text("3")
    with pytest.raises(Killed):
        Exits(tmp_path, die).look()
    told = []
    Exits(tmp_path, lambda uuid, code: told.append((uuid, code))).look()
    assert told == [(UUID, 3)]
    assert list(tmp_path.iterdir()) == []


def test_what_is_still_being_written_is_left(tmp_path):
    (tmp_path / UUID).write_text("")
    (tmp_path / f"{UUID}.tmp").write_text("3")
    told = []
    Exits(tmp_path, lambda uuid, code: told.append(uuid)).look()
    assert told == []
    assert len(list(tmp_path.iterdir())) == 2

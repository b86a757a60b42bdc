from __future__ import annotations

from contextvars import ContextVar

import gevent
import pytest
from gevent.event import Event

from gateway.wire.spawn import Crew, spawn

request_id: ContextVar[str] = ContextVar("request_id")


def test_a_greenlet_sees_its_callers_context():
    request_id.set("r1")
    assert spawn(request_id.get).get() == "r1"


def test_what_a_greenlet_sets_stays_in_it():
    request_id.set("r1")
    spawn(request_id.set, "r2").join()
    assert request_id.get() == "r1"


def test_nobody_outlives_the_crew():
    ended = []

    def wait():
        try:
            Event().wait(60)
        finally:
            ended.append(True)

    with Crew() as crew:
        members = [crew.spawn(wait) for _ in range(3)]
        gevent.sleep(0)
    assert ended == [True] * 3
    assert all(member.dead for member in members)


def test_the_first_to_end_is_told():
    with Crew() as crew:
        crew.spawn(Event().wait, 60)
        quick = crew.spawn(int, "7")
        assert crew.wait_first() is quick


@pytest.mark.filterwarnings("ignore")
def test_a_members_error_is_the_crews(capsys):
    with pytest.raises(ValueError), Crew() as crew:
        crew.spawn(int, "x")
        crew.join()
    assert "ValueError" in capsys.readouterr().err

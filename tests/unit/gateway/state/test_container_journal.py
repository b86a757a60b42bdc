"""The journal: chapters, announcements that are taken once, and what is forgotten."""

from __future__ import annotations

import pytest

from gateway.state import State, container_journal
from gateway.state.container_journal import Announcement, Chapter
from gateway.state.event_log import Happening


def announcement(action, after=None):
    what = Happening(type="container", action=action, actor_id="c", attributes={})
    return Announcement(what=what, if_killed_after=after)


def taken(announcements):
    return [one.what.action for one in announcements]


@pytest.fixture
def journal(tmp_path):
    return State(tmp_path).journal


def test_chapters(journal, monkeypatch):
    assert journal.read("v") is None
    running = Chapter(owner_uuid="alice", runs=2, running=True, boot="2026-11-23T10:00:00.000Z", told_start=7)
    journal.write("v", running)
    journal.write("w", Chapter(owner_uuid="bob", gone=True))
    assert journal.read("v") == running
    assert journal.alive() == ["v"]
    assert journal.read("w").gone
    monkeypatch.setattr(container_journal, "_FORGOTTEN_SECONDS", -1.0)
    assert journal.alive() == ["v"]
    assert journal.read("w") is None


def test_it_begins_once_everything_was_listed(journal):
    assert not journal.begun()
    journal.begin()
    assert journal.begun()


def test_announcements_are_taken_once_by_the_end_or_by_the_call(journal):
    mine = journal.announce("v", [announcement("kill"), announcement("kill", 10.0), announcement("stop")])
    other = journal.announce("v", [announcement("kill")])
    journal.announce("w", [announcement("stop")])
    assert taken(journal.take("v", token=mine, most=1)) == ["kill"]
    assert journal.awaits_force(mine)
    assert not journal.awaits_force(other)
    assert [one.if_killed_after for one in journal.take("v")] == [10.0, None, None]
    assert journal.take("v", token=mine) == []
    assert not journal.awaits_force(mine)
    assert taken(journal.take("w")) == ["stop"]


def test_announcements_of_a_gateway_that_died_are_dropped(journal, monkeypatch):
    journal.announce("v", [announcement("stop")])
    monkeypatch.setattr(container_journal, "_STALE_SECONDS", -1.0)
    journal.announce("w", [])
    assert journal.take("v") == []

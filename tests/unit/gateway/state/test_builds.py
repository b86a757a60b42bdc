"""Builds by the ids that clients gave them: any worker finds them, and nobody else's."""

from __future__ import annotations

from gateway.state import State


def test_a_build_is_cancelled_from_another_worker(tmp_path):
    ours, others = State(tmp_path), State(tmp_path)
    ours.builds.begin("vm1", "alice", "mine")
    assert others.builds.cancel("bob", "mine") is None
    assert not ours.builds.is_cancelled("vm1")
    assert others.builds.cancel("alice", "mine") == "vm1"
    assert ours.builds.is_cancelled("vm1")
    ours.builds.end("vm1")
    assert others.builds.cancel("alice", "mine") is None
    assert not others.builds.is_cancelled("vm1")


def test_of_two_with_one_id_the_newer_is_meant(tmp_path):
    builds = State(tmp_path).builds
    builds.begin("vm1", "alice", "mine")
    builds.begin("vm0", "alice", "mine")
    assert builds.cancel("alice", "mine") == "vm0"
    assert not builds.is_cancelled("vm1")

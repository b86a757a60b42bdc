"""What a new agent makes of containers that end while it looks around."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from datacenter.node.adoption import adopt
from datacenter.node.lifecycle import Lifecycle
from datacenter.node.zone import Life, Zone

UUID = "6f0c7f3e-0000-4000-8000-000000000000"
NO_PROCESS = 2**22 + 1


@pytest.fixture
def zone(tmp_path):
    folder = tmp_path / "z"
    folder.mkdir()
    return Zone(folder, {"uuid": UUID, "internal_metadata": {}}, Life(state="running", conmon_pid=NO_PROCESS))


def node_with(zone, tmp_path, look):
    """A node whose exit files are taken by ``look``."""
    heard = []
    lifecycle = SimpleNamespace(
        let_go=lambda _: None, lost=lambda _: heard.append("lost"), watch=lambda _: None, clear_now=lambda _: None
    )
    home = SimpleNamespace(netns=tmp_path, layers=tmp_path)
    return SimpleNamespace(
        zones={zone.uuid: zone}, home=home, images=SimpleNamespace(discard_unfinished=lambda: None), lifecycle=lifecycle, look=look, heard=heard, empty_trash=lambda: None,
        runtime=SimpleNamespace(known=list, delete=lambda _: None), network=SimpleNamespace(remove_strays=lambda _: None),
    )  # fmt: skip


def test_an_end_between_two_looks_keeps_its_code(zone, tmp_path):
    node = node_with(zone, tmp_path, lambda: zone.change_life(state="stopped", exit_status=7))
    adopt(node)
    assert (node.heard, zone.exit_status) == ([], 7)


def test_a_conmon_that_died_without_a_word_is_lost(zone, tmp_path):
    node = node_with(zone, tmp_path, lambda: None)
    adopt(node)
    assert node.heard == ["lost"]


@pytest.mark.parametrize(("early", "told"), [({UUID: 3}, [3]), ({}, [])])
def test_a_start_that_nobody_finished_has_the_code_of_what_ran(zone, early, told):
    zone.change_life(state="starting")
    ended = []
    lifecycle = SimpleNamespace(
        _early=dict(early), ended=lambda _, code: ended.append(code), _clear_later=lambda _: None
    )
    Lifecycle.lost(lifecycle, zone)
    assert ended == told
    assert lifecycle._early == {}

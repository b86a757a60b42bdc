"""From where a new agent goes on with each zone, by what its record says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from datacenter.node.adoption import adopt
from datacenter.node.zone import Life, Zone

UUID = "6f0c7f3e-0000-4000-8000-000000000000"
MADE = "2026-11-27T10:00:00.000Z"


def node_with(zone, tmp_path, known):
    heard = []

    def hear(word):
        return lambda _: heard.append(word)

    lifecycle = SimpleNamespace(
        let_go=lambda _: None,
        carry_on=hear("carries on"),
        take_back=hear("takes back"),
        watch=hear("watches"),
        clear_now=hear("clears"),
    )
    return SimpleNamespace(
        zones={zone.uuid: zone},
        heard=heard,
        lifecycle=lifecycle,
        home=SimpleNamespace(netns=tmp_path, layers=tmp_path),
        images=SimpleNamespace(discard_unfinished=lambda: None),
        trash=SimpleNamespace(empty=lambda: None),
        runtime=SimpleNamespace(known=lambda: known, delete=lambda _: None),
        network=SimpleNamespace(remove_strays=lambda _: None),
    )


@pytest.mark.parametrize(
    ("life", "known", "left", "does"),
    [
        (Life(state="starting"), [], False, ["takes back"]),
        (Life(state="starting"), [UUID], True, ["takes back"]),
        (Life(state="starting", pid=7, made=MADE), [UUID], True, ["carries on"]),
        (Life(state="running", pid=7, made=MADE), [UUID], True, ["watches"]),
        (Life(exit_status=3), [UUID], False, ["clears"]),
        (Life(exit_status=3), [], True, ["clears"]),
        (Life(exit_status=3), [], False, []),
    ],
)
def test_a_new_agent_goes_on_from_the_record(tmp_path, life, known, left, does):
    zone = Zone(tmp_path, {"uuid": UUID, "internal_metadata": {}}, life)
    if left:
        zone.present_life.mkdir(parents=True)
    node = node_with(zone, tmp_path, known)
    adopt(node)
    assert node.heard == does

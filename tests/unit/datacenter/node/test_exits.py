"""How containers ended, read from what conmon left in the folder of each life."""

from __future__ import annotations

import os

import pytest

from datacenter.clock import epoch
from datacenter.node.exits import UNKNOWN_EXIT, end_of
from datacenter.node.zone import Life, Zone

UUID = "96a6e2b0-6c51-4a7e-9d4f-0a2f5c1b7e11"
BOOT = "2026-11-27T10:00:00.500Z"


@pytest.fixture
def zone(tmp_path):
    zone = Zone(tmp_path, {"uuid": UUID}, Life(state="running", number=2, boot_timestamp=BOOT))
    zone.present_life.mkdir(parents=True)
    return zone


@pytest.mark.parametrize(
    ("left", "moment"), [("2026-11-27T10:00:07.250Z", "2026-11-27T10:00:07.250Z"), ("2026-11-27T10:00:00.498Z", BOOT)]
)
def test_a_code_is_told_with_the_time_at_which_it_was_left(zone, left, moment):
    """That time is the kernel's last tick, which may lie before the start of what was quick."""
    file = zone.present_life / UUID
    file.write_text("3")
    os.utime(file, (epoch(left), epoch(left)))
    assert end_of(zone) == (3, moment)


@pytest.mark.parametrize("text", ["", "-1"])
def test_what_conmon_did_not_know_is_no_code(zone, text):
    (zone.present_life / UUID).write_text(text)
    assert end_of(zone).code == UNKNOWN_EXIT


def test_no_life_has_the_code_of_another(zone):
    for number in (1, 3):
        (zone.lives / str(number)).mkdir()
        (zone.lives / str(number) / UUID).write_text("7")
    (zone.present_life / f"{UUID}.A1B2C3").write_text("7")
    assert end_of(zone).code == UNKNOWN_EXIT

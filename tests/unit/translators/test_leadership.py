"""What one worker does for all: it waits for the lock, and a fault does not end it."""

from __future__ import annotations

import threading

from structlog.testing import capture_logs

from translators import leadership
from translators.leadership import lead, leading


def test_work_that_breaks_is_taken_up_again(tmp_path, monkeypatch):
    monkeypatch.setattr(leadership, "AGAIN_SECONDS", 0.0)
    tries, done = [], threading.Event()

    def work():
        tries.append(1)
        if len(tries) == 1:
            raise KeyError("odd")
        done.set()

    with capture_logs() as logs:
        lead("work", tmp_path / "lock", work)
        assert done.wait(10)
    assert [line["work"] for line in logs] == ["work"]


def test_only_one_leads(tmp_path, monkeypatch):
    monkeypatch.setattr(leadership, "LOCK_SECONDS", 0.01)
    led = threading.Event()
    with leading(tmp_path / "lock"):
        lead("work", tmp_path / "lock", led.set)
        assert not led.wait(0.1)
    assert led.wait(10)

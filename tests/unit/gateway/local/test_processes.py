from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from gateway.local.processes import Process

MARK = "a-process-that-sleeps"


def until(check):
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def process(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(600)", MARK]
    process = Process(name="sleeper", command=command, folder=tmp_path, patience=5)
    yield process
    process.stop()


def test_it_is_started_once_and_stopped_whole(process):
    assert process.start()
    until(process.pid)
    assert not process.start()
    pid = process.pid()
    process.stop()
    assert process.pid() is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_is_started_again_when_it_is_killed(process):
    process.start()
    until(process.pid)
    first = process.pid()
    os.kill(first, signal.SIGKILL)
    until(lambda: process.pid() not in (None, first))


def test_it_is_kept_again_when_its_keeper_was_killed(process):
    process.start()
    until(process.pid)
    first = process.pid()
    os.kill(int(process.keeper_file.read_text()), signal.SIGKILL)
    time.sleep(0.1)
    assert process.start()
    until(lambda: process.pid() not in (None, first))


def test_a_pid_of_somebody_else_is_not_touched(process):
    process.pid_file.parent.mkdir(parents=True)
    process.pid_file.write_text(str(os.getpid()))
    assert process.pid() is None

from __future__ import annotations

import math

import pytest

from datacenter.simulation import programs


@pytest.mark.parametrize(
    ("command", "seconds", "code"),
    [
        ([], math.inf, 0),
        (["nginx", "-g"], math.inf, 0),
        (["true"], 0, 0),
        (["/bin/false"], 0, 1),
        (["sleep", "30"], 30, 0),
        (["sleep", "0.5"], 0.5, 0),
        (["/bin/sleep", "2m"], 120, 0),
        (["sleep", "1d"], 86400, 0),
        (["sleep", "infinity"], math.inf, 0),
        (["sleep", "long"], 0, 1),
        (["sleep", "-1"], 0, 1),
        (["sleep"], math.inf, 0),
    ],
)
def test_course(command, seconds, code):
    assert programs.course(command) == (seconds, code)


@pytest.mark.parametrize(
    ("signal", "code"), [("SIGTERM", 143), ("kill", 137), (9, 137), ("15", 143), ("SIGUSR1", None), (28, None)]
)
def test_exit_code(signal, code):
    assert programs.exit_code(signal) == code


def test_words_are_entrypoint_then_command():
    metadata = {"docker:entrypoint": '["sleep"]', "docker:cmd": '["5"]'}
    assert programs.words(metadata) == ["sleep", "5"]
    assert programs.words({"docker:cmd": "nonsense"}) == []
    assert programs.words({}) == []

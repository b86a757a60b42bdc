"""A node's layers: fetched from IMGAPI once, however many VMs ask for them at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def ask(folder: Path, *, broken: int = 0, cut: int = 0, tops: int = 0, bases: int = 0) -> dict:
    """Have so many ask at once for an image and for its base; what came of it."""
    module = "tests.unit.datacenter.node.ask_for_layers"
    program = [sys.executable, "-m", "gevent.monkey", "--module", module, str(folder)]
    done = subprocess.run(
        [*program, *map(str, (broken, cut, tops, bases))], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize(("tops", "bases"), [(8, 0), (3, 3)])
def test_many_who_ask_at_once_have_it_fetched_once(tmp_path: Path, tops: int, bases: int) -> None:
    told = ask(tmp_path, tops=tops, bases=bases)
    assert (told["failed"], told["chains"]) == ([], 1)
    assert told["sent"] == told["sent later"] == [1, 1]
    assert (told["content"], told["left"]) == (["top", "base"], [])


def test_a_failed_fetch_is_the_failure_of_who_began_it(tmp_path: Path) -> None:
    """The next one in the queue tries again, and nothing half-unpacked is taken for a layer."""
    told = ask(tmp_path, broken=1, bases=3)
    assert told["failed"] == ["TaskError"]
    assert told["sent"] == [2]
    assert (told["content"], told["left"]) == (["top", "base"], [])


def test_an_answer_that_breaks_off_is_asked_for_again_by_the_same(tmp_path: Path) -> None:
    """The services may be starting again: nobody's container is refused for that."""
    told = ask(tmp_path, cut=2, bases=1)
    assert told["failed"] == []
    assert told["sent"] == [3]
    assert (told["content"], told["left"]) == (["top", "base"], [])

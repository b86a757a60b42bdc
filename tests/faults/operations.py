"""The operations that are broken off at every point of theirs, and what must be true however they went."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.e2e.conftest import Docker
from tests.faults.conftest import Faulty
from tests.faults.points import Point

Done = subprocess.CompletedProcess
NODE_REFUSES = Point("node", "task machine_create |>")

CREATE = (
    "-p",
    "80",
    "-v",
    "/data",
    "--link",
    "target:t",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 0' TERM; sleep 600 & wait",
)


STORIES = {
    "created": "create",
    "running": "create start( die start)?",
    "exited": "create( start)? die",  # a process that could not be started has ended, too
    "gone": "create start die destroy",
}
"""The turns of a container's life that the event log tells, each once and in order, by its state."""
NO_STORY = {**STORIES, "gone": ""}
"""A container that came to nothing is told neither as made nor as lost."""
TELLING = 15.0
"""Seconds in which everything must have been told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """``prepare`` makes what the operation needs. The states are those that are no lie: once the client was told that
    it is done, or that it was refused, or when the connection ended before it was told anything.
    """

    name: str
    prepare: Callable[[Docker, str], None]
    act: Callable[[Faulty, str], Done]
    done: str
    refused: str
    silent: str
    stories: Mapping[str, str] = field(default_factory=STORIES.copy)
    succeeds: bool = True
    """When it is left alone; broken off in time, one that fails may be repeated and succeed."""
    more: Callable[[Docker, str, Done], str] = lambda *_: ""  # noqa: E731
    """What else is a lie."""
    leaves: Callable[[Docker, str], object] = lambda docker, name: docker("rm", "-f", name)  # noqa: E731
    """Removes what there is afterwards."""

    def truth(self, docker: Docker, name: str, done: Done) -> str:
        """Say what of an outcome is a lie, "" when nothing is."""
        state = _state(docker, name)
        allowed = self.done if done.returncode == 0 else self.refused if is_refusal(done) else self.silent
        if state not in allowed.split():
            return f"it is {state}"
        return _false_story(docker, name, self.stories[state]) or self.more(docker, name, done)


def is_refusal(done: Done) -> bool:
    """Whether the client was told that it was not done; else it may have been told nothing."""
    return done.returncode != 0 and b"Error response from daemon" in done.stderr


def _state(docker: Docker, name: str) -> str:
    """The container's state, ``gone`` when there is none."""
    done = docker("inspect", "-f", "{{.State.Status}}", name)
    if done.returncode == 0:
        return done.stdout.decode().strip()
    return "gone" if b"No such object" in done.stderr else f"unknown: {done.stderr.decode()}"


def _false_story(docker: Docker, name: str, expected: str) -> str:
    """What was told of a container, unless it is as expected."""
    asked = ("events", "--since", "10m", "--until", "0s", "--filter", "type=container", "--filter", f"container={name}")
    end = time.monotonic() + TELLING
    while True:
        told = docker.ok(*asked, "--format", "{{.Action}}").split("\n")
        turns = " ".join(one for one in told if one in {"create", "start", "die", "destroy"})
        if re.fullmatch(expected, turns):
            return ""
        if time.monotonic() > end:
            return f"it was told: {turns}"
        time.sleep(0.2)


def _nothing(_: Docker, __: str) -> None:
    """There is nothing to prepare."""


def _created(docker: Docker, name: str) -> None:
    docker.ok("create", "--name", name, *CREATE)


def _running(docker: Docker, name: str) -> None:
    docker.ok("run", "-d", "--name", name, *CREATE)


def _used(docker: Docker, name: str) -> None:
    _running(docker, name)
    docker.ok("exec", name, "true")


def _renamed(docker: Docker, name: str, done: Done) -> str:
    """It must have one of its names, and the new one when the client was told so."""
    states = [_state(docker, name), _state(docker, f"{name}-renamed")]
    fine = states == ["gone", "created"] or (done.returncode != 0 and states == ["created", "gone"])
    return "" if fine else f"they are {states}"


def _committed(docker: Docker, name: str, done: Done) -> str:
    if done.returncode != 0:
        return ""
    made = docker("run", "--rm", f"faults/{name}", "cat", "/written")
    return "" if made.stdout.strip() == name.encode() else f"it holds {made.stdout!r} {made.stderr!r}"


def _written(docker: Docker, name: str) -> None:
    _running(docker, name)
    docker.ok("exec", name, "sh", "-c", f"echo {name} > /written")


def _plain(*words: str) -> Callable[[Faulty, str], Done]:
    return lambda faulty, name: faulty.docker(*(word.replace("NAME", name) for word in words))


def _failing(faulty: Faulty, name: str) -> Done:
    """Make a container that its node refuses."""
    with faulty.points.failing_at(NODE_REFUSES):
        return faulty.docker("create", "--name", name, *CREATE)


OPERATIONS = (
    Operation(
        name="create",
        prepare=_nothing,
        act=_plain("create", "--name", "NAME", *CREATE),
        done="created",
        refused="gone",
        silent="created gone",
        stories=NO_STORY,
    ),
    Operation(
        name="failing create",
        prepare=_nothing,
        act=_failing,
        done="created",
        refused="gone",
        silent="created gone",
        stories=NO_STORY,
        succeeds=False,
    ),
    Operation(
        name="start",
        prepare=_created,
        act=_plain("start", "NAME"),
        done="running",
        refused="created exited",
        silent="created running",
    ),
    Operation(
        name="stop",
        prepare=_running,
        act=_plain("stop", "-t", "5", "NAME"),
        done="exited",
        refused="running exited",
        silent="running exited",
    ),
    Operation(
        name="remove",
        prepare=_used,
        act=_plain("rm", "-f", "NAME"),
        done="gone",
        refused="gone running exited",
        silent="gone running exited",
    ),
)
MORE = (
    Operation(
        name="restart",
        prepare=_running,
        act=_plain("restart", "-t", "5", "NAME"),
        done="running",
        refused="running exited",
        silent="running exited",
    ),
    Operation(
        name="rename",
        prepare=_created,
        act=_plain("rename", "NAME", "NAME-renamed"),
        done="gone",
        refused="created",
        silent="created gone",
        stories={"created": ".*", "gone": ".*"},
        more=_renamed,
        leaves=lambda docker, name: docker("rm", "-f", name, f"{name}-renamed"),
    ),
    Operation(
        name="commit",
        prepare=_written,
        act=_plain("commit", "NAME", "faults/NAME"),
        done="running",
        refused="running",
        silent="running",
        more=_committed,
        leaves=lambda docker, name: (docker("rm", "-f", name), docker("rmi", "-f", f"faults/{name}")),
    ),
)
"""Not in every run of the tests."""

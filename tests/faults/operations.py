"""The operations that are broken off at every point of theirs, and what must be true however they went."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Operation:
    """``prepare`` makes what the operation needs; ``truth`` says what of its outcome is a lie, "" when nothing is."""

    name: str
    prepare: Callable[[Docker, str], None]
    act: Callable[[Faulty, str], Done]
    truth: Callable[[Docker, str, Done], str]
    succeeds: bool = True
    """When it is left alone; broken off in time, one that fails may be repeated and succeed."""
    leaves: Callable[[Docker, str], object] = lambda docker, name: docker("rm", "-f", name)  # noqa: E731
    """Removes what there is afterwards."""


def _nothing(_: Docker, __: str) -> None:
    """There is nothing to prepare."""


def _created(docker: Docker, name: str) -> None:
    docker.ok("create", "--name", name, *CREATE)


def _running(docker: Docker, name: str) -> None:
    docker.ok("run", "-d", "--name", name, *CREATE)


def _used(docker: Docker, name: str) -> None:
    _running(docker, name)
    docker.ok("exec", name, "true")


def refused(done: Done) -> bool:
    """Whether the client was told that it was not done; else it may have been told nothing."""
    return done.returncode != 0 and b"Error response from daemon" in done.stderr


def _state(docker: Docker, name: str) -> str:
    """The container's state, ``gone`` when there is none."""
    done = docker("inspect", "-f", "{{.State.Status}}", name)
    if done.returncode == 0:
        return done.stdout.decode().strip()
    return "gone" if b"No such object" in done.stderr else f"unknown: {done.stderr.decode()}"


def _create_truth(docker: Docker, name: str, done: Done) -> str:
    state = _state(docker, done.stdout.decode().strip() if done.returncode == 0 else name)
    allowed = {"created"} if done.returncode == 0 else {"gone"} if refused(done) else {"created", "gone"}
    return "" if state in allowed else f"it is {state}"


def _start_truth(docker: Docker, name: str, done: Done) -> str:
    state = _state(docker, name)
    allowed = (
        {"running"} if done.returncode == 0 else {"created", "exited"} if refused(done) else {"created", "running"}
    )
    return "" if state in allowed else f"it is {state}"


def _stop_truth(docker: Docker, name: str, done: Done) -> str:
    state = _state(docker, name)
    return "" if state in ({"exited"} if done.returncode == 0 else {"running", "exited"}) else f"it is {state}"


def _remove_truth(docker: Docker, name: str, done: Done) -> str:
    state = _state(docker, name)
    return "" if state in ({"gone"} if done.returncode == 0 else {"gone", "running", "exited"}) else f"it is {state}"


def _restart_truth(docker: Docker, name: str, done: Done) -> str:
    state = _state(docker, name)
    return "" if state == "running" or (done.returncode != 0 and state == "exited") else f"it is {state}"


def _rename_truth(docker: Docker, name: str, done: Done) -> str:
    states = _state(docker, name), _state(docker, f"{name}-renamed")
    allowed = {("gone", "created")} if done.returncode == 0 else {("gone", "created"), ("created", "gone")}
    return "" if states in allowed else f"they are {states}"


def _commit_truth(docker: Docker, name: str, done: Done) -> str:
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
    Operation("create", _nothing, _plain("create", "--name", "NAME", *CREATE), _create_truth),
    Operation("failing create", _nothing, _failing, _create_truth, succeeds=False),
    Operation("start", _created, _plain("start", "NAME"), _start_truth),
    Operation("stop", _running, _plain("stop", "-t", "5", "NAME"), _stop_truth),
    Operation("remove", _used, _plain("rm", "-f", "NAME"), _remove_truth),
)

MORE = (
    Operation("restart", _running, _plain("restart", "-t", "5", "NAME"), _restart_truth),
    Operation(
        "rename",
        _created,
        _plain("rename", "NAME", "NAME-renamed"),
        _rename_truth,
        leaves=lambda docker, name: docker("rm", "-f", name, f"{name}-renamed"),
    ),
    Operation(
        "commit",
        _written,
        _plain("commit", "NAME", "faults/NAME"),
        _commit_truth,
        leaves=lambda docker, name: (docker("rm", "-f", name), docker("rmi", "-f", f"faults/{name}")),
    ),
)
"""Not in every run of the tests."""

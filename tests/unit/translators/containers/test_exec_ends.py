"""How an exec ended, found out afterwards."""

from __future__ import annotations

import pytest

from sdc.errors import SdcError
from tests.unit.translators.containers.conftest import ALICE
from tests.unit.translators.containers.test_create import create
from translators.containers import exec_ends


@pytest.fixture
def session(world):
    create(world, "web")
    vm = world.vm("web")
    world.vmapi.vms[vm["uuid"]]["state"] = "running"
    session = world.state.exec_sessions.create(ALICE, vm["uuid"], "c", {})
    world.state.exec_sessions.claim(session.id)
    return world.state.exec_sessions.get(ALICE, session.id)


def answering(world, answer):
    def docker_exec(*_):
        if isinstance(answer, SdcError):
            raise answer
        return answer

    world.services.cnapi.docker_exec = docker_exec


def told(world):
    events = world.state.events.read(ALICE, after=0)
    return [one.what.attributes["exitCode"] for one in events if one.what.action == "exec_die"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"Running": True, "ExitCode": None, "Pid": 7}, None),
        ({"Running": False, "ExitCode": 3}, 3),
        (SdcError("cnapi", 404, "ResourceNotFound", "no exec"), exec_ends.UNKNOWN_CODE),
    ],
)
def test_the_node_is_asked(world, session, answer, code):
    answering(world, answer)
    found = exec_ends.look(world.call("exec.inspect"), session)
    assert (found["Running"], found.get("ExitCode")) == (code is None, code)
    after = world.state.exec_sessions.get(ALICE, session.id)
    assert (after.running, after.exit_code) == (code is None, code)
    assert told(world) == ([] if code is None else [str(code)])


def test_a_node_that_cannot_answer_says_nothing_of_the_exec(world, session):
    answering(world, SdcError("cnapi", 500, "InternalError", "away"))
    with pytest.raises(SdcError):
        exec_ends.look(world.call("exec.inspect"), session)
    assert world.state.exec_sessions.get(ALICE, session.id).running

"""Every operation in every state: done, 304, 404 or 409, in Docker's words."""

from __future__ import annotations

import json

import pytest

from gateway.errors import (
    Conflict,
    DockerError,
    InternalError,
    InvalidParameter,
    NotFound,
    NotImplementedHere,
    NotModified,
)
from tests.unit.translators.containers.conftest import BOB, LINUX
from tests.unit.translators.containers.test_create import create
from translators.containers import execs, lifecycle, pause, removal, top, update
from translators.containers.model import HostConfig, RestartPolicy

STATES = {
    "created": {"state": "stopped"},
    "running": {"state": "running", "boot_timestamp": "2026-11-23T10:00:00.000Z"},
    "exited": {"state": "stopped", "exit_status": 3, "exit_timestamp": "2026-11-23T10:00:05.000Z"},
    "provisioning": {"state": "provisioning"},
    "lost": {"state": "unknown"},
    "failed": {"state": "failed"},
    "destroyed": {"state": "destroyed"},
    "paused": {"state": "running", "internal_metadata": {"docker:paused": True}},
    "restarting": {"state": "stopped", "zone_state": "ready", "exit_status": 3},
}
CODES = {
    #            created running exited provisioning lost failed destroyed paused restarting
    "start":    (204,    304,    204,   409,         409, 404,   404,    409,   304),
    "stop":     (304,    204,    304,   409,         409, 404,   404,    204,   204),
    "restart":  (204,    204,    204,   409,         409, 404,   404,    204,   204),
    "kill":     (409,    204,    409,   409,         409, 404,   404,    204,   204),
    "rename":   (204,    204,    204,   204,         204, 404,   404,    204,   204),
    "remove":   (204,    409,    204,   409,         204, 404,   404,    409,   409),
    "force":    (204,    204,    204,   409,         204, 404,   404,    204,   204),
    "top":      (409,    204,    409,   409,         409, 404,   404,    204,   409),
    "pause":    (409,    204,    409,   409,         409, 404,   404,       409,    409),
    "unpause":  (409,    409,    409,   409,         409, 404,   404,       204,    409),
}  # fmt: skip
OPERATIONS = {
    "start": (lifecycle.start, "container.start", {}),
    "stop": (lifecycle.stop, "container.stop", {}),
    "restart": (lifecycle.restart, "container.restart", {}),
    "kill": (lifecycle.kill, "container.kill", {}),
    "rename": (lifecycle.rename, "container.rename", {"name": "other"}),
    "remove": (removal.remove, "container.remove", {}),
    "force": (removal.remove, "container.remove", {"force": "1"}),
    "top": (top.top, "container.top", {}),
    "pause": (pause.pause, "container.pause", {}),
    "unpause": (pause.unpause, "container.unpause", {}),
}


def put(world, name, state):
    create(world, name)
    vm = world.vm(name)
    told = {**vm["internal_metadata"], **STATES[state].get("internal_metadata", {})}
    vm |= {**STATES[state], "internal_metadata": told}
    return vm


@pytest.mark.parametrize(
    ("operation", "state", "code"),
    [(op, state, code) for op, codes in CODES.items() for state, code in zip(STATES, codes, strict=True)],
)
def test_codes(world, operation, state, code):
    world.capabilities = LINUX | {"pause"}
    put(world, "web", state)
    world.vmapi.processes = []
    use, name, query = OPERATIONS[operation]
    try:
        use(world.call(name, **query), "web")
        got = 204
    except DockerError as error:
        got = error.status
    assert got == code


def test_another_account_sees_nothing(world):
    put(world, "web", "running")
    with pytest.raises(DockerError) as refused:
        lifecycle.stop(world.call("container.stop", owner=BOB), "web")
    assert (refused.value.status, refused.value.message) == (404, "No such container: web")


def test_sentences(world):
    vm = put(world, "web", "running")
    with pytest.raises(Conflict) as refused:
        removal.remove(world.call("container.remove"), "web")
    assert refused.value.message == (
        'cannot remove container "/web": container is running: stop the container before removing or force remove'
    )
    vm |= STATES["exited"]
    with pytest.raises(Conflict) as refused:
        lifecycle.kill(world.call("container.kill"), "web")
    docker_id = vm["internal_metadata"]["docker:id"]
    assert refused.value.message == f"cannot kill container: web: container {docker_id} is not running"


@pytest.mark.parametrize(("query", "linux", "sent"), [
    ({}, None, 10), ({"t": "3"}, None, 3), ({"t": "0"}, None, 0), ({"t": "-1"}, None, -1),
    ({}, '{"StopTimeout":42}', 42), ({"t": "1"}, '{"StopTimeout":42}', 1),
])  # fmt: skip
def test_grace_period(world, query, linux, sent):
    vm = put(world, "web", "running")
    if linux:
        vm["internal_metadata"]["docker:linux"] = linux
    lifecycle.stop(world.call("container.stop", **query), "web")
    assert world.vmapi.acts == [("stop", {"timeout": sent, "idempotent": True})]


def test_stop_with_a_signal_of_the_callers_choice(world):
    put(world, "web", "running")
    lifecycle.stop(world.call("container.stop", signal="kill"), "web")
    assert world.vmapi.acts == [("kill", {"signal": "SIGKILL", "idempotent": True})]


def test_a_signal_that_does_not_end_it_is_followed_by_force(world):
    put(world, "web", "running")
    lifecycle.stop(world.call("container.stop", signal="USR1", t="0"), "web")
    assert [action for action, _ in world.vmapi.acts] == ["kill", "stop"]
    assert world.vmapi.acts[1][1]["timeout"] == 0


@pytest.mark.parametrize(
    ("signal", "sent"), [("", "SIGKILL"), ("hup", "SIGHUP"), ("SIGTERM", "SIGTERM"), ("15", "SIGTERM")]
)
def test_signals(world, signal, sent):
    put(world, "web", "running")
    lifecycle.kill(world.call("container.kill", signal=signal), "web")
    assert world.vmapi.acts[0][1]["signal"] == sent


@pytest.mark.parametrize("signal", ["BOGUS", "0", "99", "-9", "９"])
def test_no_signals(world, signal):
    put(world, "web", "running")
    with pytest.raises(InvalidParameter, match=f"invalid signal: {signal}"):
        lifecycle.kill(world.call("container.kill", signal=signal), "web")


@pytest.mark.parametrize(("error", "program", "words"), [
    ({"restCode": "InitNotFound", "message": "x"}, "nope", 'exec: "nope": executable file not found in $PATH'),
    ({"restCode": "InitNotFound", "message": "x"}, "/no/pe", "no such file or directory"),
    ({"restCode": "InitNotExecutable", "message": "x"}, "/f", "permission denied"),
    ({"restCode": "InitNotExecutable", "message": "/etc is a directory"}, "/etc", "is a directory: permission denied"),
    ({"statusCode": 500, "body": {"code": "InitFailed", "message": "unable to find user x"}}, "sh", "unable to find user x"),
])  # fmt: skip
def test_programs_that_cannot_run(world, error, program, words):
    create(world, "web", Cmd=[program])
    world.vmapi.failing["start"] = error
    with pytest.raises(InvalidParameter) as refused:
        lifecycle.start(world.call("container.start"), "web")
    assert words in refused.value.message


def test_inner_details_of_a_failed_start_stay_inside(world):
    create(world, "web")
    world.vmapi.failing["start"] = {"name": "InternalError", "message": "zoneadm on 10.99.99.7: boom"}
    with pytest.raises(InternalError) as refused:
        lifecycle.start(world.call("container.start"), "web")
    assert refused.value.message == "problem starting container"


def test_a_failed_start_removes_a_container_made_with_rm(world):
    create(world, "web", HostConfig={"AutoRemove": True})
    world.vmapi.failing["start"] = {"restCode": "InitNotFound", "message": "x"}
    with pytest.raises(InvalidParameter):
        lifecycle.start(world.call("container.start"), "web")
    assert [vm["state"] for vm in world.vmapi.vms.values()] == ["destroyed"]


def test_a_removed_container_leaves_no_exec(world):
    create(world, "web")
    lifecycle.start(world.call("container.start"), "web")
    session = execs.create(world.call("exec.create"), "web", execs.ExecCreate(Cmd=["sh"]))
    world.call().state.exec_sessions.claim(session)  # a gateway that dies now never tells its end
    removal.remove(world.call("container.remove", force="1"), "web")
    with pytest.raises(NotFound, match="No such exec instance"):
        execs.inspect(world.call("exec.inspect"), session)


def test_rename_refusals(world):
    create(world, "web")
    other = create(world, "db")["Id"]
    for name, kind, words in [
        ("", InvalidParameter, "Neither old nor new names may be empty"),
        ("web", InvalidParameter, "same name as its current name"),
        ("a b", InvalidParameter, "Invalid container name (a b)"),
        ("db", Conflict, f'The container name "/db" is already in use by container "{other}"'),
    ]:
        with pytest.raises(kind) as refused:
            lifecycle.rename(world.call("container.rename", name=name), "web")
        assert words in refused.value.message


def test_remove_deletes_the_rules_about_this_container_alone(world):
    create(world, "web", HostConfig={"PortBindings": {"80/tcp": []}})
    uuid = world.vm("web")["uuid"]
    shared = {
        "uuid": "s",
        "owner_uuid": world.vm("web")["owner_uuid"],
        "enabled": True,
        "version": "1",
        "rule": f"FROM any TO (vm {uuid} OR vm 96a6e2b0-6c51-4a7e-9d4f-0a2f5c1b7e11) ALLOW tcp PORT 80",
    }
    world.fwapi.rules["s"] = shared
    removal.remove(world.call("container.remove"), "web")
    assert sorted(rule["rule"][:11] for rule in world.fwapi.rules.values()) == [
        "FROM any TO",
        'FROM tag "s',
        'FROM tag "s',
    ]
    assert "s" in world.fwapi.rules


def test_a_container_whose_volumes_are_used_stays(world):
    create(world, "data", Volumes={"/a": {}})
    create(world, "user", HostConfig={"VolumesFrom": ["data"]})
    with pytest.raises(Conflict, match=r"data is sharing its volume\(s\) with user"):
        removal.remove(world.call("container.remove"), "data")
    removal.remove(world.call("container.remove"), "user")
    removal.remove(world.call("container.remove"), "data")


def test_not_modified_has_no_body(world):
    put(world, "web", "running")
    with pytest.raises(NotModified):
        lifecycle.start(world.call("container.start"), "web")


def test_pause_needs_a_node_that_can(world):
    put(world, "web", "running")
    with pytest.raises(NotImplementedHere, match="needs the capability pause"):
        pause.pause(world.call("container.pause"), "web")


def test_update_tells_the_node_and_inspect(world):
    vm = put(world, "web", "running")
    call = world.call("container.update")
    call.hints["package"] = {"uuid": "11111111-94af-6266-e0e8-893a3b9993d0", "name": "sample-256M"}
    asked = HostConfig(Memory=200 << 20, CpuShares=512, RestartPolicy=RestartPolicy(Name="always"))
    told = update.update(call, "web", asked)
    assert told == {"Warnings": ["The container's package is now sample-256M; it was sample-128M."]}
    ((action, sent),) = world.vmapi.acts
    after = sent["internal_metadata"]
    assert (action, sent["billing_id"]) == ("update", call.hints["package"]["uuid"])
    assert json.loads(after["docker:linux"]) == {"MemoryBytes": 200 << 20, "CpuShares": 512}
    assert json.loads(after["docker:hostconfig"]) == {"Memory": 200 << 20, "CpuShares": 512}
    assert after["docker:restartpolicy"] == "always"
    assert after["docker:id"] == vm["internal_metadata"]["docker:id"]


def test_an_update_leaves_alone_what_others_write_meanwhile(world, monkeypatch):
    create(world, "web", HostConfig={"RestartPolicy": {"Name": "always"}})
    theirs = {"docker:endpoint:9b4c": "{}", "docker:lastend": "{}"}

    def meanwhile(*_, **__):
        world.vm("web")["internal_metadata"] |= theirs

    monkeypatch.setattr(update, "check_limits", meanwhile)
    update.update(world.call("container.update"), "web", HostConfig(RestartPolicy=RestartPolicy(Name="no")))
    found = world.vm("web")["internal_metadata"]
    assert {key: found.get(key) for key in theirs} == theirs
    assert "docker:restartpolicy" not in found


def test_an_update_of_nothing_asks_for_nothing(world):
    put(world, "web", "running")
    assert update.update(world.call("container.update"), "web", HostConfig()) == {"Warnings": []}
    assert world.vmapi.acts == []


def test_update_on_a_plain_node_warns(world):
    world.capabilities = ()
    put(world, "web", "running")
    told = update.update(world.call("container.update"), "web", HostConfig(CpuShares=5, BlkioWeight=10))
    assert [words.split()[0] for words in told["Warnings"]] == ["CpuShares", "BlkioWeight"]
    assert world.vmapi.acts == []

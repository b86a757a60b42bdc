"""Exec: another process in a running container."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.call import Call, Duplex, HijackReply
from gateway.errors import Conflict, InvalidParameter, NotFound, NotImplementedHere
from gateway.state.exec_sessions import ExecSession
from gateway.state.undertakings import EXEC
from sdc.stdio import Console
from translators.capabilities import capabilities
from translators.containers import detach_keys, exec_ends
from translators.containers.console import ended_code, join, open_console
from translators.containers.lookup import docker_id, find_container
from translators.containers.states import refuse_unless_up
from translators.errors import speaking_docker
from translators.events.recorder import tell

Vm = dict[str, Any]


_LONGEST_WORD, _MOST_WORDS = 128 * 1024, 2 * 1024 * 1024
"""Bytes of an argument, and of all with the environment: Linux's MAX_ARG_STRLEN and what is usual of its ARG_MAX."""


class ExecCreate(msgspec.Struct, kw_only=True):
    """Body of POST /containers/{id}/exec."""

    AttachStdin: bool = False
    AttachStdout: bool = False
    AttachStderr: bool = False
    ConsoleSize: list[int] | None = None
    """Height, width."""
    DetachKeys: str = ""
    Tty: bool = False
    Detach: bool = False
    Env: list[str] | None = None
    Cmd: list[str] | None = None
    Privileged: bool = False
    User: str = ""
    WorkingDir: str = ""


class ExecStart(msgspec.Struct, kw_only=True):
    """Body of POST /exec/{id}/start."""

    Detach: bool = False
    Tty: bool = False
    ConsoleSize: list[int] | None = None


def create(call: Call, ref: str, body: ExecCreate) -> str:
    """Record an exec of a running container; nothing runs until it is started. Returns its id.

    sdc-docker asked the node already here, so that an exec not started within 30 s was lost; this does not.

    Docker: POST /containers/{id}/exec   SDC: VMAPI GET /vms
    """
    vm = _running(find_container(call, ref), ref)
    if not body.Cmd:
        raise InvalidParameter("No exec command specified")
    _check_length([*body.Cmd, *(body.Env or ())])
    detach_keys.parse(body.DetachKeys)
    _refuse_unsupported(call, body)
    config = msgspec.to_builtins(body)
    session = call.state.exec_sessions.create(call.owner.uuid, vm["uuid"], docker_id(vm), config)
    tell(call, vm, f"exec_create: {' '.join(body.Cmd)}", execID=session.id)
    return session.id


def _running(vm: Vm, ref: str) -> Vm:
    refuse_unless_up(vm, docker_id(vm), "exec")
    if not vm.get("server_uuid"):
        raise Conflict(f"container {ref} is not placed on a compute node yet")
    return vm


def _check_length(words: list[str]) -> None:
    """Refuse what no kernel starts, and what would only be kept until somebody tries."""
    sizes = [len(word.encode()) for word in words]
    if max(sizes) >= _LONGEST_WORD or sum(sizes) > _MOST_WORDS:
        raise InvalidParameter(f"exec {words[0][:64]}: argument list too long")


def _refuse_unsupported(call: Call, body: ExecCreate) -> None:
    if body.Privileged:
        raise NotImplementedHere("privileged exec is not supported: containers of a data center are never privileged")
    asked = [name for name in ("Env", "User", "WorkingDir") if getattr(body, name)]
    if asked and "exec-options" not in capabilities(call):
        raise NotImplementedHere(
            f"exec with {', '.join(asked)} needs the capability exec-options, which this data center does not have: "
            "the process always gets the container's own environment, user and working directory"
        )


def _session(call: Call, session_id: str) -> ExecSession:
    session = call.state.exec_sessions.get(call.owner.uuid, session_id)
    if session is None:
        raise NotFound(f"No such exec instance: {session_id}")
    return session


def start(call: Call, session_id: str, body: ExecStart) -> HijackReply | None:
    """Run a created exec, joined to the client's connection; None when it runs detached.

    Docker: POST /exec/{id}/start   SDC: CNAPI docker-exec
    """
    session = _session(call, session_id)
    with speaking_docker("problem starting the exec instance"):
        vm = _running(call.services.vmapi.get_vm(session.vm_uuid, session.owner_uuid), session.container_id)
    if not call.state.exec_sessions.claim(session.id):
        raise Conflict(f"Error: Exec command {session.id} has already run")
    call.state.undertakings.begin(EXEC, session.id, session.owner_uuid)
    config = session.config
    command = {
        **{key: config[key] for key in ("Cmd", "Tty", "AttachStdin", "AttachStdout", "AttachStderr")},
        **{key: config[key] for key in ("Env", "User", "WorkingDir") if config[key]},
        "Detach": body.Detach,
        "Container": vm["uuid"],
        "ExecId": session.id,
    }
    size = body.ConsoleSize or config["ConsoleSize"]
    try:
        console = open_console(call, vm, command, tty=config["Tty"])
    except BaseException:
        call.state.exec_sessions.end(session.id, None)
        call.state.undertakings.end(EXEC, session.id)
        raise
    tell(call, vm, f"exec_start: {' '.join(config['Cmd'])}", execID=session.id)
    if console is None:
        exec_ends.follow(call, session)
        return None
    if size and config["Tty"]:
        console.resize(size[1], size[0])
    return _reply(call, session, vm, console, framed=not body.Tty)


def _reply(call: Call, session: ExecSession, vm: Vm, console: Console, *, framed: bool) -> HijackReply:
    """Join the client, with frames as it asked at the start: whether the process has a terminal was said before."""
    config = session.config

    def run(client: Duplex) -> None:
        try:
            keys = detach_keys.parse(config["DetachKeys"])
            join(
                call,
                client,
                console,
                tty=config["Tty"],
                framed=framed,
                stdin=config["AttachStdin"],
                stdin_once=True,
                keys=keys,
                detached=lambda: tell(call, vm, "exec_detach", execID=session.id),
            )
        finally:
            code = ended_code(console)
            if code is None:  # the client left, or its worker stops: the process may go on
                call.state.undertakings.leave(EXEC, session.id, session.owner_uuid)
            else:
                exec_ends.note(call, session, vm, code)

    kind = "multiplexed" if framed and call.version >= (1, 42) else "raw"
    return HijackReply(session=run, content_type=f"application/vnd.docker.{kind}-stream")


def inspect(call: Call, session_id: str) -> dict[str, Any]:
    """Describe an exec. When its stream was lost, the node is asked how it ended.

    Docker: GET /exec/{id}/json   SDC: CNAPI docker-exec (capability exec-options)
    """
    session = _session(call, session_id)
    running, code, pid = session.running, session.exit_code, session.pid
    if running and "exec-options" in capabilities(call):
        with speaking_docker("problem inspecting the exec instance"):
            found = exec_ends.look(call, session)
        running, code, pid = bool(found.get("Running")), found.get("ExitCode"), int(found.get("Pid") or 0)
    config = session.config
    return {
        "ID": session.id,
        "Running": running,
        "ExitCode": None if running or not session.started else code,
        "ProcessConfig": {
            "tty": config["Tty"],
            "entrypoint": config["Cmd"][0],
            "arguments": config["Cmd"][1:],
            "privileged": False,
            "user": config["User"],
        },
        "OpenStdin": config["AttachStdin"],
        "OpenStderr": config["AttachStderr"],
        "OpenStdout": config["AttachStdout"],
        "CanRemove": session.started and not running,
        "ContainerID": session.container_id,
        "DetachKeys": "",
        "Pid": pid,
    }


def resize(call: Call, session_id: str, width: int, height: int) -> None:
    """Tell the terminal of an exec its size, in characters.

    Docker: POST /exec/{id}/resize   SDC: CNAPI docker-exec (capability console-resize)
    """
    session = _session(call, session_id)
    if not session.config["Tty"]:
        return
    if "console-resize" not in capabilities(call):
        raise NotImplementedHere("resizing needs the capability console-resize, which this data center does not have")
    if not session.running:
        raise Conflict(f"exec process {session.id} is not running")
    with speaking_docker("problem resizing the exec instance"):
        vm = call.services.vmapi.get_vm(session.vm_uuid, session.owner_uuid)
        command = {"Resize": {"w": width, "h": height}, "ExecId": session.id}
        call.services.cnapi.docker_exec(vm["server_uuid"], vm["uuid"], command)

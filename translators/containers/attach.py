"""Attach: the client's connection joined to a container's first process."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gateway.call import Call, Duplex, HijackReply, Tap
from gateway.errors import Conflict, InvalidParameter, NotImplementedHere
from sdc.stdio import Console
from translators.capabilities import capabilities
from translators.containers import detach_keys
from translators.containers.console import is_tty, join, open_console, stdin_once, tap_of
from translators.containers.logs import so_far
from translators.containers.lookup import docker_id, find_container
from translators.containers.sizes import console_sizes
from translators.containers.states import refuse_unless_up, status
from translators.errors import speaking_docker
from translators.events.recorder import observe, tell

Vm = dict[str, Any]
STREAMS = ("stdin", "stdout", "stderr")
_SETTLE_SECONDS = 15.0


def attach(call: Call, ref: str) -> HijackReply:
    """Join a client to a container, running or about to be.

    Where the node advertises ``attach-before-start`` the console is connected before the client is told, so a
    start that follows loses no output. A real node answers only once the VM runs, so there the client is told
    first and the console is opened beside the start.

    Docker: POST /containers/{id}/attach   SDC: CNAPI docker-exec AttachConsole
    """
    vm = find_container(call, ref)
    session, tap = _session(call, vm, {name: call.flag(name) for name in STREAMS}, framed=not is_tty(vm))
    kind = "raw" if is_tty(vm) or call.version < (1, 42) else "multiplexed"
    return HijackReply(session=session, tap=tap, content_type=f"application/vnd.docker.{kind}-stream")


def attach_websocket(call: Call, ref: str) -> HijackReply:
    """Join a client to a container over a WebSocket, stdout and stderr in one stream without headers.

    Until API 1.41 all three streams are attached whatever is asked, and until 1.27 output comes as text.

    Docker: GET /containers/{id}/attach/ws (moby daemon/server/router/container)   SDC: CNAPI docker-exec AttachConsole
    """
    vm = find_container(call, ref)
    streams = {name: call.version < (1, 42) or call.flag(name) for name in STREAMS}
    session, _ = _session(call, vm, streams, framed=False)
    return HijackReply(session=session, websocket="text" if call.version < (1, 28) else "binary")


def _session(
    call: Call, vm: Vm, streams: dict[str, bool], *, framed: bool
) -> tuple[Callable[[Duplex], None], Tap | None]:
    """Check that the VM can be attached to, and return what joins a client to it.

    With it comes a tap where that is output alone, of a console that is connected already; a terminal whose size
    goes over this very connection needs somebody who stays. Without ``stream`` there is no console at all.
    """
    keys = detach_keys.parse(call.arg("detachKeys"))
    if not call.flag("stream"):
        return _log_alone(call, vm, streams, framed=framed), None
    stdin = streams["stdin"] and bool(vm.get("internal_metadata", {}).get("docker:open_stdin", False))
    if status(vm) in {"paused", "restarting"}:
        refuse_unless_up(vm, docker_id(vm), "attach")
    if not vm.get("server_uuid"):
        raise Conflict(f"container {docker_id(vm)} is not placed on a compute node yet")
    tty = is_tty(vm)
    command = {
        "Cmd": ["AttachConsole"],
        "AttachConsole": True,
        "AttachStdin": stdin,
        "AttachStdout": streams["stdout"],
        "AttachStderr": streams["stderr"],
        "Tty": tty,
        "Logs": call.flag("logs"),
        "Stream": True,
        "Container": vm["uuid"],
    }
    early = "attach-before-start" in capabilities(call)
    console = open_console(call, vm, command, tty=tty) if early else None
    tell(call, vm, "attach")

    def run(client: Duplex) -> None:
        joined = console or open_console(call, vm, command, tty=tty)
        if joined is None:
            return
        with console_sizes.attached(vm["uuid"], joined):
            join(
                call,
                client,
                joined,
                tty=tty,
                framed=framed,
                stdin=stdin,
                stdin_once=stdin_once(vm),
                keys=keys,
                detached=lambda: tell(call, vm, "detach"),
            )
        if not early:
            _settle(call, vm, joined)

    taps = not stdin and "console-resize" in capabilities(call)
    return run, tap_of(console, framed=framed, tells_loss=framed) if taps else None


def _log_alone(call: Call, vm: Vm, streams: dict[str, bool], *, framed: bool) -> Callable[[Duplex], None]:
    """Join a client to what a container has written so far, if that was asked for: it need not run, nor start."""
    stdout, stderr = streams["stdout"], streams["stderr"]
    written = so_far(call, vm, stdout=stdout, stderr=stderr, framed=framed) if call.flag("logs") else iter(())
    tell(call, vm, "attach")

    def run(client: Duplex) -> None:
        with suppress(OSError):  # the client left
            for piece in written:
                client.write(piece)

    return run


def _settle(call: Call, vm: Vm, console: Console) -> None:
    """Hold the client until VMAPI knows that the VM stopped, or the CLI reports a wrong exit code (DOCKER-845)."""
    if console.ended is None:
        return
    pause, end = 0.05, time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < end:
        with speaking_docker("problem waiting for the container to stop"):
            now = call.services.vmapi.get_vm(vm["uuid"], vm["owner_uuid"])
            if now["state"] != "running":
                observe(call, now)  # so that every worker knows
                return
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)


def resize(call: Call, ref: str) -> None:
    """Tell a container's terminal its size, in characters.

    A real node takes sizes only over an attached stream: there the size goes to this worker's stream, or waits
    for the next one.

    Docker: POST /containers/{id}/resize   SDC: CNAPI docker-exec (capability console-resize)
    """
    width, height = size(call)
    vm = find_container(call, ref)
    if vm["state"] != "running":
        raise Conflict(f"container {docker_id(vm)} is not running")
    if "console-resize" in capabilities(call):
        with speaking_docker("problem resizing the container's console"):
            command = {"Resize": {"w": width, "h": height}}
            call.services.cnapi.docker_exec(vm["server_uuid"], vm["uuid"], command)
    elif is_tty(vm):
        console_sizes.resize(vm["uuid"], width, height)
    else:
        raise NotImplementedHere("only the console of a container with a tty has a size")
    tell(call, vm, "resize", height=str(height), width=str(width))


def size(call: Call) -> tuple[int, int]:
    """Read ``w`` and ``h``. Raises InvalidParameter."""
    try:
        width, height = int(call.arg("w")), int(call.arg("h"))
    except ValueError as error:
        raise InvalidParameter("invalid resize height or width: must be positive integers") from error
    if not (0 <= width < 65536 and 0 <= height < 65536):
        raise InvalidParameter("invalid resize height or width: out of range")
    return width, height

"""Joining a client's connection to a process on a compute node, both ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.call import Call, Duplex, Tap
from sdc.stdio import FRAMES, Console, FrameConsole, connect
from translators.capabilities import capabilities
from translators.containers.detach_keys import KeyWatch
from translators.errors import speaking_docker
from translators.process_signals import number_of

Vm = dict[str, Any]


def open_console(call: Call, vm: Vm, command: dict[str, Any], *, tty: bool) -> Console | None:
    """Ask the VM's node for a stream and connect to it; None when the node answers that there is none (detached).

    Byte-exact framing is asked for when the data center advertises it. On a real node an attach to a VM that does
    not run yet blocks here until it does, 60 s at most.

    SDC: CNAPI POST /servers/:uuid/vms/:uuid/docker-exec, then the node's TCP socket
    """
    if "stdio-frames" in capabilities(call):
        command = {**command, "Framing": FRAMES}
    with speaking_docker("problem connecting to the container's console"):
        answer = call.services.cnapi.docker_exec(vm["server_uuid"], vm["uuid"], command)
        return connect(answer, tty=tty) if "port" in answer else None


@dataclass(slots=True)
class ConsoleTap:
    """A console's output for whoever watches its descriptor; ``tells_loss`` where the client's stream may say of it."""

    console: FrameConsole
    framed: bool
    tells_loss: bool = False

    def fileno(self) -> int:
        return self.console.fileno()

    def pour(self, write: Callable[[bytes | memoryview], None]) -> bool:
        going = self.console.pour(write, framed=self.framed)
        if not going and self.tells_loss and (loss := self.console.loss()):
            write(loss)
        return going

    def close(self) -> None:
        self.console.close()


def tap_of(console: Console | None, *, framed: bool, tells_loss: bool = False) -> Tap | None:
    """Return the console's tap; None for one that has to be waited for."""
    return ConsoleTap(console, framed, tells_loss) if isinstance(console, FrameConsole) else None


def join(
    call: Call,
    client: Duplex,
    console: Console,
    *,
    tty: bool,
    framed: bool,
    stdin: bool,
    stdin_once: bool,
    keys: bytes,
    detached: Callable[[], None],
) -> None:
    """Copy until the process ends or the client leaves; then the console is closed, the client is not.

    ``framed`` keeps the headers that tell stdout from stderr; ``detached`` is called when the client typed ``keys``.

    The client's half-close ends the process's stdin, save with a tty or when stdin is to stay open for the next
    client: then it ends the session, as with dockerd, and the process goes on.
    """
    reader = None
    if stdin:
        watch = KeyWatch(keys) if tty else None
        reader = call.spawn(_pump_stdin, client, console, watch, detached, once=stdin_once and not tty)
    try:
        for chunk in console.output(framed=framed):
            client.write(chunk)
        if framed and (loss := console.loss()):
            client.write(loss)  # else the CLI would wait for the end of a container that goes on
    except OSError:
        pass  # the client left: the process is none of its business any more
    finally:
        if reader is not None:
            reader.kill()
        console.close()


def _pump_stdin(
    client: Duplex, console: Console, watch: KeyWatch | None, detached: Callable[[], None], *, once: bool
) -> None:
    try:
        while data := client.read(256 * 1024):
            typed = False
            if watch is not None:
                data, typed = watch.feed(data)
            if data:
                console.send(data)
            if typed:
                detached()
                console.detach()
                return
        if once:
            console.end_stdin()
        else:
            console.detach()
    except OSError:
        pass  # one side is gone; the output loop notices and ends the session


def is_tty(vm: Vm) -> bool:
    return vm.get("internal_metadata", {}).get("docker:tty") in (True, "true")


def stdin_once(vm: Vm) -> bool:
    """Whether the container's stdin ends with its first client. Where nothing was recorded it does."""
    try:
        options = json.loads(vm.get("internal_metadata", {}).get("docker:linux") or "{}")
    except ValueError:
        return True
    return bool(options.get("StdinOnce", True))


def ended_code(console: Console) -> int | None:
    """The exit code the node reported, or None when the connection was lost before."""
    ended = console.ended
    if ended is None:
        return None
    code = (ended.get("error") or {}).get("restCode")
    if code in _START_FAILURES:
        return _START_FAILURES[code]
    if ended.get("signal") and ended.get("code") is None:  # a plain node's word for a process that was killed
        return 128 + number_of(str(ended["signal"]))
    return int(ended["code"]) if ended.get("code") is not None else None


_START_FAILURES = {"InitNotFound": 127, "InitNotExecutable": 126, "InitFailed": 128}

"""The stdio task of a node: attach, exec, logs, sizes of terminals, and what a container has written.

SDC: CNAPI POST /servers/:server_uuid/vms/:uuid/docker-exec, which is the task ``docker_exec``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gevent import socket

from datacenter.node.attach import attach
from datacenter.node.client import rendezvous
from datacenter.node.execspec import ExecFailure
from datacenter.node.execution import Execution
from datacenter.node.frames import Frames, Framing
from datacenter.node.linejson import Lines
from datacenter.node.logs import serve_logs
from datacenter.node.tasks import Params, Result, Task, TaskError
from datacenter.node.terminal import resize_console
from datacenter.node.usage import written_bytes
from datacenter.node.zone import Zone

if TYPE_CHECKING:
    from datacenter.node.agent import Node

FRAMES = "frames/1"
REMEMBERED = 3600.0
"""Seconds an ended exec's exit code can be asked for."""
SWEEP = 256
"""New execs after which the forgotten ones are let go of."""


class Executions:
    """The execs of this agent, ended ones for an hour. They don't outlive it, no more than their pipes do."""

    def __init__(self) -> None:
        self._by_id: dict[str, Execution] = {}
        self._added = 0

    def add(self, execution: Execution) -> None:
        """Take a new one in. Raises TaskError InvalidParameters when its id was used before."""
        if execution.id in self._by_id:
            raise TaskError("InvalidParameters", f"exec {execution.id} has already run")
        self._added += 1
        if self._added % SWEEP == 0:  # a look at all of them for each would cost the more the more there are
            for old in [one for one in self._by_id.values() if _is_forgotten(one)]:
                del self._by_id[old.id]
        self._by_id[execution.id] = execution

    def of(self, zone: Zone, exec_id: str) -> Execution:
        """Raises TaskError ResourceNotFound, also for another zone's exec."""
        execution = self._by_id.get(exec_id)
        if execution is None or execution.zone.uuid != zone.uuid or _is_forgotten(execution):
            raise TaskError("ResourceNotFound", f"no exec {exec_id} in VM {zone.uuid}")
        return execution


def _is_forgotten(execution: Execution) -> bool:
    return execution.ended_at is not None and execution.ended_at < time.monotonic() - REMEMBERED


EXECUTIONS = Executions()
"""An agent's process is one node."""


def docker_exec(node: Node, params: Params) -> Result:
    """Do what ``command`` asks of a zone; for a stream answer where to connect, at once and once only.

    Raises TaskError: VmNotRunning, NotSupported, InvalidParameters, ResourceNotFound, and InitNotFound or
    InitNotExecutable for a detached exec that never ran.
    """
    zone = node.zone(params["uuid"])
    command: dict[str, Any] = params.get("command") or {}
    if command.get("Resize"):
        return _resize(zone, command)
    if command.get("InspectExec"):
        execution = EXECUTIONS.of(zone, str(command.get("ExecId")))
        return {"Running": execution.running, "ExitCode": execution.code, "Pid": execution.pid}
    if command.get("DiskUsage"):
        return {"Written": written_bytes(zone)}
    framing = _framing(zone, command)
    if command.get("AttachConsole"):
        return _reply(attach(zone, command, framing), framing)
    if command.get("Logs"):
        return _reply(serve_logs(zone, command, framing), framing)
    return _exec(node, zone, command, framing)


def _framing(zone: Zone, command: dict[str, Any]) -> Framing:
    """The protocol asked for: frames when named, a real node's lines when not. Raises TaskError for others."""
    asked = command.get("Framing")
    if asked == FRAMES:
        return Frames()
    if asked is not None:
        raise TaskError("NotSupported", f"framing {asked} is not known")
    attached = command.get("AttachConsole") or command.get("Logs")
    return Lines(tty=zone.tty if attached else bool(command.get("Tty")))


def _reply(port: int, framing: Framing) -> Result:
    return {"host": "127.0.0.1", "port": port, **({"framing": FRAMES} if framing.binary else {})}


def _resize(zone: Zone, command: dict[str, Any]) -> Result:
    size = command["Resize"]
    try:
        columns, rows = int(size["w"]), int(size["h"])
    except (KeyError, TypeError, ValueError) as error:
        raise TaskError("InvalidParameters", "Resize needs w and h") from error
    if not (0 <= columns < 65536 and 0 <= rows < 65536):
        raise TaskError("InvalidParameters", "w and h must be 0 to 65535")
    if command.get("ExecId"):
        EXECUTIONS.of(zone, command["ExecId"]).resize(columns, rows)
    else:
        resize_console(zone, columns, rows)
    return {}


def _exec(node: Node, zone: Zone, command: dict[str, Any], framing: Framing) -> Result:
    if not zone.running:
        raise TaskError("VmNotRunning", "docker_exec: VM is not running, cannot exec")
    if command.get("Privileged"):
        raise TaskError("NotSupported", "privileged processes are not supported on this node")
    if not command.get("Cmd"):
        raise TaskError("InvalidParameters", "Cmd is missing")
    node.lifecycle.hurry()  # the process moves into the container's cgroup, too, once the client has connected
    execution = Execution(zone, node.runtime, command)
    EXECUTIONS.add(execution)
    if command.get("Detach"):
        try:
            execution.run_detached()
        except ExecFailure as failure:
            raise TaskError(failure.rest_code, failure.message, code=failure.code) from failure
        return {}

    def serve(connection: socket.socket) -> None:
        execution.serve(connection, framing)

    return _reply(rendezvous(serve, execution.abandon), framing)


TASKS: dict[str, Task] = {"docker_exec": docker_exec}

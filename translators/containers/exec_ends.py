"""How execs end: noted and told once, whoever sees it first: the stream, somebody's inspect, or who follows it."""

from __future__ import annotations

import threading
import time
from typing import Any

from gateway.call import Call
from gateway.state.exec_sessions import ExecSession
from gateway.state.undertakings import EXEC
from sdc.errors import SdcError
from translators.capabilities import capabilities
from translators.events.recorder import tell

Vm = dict[str, Any]

UNKNOWN_CODE = 255
"""The exit code of an exec whose node forgot it."""
LONGEST_PAUSE = 5.0
"""Seconds between two looks at an exec that nobody is attached to."""


def note(call: Call, session: ExecSession, vm: Vm, exit_code: int | None) -> None:
    """Note that an exec has ended, and tell it unless that was done."""
    if call.state.exec_sessions.end(session.id, exit_code):
        tell(call, vm, "exec_die", execID=session.id, exitCode=str(0 if exit_code is None else exit_code))
    call.state.undertakings.end(EXEC, session.id, whoever=True)


def look(call: Call, session: ExecSession) -> dict[str, Any]:
    """Ask the compute node about an exec: ``Running``, ``ExitCode``, ``Pid``. Raises SdcError.

    SDC: CNAPI docker-exec (capability exec-options)
    """
    vm = call.services.vmapi.get_vm(session.vm_uuid, session.owner_uuid)
    if vm["state"] != "running":
        found = {"Running": False, "ExitCode": session.exit_code if session.exit_code is not None else 137}
    else:
        found = _ask(call, session, vm)
    if not found.get("Running"):
        note(call, session, vm, found.get("ExitCode"))
    return found


def _ask(call: Call, session: ExecSession, vm: Vm) -> dict[str, Any]:
    """Ask the node; one that was restarted meanwhile knows nothing of the exec, and nobody will ever know more."""
    command = {"InspectExec": True, "ExecId": session.id}
    try:
        return call.services.cnapi.docker_exec(vm["server_uuid"], vm["uuid"], command)
    except SdcError as error:
        if error.status != 404:
            raise
        return {"Running": False, "ExitCode": UNKNOWN_CODE}


def follow(call: Call, session: ExecSession) -> None:
    """Look after an exec whose client has left until it ends, in the background.

    Where nodes cannot be asked nobody will ever know how it went: it counts as ended, and no end is told.
    """
    if "exec-options" in capabilities(call):
        threading.Thread(target=_follow, args=(call, session), daemon=True).start()
    else:
        call.state.exec_sessions.end(session.id, None)
        call.state.undertakings.end(EXEC, session.id, whoever=True)


def _follow(call: Call, session: ExecSession) -> None:
    pause = 0.05
    while True:
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
        try:
            if not look(call, session).get("Running"):
                return
        except SdcError as error:
            if error.status == 404:  # the container is gone
                call.state.undertakings.end(EXEC, session.id, whoever=True)
                return

"""The RUN of a build: the build VM started, its output passed on, its end waited for. Facts: sdc-apis 5.6."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from gateway.call import Call
from gateway.errors import InternalError
from sdc.errors import SdcError
from translators.containers.console import open_console
from translators.containers.lifecycle import await_end
from translators.errors import explain, init_failure
from translators.events.recorder import starting
from translators.images.build_output import BuildOutput
from translators.jobs import run_job

Json = dict[str, Any]
Vm = dict[str, Any]

DOING = "problem running a step of the build"
_SETTLE_SECONDS = 30.0


def run_step(call: Call, vm: Vm, words: list[str]) -> Generator[str, None, int]:
    """Start the VM, whose command its node has set, yield what it writes, and return its exit code at the end.

    The console is connected first, so that no output is lost. Raises DockerError when it cannot be started.
    """
    command = {
        "Cmd": ["AttachConsole"],
        "AttachConsole": True,
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "Logs": False,
        "Stream": True,
        "Container": vm["uuid"],
    }
    console = open_console(call, vm, command, tty=False)
    if console is None:
        raise InternalError(DOING)
    try:
        _start(call, vm, words)
        output = BuildOutput()
        for chunk in console.output(framed=True):
            yield from output.feed(bytes(chunk))
    finally:
        console.close()
    await_end(call, vm, _SETTLE_SECONDS)
    if console.ended is None:
        raise InternalError(f"{DOING}: the compute node broke off")
    return int(console.ended.get("code") or 0)


def _start(call: Call, vm: Vm, words: list[str]) -> None:
    try:
        with starting(call, vm):
            run_job(
                call,
                vm["uuid"],
                "start",
                lambda: call.services.vmapi.act(vm["uuid"], "start", vm["owner_uuid"], idempotent=True),
            )
    except SdcError as error:
        raise init_failure(error, words[0] if words else "") or explain(error, DOING) from error

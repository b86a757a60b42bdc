"""Wait until a container ends, and answer with its exit code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from sdc.errors import SdcError, SdcUnavailable
from sdc.vmapi import Vmapi
from translators.containers.lookup import find_container
from translators.containers.states import exit_code, has_run, is_gone, is_running, last_end, metadata, status
from translators.containers.vmfeed import feed_of
from translators.events.recorder import observe
from translators.jobs import pauses

Vm = dict[str, Any]

KILLED = 137
LATE_TRIES = 20
"""How often a stopped VM is looked at again for its exit code, which may be late by 15 s."""


def wait(call: Call, ref: str) -> Iterator[dict[str, Any]]:
    """Begin to wait, and return what yields Docker's reply once the condition is met.

    The watch begins before this returns, so that no end falls between the reply's head and its body; what goes
    wrong after the head is told in ``Error``. Raises NotFound, InvalidParameter.

    Docker: POST /containers/{id}/wait   SDC: VMAPI changefeed, GET /vms/:uuid
    """
    condition = call.arg("condition") or "not-running"
    if condition not in CONDITIONS:
        raise InvalidParameter(f'invalid condition: "{condition}"')
    vm = find_container(call, ref)
    replies = _replies(call, Life(vm), CONDITIONS[condition])
    next(replies)
    return replies


class Life:
    """What has been seen of a VM since somebody began to wait for its end."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        """As last seen with its details; a destroyed VM may come without any."""
        self.gone = False
        self.ran = False
        self._exit_before = vm.get("exit_timestamp")
        self._restarts_before = metadata(vm).get("docker:restartcount")
        self._stale: Any = None
        self.see(vm)

    def see(self, vm: Vm) -> None:
        self.gone = is_gone(vm)
        if "uuid" in vm:
            self.vm = vm
        if is_running(vm):
            self.ran = True
            if status(vm) != "restarting":
                self._stale = vm.get("exit_timestamp")

    @property
    def running(self) -> bool:
        return not self.gone and is_running(self.vm)

    @property
    def exited(self) -> bool:
        """Whether it has ended since, even if it was restarted at once."""
        return (
            self.gone
            or (self.ran and not self.running)
            or self.vm.get("exit_timestamp") != self._exit_before
            or metadata(self.vm).get("docker:restartcount") != self._restarts_before
        )

    def code(self) -> int | None:
        """Return the exit code of the last run; None while it is not known yet.

        What a running VM says about an exit is about an earlier run; that which was waited for, when it runs again.
        """
        if self.running and self.exited and (end := last_end(self.vm)):
            return exit_code(end)
        told = self.vm.get("exit_status") is not None
        if told and (self._stale is None or self.vm.get("exit_timestamp") != self._stale):
            return exit_code(self.vm)
        if self.gone:
            return KILLED if self.ran else exit_code(self.vm)
        return None if self.ran or has_run(self.vm) else 0


CONDITIONS: dict[str, Callable[[Life], bool]] = {
    "not-running": lambda life: life.exited or not life.running,
    "next-exit": lambda life: life.exited,
    "removed": lambda life: life.gone,
}


def _replies(call: Call, life: Life, met: Callable[[Life], bool]) -> Iterator[dict[str, Any]]:
    """Yield nothing of use once, when the watch has begun; then the reply.

    What was seen is told first: whichever worker the client asks next, it finds the container ended.
    """
    feed = feed_of(call.services.vmapi)
    with feed.watch(life.vm["uuid"]) as watch:
        yield {}
        try:
            for vm in watch.changes():
                life.see(vm)
                if met(life):
                    break
            code = life.code()
            if code is None:
                code = _late_code(feed.vmapi, life)
            observe(call, life.vm)
        except SdcError:
            code = None
    if code is None:
        yield {"StatusCode": -1, "Error": {"Message": "the data center does not tell the container's exit code"}}
    else:
        yield {"StatusCode": code}


def _late_code(vmapi: Vmapi, life: Life) -> int | None:
    """Ask the compute node itself, once; then VMAPI again and again, for it learns exit codes late.

    SDC: VMAPI GET /vms/:uuid?sync=true
    """
    vm, synced = life.vm, False
    for pause in islice(pauses(first=0.05), LATE_TRIES):
        try:
            vm = vmapi.get_vm(vm["uuid"], sync=not synced)
            synced = True
        except SdcUnavailable:
            pass  # look again
        if synced and vm.get("exit_status") is not None:
            return exit_code(vm)
        time.sleep(pause)
    return KILLED if is_gone(vm) else None

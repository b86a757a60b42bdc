"""Start, stop, restart, kill, rename: each a job, each refused or answered 304 where Docker does so."""

from __future__ import annotations

import time
from typing import Any

from gateway.call import Call
from gateway.errors import Conflict, Forbidden, InvalidParameter, NotFound, NotModified
from sdc.errors import SdcError
from translators.containers.linking import link_update
from translators.containers.lookup import docker_id, find_container, mine
from translators.containers.removal import destroy, removes_itself
from translators.containers.states import command_words, is_running, linux_options, status
from translators.containers.vmfeed import feed_of
from translators.errors import NotShared, explain, init_failure, speaking_docker
from translators.events.recorder import Announced, Ending, ending, observe, restarting, starting, tell
from translators.ids import container_name
from translators.jobs import run_job
from translators.names import check_name, name_conflict
from translators.process_signals import check_signal, number_of

Vm = dict[str, Any]

DEFAULT_STOP_SECONDS = 10
KILL_PATIENCE = 10.0
"""Seconds that a killed container is waited for, so that a client sees it stopped at once."""


def start(call: Call, ref: str) -> None:
    """Start a container and wait until its process runs.

    Starting a running container is no error for SDC but is 304 for Docker, so it raises NotModified. A program
    that cannot be run is an InvalidParameter whose words the CLI turns into exit code 126 or 127, what cannot
    be mounted NotFound or Forbidden; the container has ended, so with ``--rm`` it goes.

    Docker: POST /containers/{id}/start   SDC: VMAPI POST /vms/:uuid?action=start
    """
    vm = find_container(call, ref)
    _refuse_unmade(vm, "start")
    if status(vm) == "paused":
        raise Conflict("cannot start a paused container, try unpause instead")
    if is_running(vm):
        raise NotModified("container already started")
    try:
        with starting(call, vm):
            _boot(call, vm, "start", "problem starting container")
    except (InvalidParameter, Forbidden, NotFound, NotShared):
        with speaking_docker("problem starting container"):
            observe(call, call.services.vmapi.get_vm(vm["uuid"]))
        if removes_itself(vm):
            destroy(call, vm)
        raise


def stop(call: Call, ref: str) -> None:
    """Stop a container: ask its process to end, and kill it after ``t`` seconds; a negative ``t`` waits for ever.

    Docker: POST /containers/{id}/stop   SDC: VMAPI POST /vms/:uuid?action=stop
    """
    seconds, signal = _timeout(call), _asked_signal(call)
    vm = find_container(call, ref)
    _refuse_unmade(vm, "stop")
    if not is_running(vm):
        raise NotModified("container already stopped")
    seconds = _stop_seconds(vm, seconds)
    with ending(call, vm, *_stop_events(vm, seconds, signal)) as told:
        _stop(call, vm, seconds, signal, told)


def restart(call: Call, ref: str) -> None:
    """Stop a container as ``stop`` does and start it again; one that does not run is only started.

    Docker: POST /containers/{id}/restart   SDC: VMAPI POST /vms/:uuid?action=reboot
    """
    seconds, signal = _timeout(call), _asked_signal(call)
    vm = find_container(call, ref)
    _refuse_unmade(vm, "restart")
    doing, seconds = "problem restarting container", _stop_seconds(vm, seconds)
    with restarting(call, vm):
        if is_running(vm):
            with ending(call, vm, *_stop_events(vm, seconds, signal)) as told:
                if signal:
                    _stop(call, vm, seconds, signal, told)
                else:
                    _boot(call, vm, "reboot", doing, told, timeout=seconds)
        if signal or not is_running(vm):
            _boot(call, vm, "start", doing)


def kill(call: Call, ref: str) -> None:
    """Send a signal, SIGKILL unless told otherwise. After a SIGKILL the container's end is waited for.

    Docker: POST /containers/{id}/kill   SDC: VMAPI POST /vms/:uuid?action=kill
    """
    signal = check_signal(call.arg("signal") or "SIGKILL")
    vm = find_container(call, ref)
    if not is_running(vm):
        raise Conflict(f"cannot kill container: {ref}: container {docker_id(vm)} is not running")
    with ending(call, vm, ("kill", {"signal": str(number_of(signal))}, None)) as told:
        _kill(call, vm, signal, told)
        if signal == "SIGKILL":
            await_end(call, vm, KILL_PATIENCE)


def rename(call: Call, ref: str) -> None:
    """Give a container another name.

    Docker: POST /containers/{id}/rename   SDC: VMAPI POST /vms/:uuid?action=update
    """
    vm = find_container(call, ref)
    if not call.arg("name"):
        raise InvalidParameter("Neither old nor new names may be empty")
    name = check_name(call.arg("name"))
    if name == vm.get("alias"):
        raise InvalidParameter("Renaming a container with the same name as its current name")
    doing = "problem renaming container"
    with speaking_docker(doing):
        holders = call.services.vmapi.list_vms(predicate=mine(call.owner.uuid, {"eq": ["alias", name]}))
    if holders:
        raise name_conflict(name, docker_id(holders[0]))
    try:
        _act(call, vm, "update", alias=name)
    except SdcError as error:
        if "alias" in error.field_errors("Duplicate"):
            raise name_conflict(name, "") from error
        raise explain(error, doing) from error
    call.state.links.rename(vm["owner_uuid"], vm["uuid"], name)
    tell(call, {**vm, "alias": name}, "rename", oldName=container_name(vm))


def _act(call: Call, vm: Vm, action: str, told: Ending | None = None, **parameters: Any) -> None:
    """Run an action's job."""
    vmapi, accepted = call.services.vmapi, told.sent if told is not None else None
    run_job(call, vm["uuid"], action, lambda: vmapi.act(vm["uuid"], action, vm["owner_uuid"], **parameters), accepted)


def _boot(call: Call, vm: Vm, action: str, doing: str, told: Ending | None = None, **parameters: Any) -> None:
    """Start or reboot, with what has changed about the container's links since it was last told of them."""
    with speaking_docker(doing):
        update = link_update(call, vm)
    _run(call, vm, action, doing, told, idempotent=True, **update, **parameters)


def _run(call: Call, vm: Vm, action: str, doing: str, told: Ending | None = None, **parameters: Any) -> None:
    """Run an action's job; explain a process that would not start."""
    try:
        _act(call, vm, action, told, **parameters)
    except SdcError as error:
        feed_of(call.services.vmapi).look_again(vm["uuid"])  # an exit without a change of state is not told
        program = next(iter(command_words(vm)), "")
        raise init_failure(error, program) or explain(error, doing) from error


def _stop_events(vm: Vm, seconds: int, signal: str) -> list[Announced]:
    """List what a stop makes happen, in order; one that only cancels a restart sends no signal."""
    stop: Announced = ("stop", {}, None)
    if status(vm) == "restarting":
        return [stop]
    number = number_of(signal or str(linux_options(vm).get("StopSignal") or "SIGTERM"))
    force: list[Announced] = [("kill", {"signal": "9"}, float(seconds))] if seconds >= 0 else []
    return [("kill", {"signal": str(number)}, None), *force, stop]


def _stop(call: Call, vm: Vm, seconds: int, signal: str, told: Ending) -> None:
    """Stop by VMAPI's own action, or with a signal of the caller's choice and then by force."""
    doing = "problem stopping container"
    if signal:
        _kill(call, vm, signal, told)
        if await_end(call, vm, seconds if seconds >= 0 else call.config.job_timeout):
            return
        seconds = 0
    _run(call, vm, "stop", doing, None if signal else told, timeout=seconds, idempotent=True)


def _kill(call: Call, vm: Vm, signal: str, told: Ending) -> None:
    try:
        _act(call, vm, "kill", told, signal=signal, idempotent=True)
    except SdcError as error:
        if error.code == "ValidationFailed" and any(item.get("field") == "signal" for item in error.errors):
            raise InvalidParameter(f"invalid signal: {signal}") from error
        raise explain(error, "problem sending signal to container") from error


def await_end(call: Call, vm: Vm, seconds: float) -> bool:
    """Wait until the container has ended; False when it has not after ``seconds``."""
    end = time.monotonic() + call.remaining(seconds)
    with feed_of(call.services.vmapi).watch(vm["uuid"]) as watch, speaking_docker("problem waiting for container"):
        return any(not is_running(seen) for seen in watch.changes(until=end))


def _refuse_unmade(vm: Vm, verb: str) -> None:
    if vm["state"] == "provisioning":
        raise Conflict(f"cannot {verb} container: {container_name(vm)}: it is still being created")
    if status(vm) == "dead":
        raise Conflict(f"cannot {verb} container: {container_name(vm)}: its compute node is out of reach")


def _timeout(call: Call) -> int | None:
    """Read ``t`` in seconds. Raises InvalidParameter."""
    text = call.arg("t")
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise InvalidParameter(f'invalid value for "t": {text}: must be a number of seconds') from error


def _asked_signal(call: Call) -> str:
    text = call.arg("signal")
    return check_signal(text) if text else ""


def _stop_seconds(vm: Vm, asked: int | None) -> int:
    """Choose the grace period: the request's, the container's own, Docker's ten seconds."""
    if asked is not None:
        return asked
    return int(linux_options(vm).get("StopTimeout", DEFAULT_STOP_SECONDS))

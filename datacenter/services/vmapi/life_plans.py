"""The actions that start, stop and signal a VM."""

from __future__ import annotations

from functools import partial
from typing import Any

from datacenter.services.vmapi.plans import Plan, Planner
from datacenter.services.vmapi.record import Vm
from datacenter.services.vmapi.validation import Problems, check_metadata, refuse
from datacenter.services.vmapi.workflows import is_idempotent, stop_job_timeout
from datacenter.workflow.engine import Engine

Doc = dict[str, Any]

SIGNAL_NUMBERS = frozenset({*range(7), *range(8, 32), 37})


def life_plans(jobs: Engine) -> dict[str, Planner]:
    actions = ("start", "stop", "kill", "reboot", "pause", "unpause")
    return {action: partial(_plan, jobs, action) for action in actions}


def _plan(jobs: Engine, action: str, vm: Vm, asked: Doc) -> Plan:
    params: Doc = {"current_state": vm["state"]}
    if action == "kill" and "signal" in asked:
        params["signal"] = _signal(asked["signal"])
    if action in {"stop", "reboot"} and asked.get("timeout") is not None:
        params["timeout"] = _timeout(asked["timeout"])
    if action in {"start", "reboot"} and asked.get("update") is not None:
        params["update"] = _boot_update(asked["update"])
    if _idempotent(asked):
        params["idempotent"] = True
    workflow = jobs.workflow(action)
    assert workflow is not None
    slow = action in {"stop", "reboot"}
    return Plan(action, params, stop_job_timeout(params, workflow.timeout) if slow else None)


def _idempotent(asked: Doc) -> bool:
    """``idempotent`` is true or left out; saying false is refused, as a real VMAPI refuses it."""
    if asked.get("idempotent") and not is_idempotent(asked):
        raise refuse("idempotent", "Invalid", "Invalid idempotent", "Invalid Parameters")
    return is_idempotent(asked)


def _signal(signal: Any) -> str | int:
    """A signal by name, with or without SIG, or by number."""
    if isinstance(signal, int) and not isinstance(signal, bool):
        if signal in SIGNAL_NUMBERS:
            return signal
    elif isinstance(signal, str) and signal.isalnum():
        if not signal.isdecimal():
            return signal.upper()
        if int(signal) in SIGNAL_NUMBERS:
            return int(signal)
    raise refuse("signal", "Invalid", f"Invalid signal: {signal}")


def _timeout(timeout: Any) -> int:
    try:
        return int(timeout)
    except (TypeError, ValueError) as error:
        raise refuse("timeout", "Invalid", f"Invalid timeout: {timeout}") from error


def _boot_update(update: Any) -> Doc:
    """What may be changed in the moment of starting: internal metadata alone."""
    if not isinstance(update, dict) or update.keys() - {"set_internal_metadata"}:
        raise refuse("update", "Invalid", "Only set_internal_metadata may be given")
    problems = Problems()
    check_metadata("update", update.get("set_internal_metadata", {}), problems)
    problems.check()
    return update

"""Workflows that clients bring: how their definitions are kept and shown. Their source text is never executed."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import msgspec

from datacenter.restify import RestError

Doc = dict[str, Any]

CHAINS = ("chain", "onerror", "oncancel")
DEFAULT_ATTEMPTS = 10


def check(given: Doc) -> None:
    """Refuse chains that are none, and tasks without a body. Raises RestError Conflict."""
    for name in CHAINS:
        chain = given.get(name)
        if chain is None:
            continue
        if not isinstance(chain, list):
            raise RestError(409, "Conflict", f'Workflow "{name}" must be an array')
        if not all(isinstance(task, dict) and task.get("body") for task in chain):
            raise RestError(409, "Conflict", "Task body is required")
    for name in ("timeout", "max_attempts"):
        number = given.get(name, 1)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise RestError(409, "Conflict", f'Workflow "{name}" must be a number')


def made(given: Doc) -> Doc:
    """The record of a new workflow. Its tasks get uuids and their modules become text, its chains digests."""
    chains = {name: [_task(task) for task in given[name]] for name in CHAINS if isinstance(given.get(name), list)}
    digests = {f"{name}_md5": _digest(chain) for name, chain in chains.items()}
    fixed = {"uuid": str(uuid.uuid4()), "max_attempts": given.get("max_attempts", DEFAULT_ATTEMPTS)}
    return {**given, **chains, **fixed, **digests}


def _task(task: Any) -> Any:
    if not isinstance(task, dict):
        return task
    shown = {**task, "uuid": str(uuid.uuid4())}
    if isinstance(task.get("modules"), dict):
        shown["modules"] = msgspec.json.encode(task["modules"]).decode()
    return shown


def _digest(chain: list[Any]) -> str:
    """Tells clients whether a chain is still the one they brought, whatever uuids its tasks got."""
    bodies = [task.get("body") for task in chain if isinstance(task, dict)]
    return hashlib.md5(msgspec.json.encode(bodies), usedforsecurity=False).hexdigest()

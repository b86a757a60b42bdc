"""Jobs that clients queue: what they may ask for, and what becomes of those whose workflows are source text."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

from datacenter.clock import epoch
from datacenter.restify import RestError
from datacenter.workflow.definition import Task, Workflow
from datacenter.workflow.failure import TaskError
from datacenter.workflow.job import Job

Doc = dict[str, Any]

NOT_PARAMS = frozenset({"workflow", "target", "exec_after", "num_attempts", "locks"})
"""Fields of a job; all else that comes with it is its params."""
STATES = ("queued", "running", "waiting", "retried", "succeeded", "failed", "canceled")
HOUR = 3600.0


def brought(definition: Doc) -> Workflow:
    """The workflow of a definition that a client brought: its jobs fail at their first task, and say why."""
    chain = [task for task in definition.get("chain") or () if isinstance(task, dict)]
    first = Task(str(chain[0].get("name", "task")), _not_run) if chain else None
    return Workflow(
        task=str(definition["name"]),
        version=str(definition.get("version", "")),
        timeout=int(definition.get("timeout", HOUR)),
        chain=(first,) if first else (),
        brought=definition,
    )


def _not_run(job: Job) -> str | None:
    message = f"{job.workflow.name}: this data center does not run the source text of workflows that clients bring"
    raise TaskError("NotImplemented", message, 501)


def options(asked: Doc) -> Doc:
    """When a job is to begin, which attempt it is, which targets it locks. Raises RestError Conflict."""
    found: Doc = {}
    if asked.get("exec_after") is not None:
        try:
            epoch(str(asked["exec_after"]))
        except ValueError as error:
            raise RestError(409, "Conflict", "exec_after must be an ISO 8601 date") from error
        found["exec_after"] = str(asked["exec_after"])
    if asked.get("num_attempts") is not None:
        if not str(asked["num_attempts"]).isdecimal():
            raise RestError(409, "Conflict", "num_attempts must be a number")
        found["num_attempts"] = int(asked["num_attempts"])
    if asked.get("locks") is not None:
        try:
            re.compile(str(asked["locks"]))
        except re.error as error:
            raise RestError(409, "Conflict", f"locks must be a regular expression: {error}") from error
        found["locks"] = str(asked["locks"])
    return found


def is_same(doc: Doc, job_params: Doc) -> bool:
    """Whether an unfinished job does what another one would, asked for by another request."""
    return {**doc["params"], "x-request-id": None, "task": None} == {**job_params, "x-request-id": None, "task": None}


def has(doc: Doc, wanted: Doc) -> bool:
    """Whether a job's params, or its own fields, have some values; queries bring them as text."""
    return all(_text(doc["params"].get(name, doc.get(name))) == _text(value) for name, value in wanted.items())


def _text(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def statistics(docs: Iterable[Doc]) -> Doc:
    """Jobs counted by state, each in the youngest span that it belongs to.

    ``current`` are those of the last hour, ``past_hour`` of the hour before, ``past_24h`` of the day before that,
    ``all_time`` the rest.
    """
    spans = ("current", "past_hour", "past_24h", "all_time")
    counted = {span: dict.fromkeys(STATES, 0) for span in reversed(spans)}
    now = time.time()
    for doc in docs:
        age = now - epoch(doc["created_at"])
        span = spans[sum(age > limit for limit in (HOUR, 2 * HOUR, 24 * HOUR))]
        counted[span][doc["execution"]] += 1
    return counted

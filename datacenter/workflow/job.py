"""One run of a workflow: its record, and what this process knows about it while it is under way."""

from __future__ import annotations

import time
import uuid
from typing import Any

from gevent.event import AsyncResult, Event

from datacenter.clock import epoch, iso
from datacenter.workflow.definition import Workflow
from datacenter.workflow.failure import TaskError

Doc = dict[str, Any]
FINISHED = frozenset({"succeeded", "failed", "canceled"})
UNFINISHED = ("queued", "running", "waiting")
_TRIMMED = ("name", "uuid", "execution", "params", "exec_after", "created_at", "timeout", "chain_results")


class Job:
    """A job that has not ended yet. ``doc`` is its record; ``notes`` is for its tasks and is never stored."""

    def __init__(self, workflow: Workflow, doc: Doc, *, resumed: bool = False) -> None:
        self.workflow = workflow
        self.doc = doc
        self.resumed = resumed
        self.notes: dict[str, Any] = {}
        self.ended = Event()
        self.cancelled = Event()
        self.answer: AsyncResult | None = None
        """What a waiting job waits for."""

    @property
    def uuid(self) -> str:
        return str(self.doc["uuid"])

    @property
    def cancel_asked(self) -> bool:
        return bool(self.cancelled.is_set())

    @property
    def params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.doc["params"]
        return params

    @property
    def vm_uuid(self) -> str:
        return str(self.params["vm_uuid"])

    @property
    def request_id(self) -> str:
        return str(self.params.get("x-request-id", ""))

    def remaining(self) -> float:
        """Seconds until the whole job has to be over."""
        began: float = self.notes.setdefault("began", time.monotonic())
        return float(self.doc["timeout"]) - (time.monotonic() - began)


def new_record(workflow: Workflow, target: str, params: Doc, timeout: int | None = None, **asked: Any) -> Doc:
    """The record of a job that is about to be queued. ``asked`` may hold exec_after, num_attempts and locks."""
    now = iso()
    return {
        "execution": "queued",
        "chain_results": [],
        "onerror_results": [],
        "params": params,
        "task": params.get("task", workflow.task),
        "target": target,
        "vm_uuid": params.get("vm_uuid"),
        "server_uuid": params.get("server_uuid"),
        "workflow": workflow.uuid,
        "workflow_uuid": workflow.uuid,
        "exec_after": asked.get("exec_after") or now,
        "created_at": now,
        "num_attempts": asked.get("num_attempts") or 0,
        "max_attempts": workflow.max_attempts,
        "uuid": str(uuid.uuid4()),
        "name": workflow.name,
        "version": workflow.version,
        "timeout": timeout or workflow.timeout,
        "info": [],
        **({"locks": asked["locks"]} if asked.get("locks") else {}),
    }


def result(name: str, began: str, outcome: str, error: str | Doc = "") -> Doc:
    """One element of chain_results."""
    return {"result": outcome, "error": error, "name": name, "started_at": began, "finished_at": iso()}


def trimmed(doc: Doc) -> Doc:
    """A job as VMAPI shows it: without the definition of its workflow."""
    return {field: doc[field] for field in _TRIMMED}


def full(doc: Doc, workflow: Workflow | None) -> Doc:
    """A job as WFAPI shows it: with the definition of its workflow, and with an image that its params name."""
    hidden = {"info", "verdict"} | (set() if doc["onerror_results"] else {"onerror_results"})
    view = {key: value for key, value in doc.items() if key not in hidden}
    if "image_uuid" in doc["params"]:
        view["image_uuid"] = doc["params"]["image_uuid"]
    if workflow is not None:
        definition = workflow.definition()
        view.update({part: definition[part] for part in ("chain", "onerror", "oncancel") if part in definition})
    return view


def failure(doc: Doc) -> TaskError:
    """Why a job failed: the last entry of its chain_results, in the words VMAPI answers with."""
    if doc["execution"] == "canceled":
        return TaskError("InternalError", f"Job {doc['name']} ({doc['uuid']}) was canceled")
    last = doc["chain_results"][-1] if doc["chain_results"] else {}
    error = last.get("error")
    if isinstance(error, dict):
        code = str(error.get("restCode") or error.get("name") or "InternalError")
        return TaskError(code, str(error.get("message", "")), error.get("statusCode"))
    return TaskError("InternalError", f"job {doc['name']} ({doc['uuid']}) failed: {last.get('name')}: {error}")


def elapsed(doc: Doc) -> float:
    """Seconds from the first task's start to now."""
    return round(time.time() - epoch(doc["created_at"]), 3)

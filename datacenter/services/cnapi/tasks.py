"""Tasks that CNAPI's own VM endpoints started: their records, and waiting for them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import islice
from typing import Any

import gevent
from gevent.event import Event

from datacenter.clock import iso
from datacenter.restify import not_found
from datacenter.workflow.failure import TaskError

Doc = dict[str, Any]
KEEP = 500
"""Records remembered; older ones are unknown, as on a real CNAPI once a task has gone."""


class Tasks:
    """Task records by id, in memory: a task of an earlier process is as unknown as one long ended."""

    def __init__(self) -> None:
        self._records: dict[str, Doc] = {}
        self._ended: dict[str, Event] = {}

    def start(self, server_uuid: str, name: str, request_id: str, run: Callable[[], Doc]) -> str:
        """Run a task in the background and return its id at once."""
        task_id = str(uuid.uuid4())
        self._records[task_id] = {
            "id": task_id,
            "req_id": request_id,
            "task": name,
            "server_uuid": server_uuid,
            "status": "active",
            "timestamp": iso(),
            "history": [],
        }
        self._ended[task_id] = Event()
        gevent.spawn(self._run, task_id, run)
        self._forget_old()
        return task_id

    def get(self, task_id: str) -> Doc:
        """Return a task's record. Raises RestError ResourceNotFound."""
        record = self._records.get(task_id)
        if record is None:
            raise not_found("no such task found")
        return record

    def wait(self, task_id: str, timeout: float) -> Doc:
        """Wait until a task has ended, or ``timeout`` seconds, and return its record as it is then."""
        record = self.get(task_id)
        ended = self._ended.get(task_id)
        if ended is not None:
            ended.wait(timeout)
        return record

    def _forget_old(self) -> None:
        """Forget the oldest ended tasks; those under way are somebody's, however many they are."""
        excess = len(self._records) - KEEP
        if excess > 0:
            for old in list(islice((key for key in self._records if key not in self._ended), excess)):
                del self._records[old]

    def _run(self, task_id: str, run: Callable[[], Doc]) -> None:
        record = self._records[task_id]
        try:
            event = {"name": "finish", "timestamp": iso(), "event": run()}
            status = "complete"
        except TaskError as error:
            details = {"error": error.message, "restCode": error.rest_code}
            event = {"name": "error", "timestamp": iso(), "event": {"error": error.message, "details": details}}
            status = "failure"
        record["history"] = [event]
        record["status"] = status
        self._ended.pop(task_id).set()

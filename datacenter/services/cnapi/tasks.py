"""Tasks that CNAPI's own VM endpoints started: their records, and waiting for them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import islice
from typing import Any

import gevent
from gevent.event import Event

from datacenter.clock import iso
from datacenter.restify import RestError, not_found
from datacenter.services.cnapi.agent import REPEATABLE
from datacenter.store import Store
from datacenter.workflow.failure import TaskError

Doc = dict[str, Any]
Run = Callable[[str, str, Doc, str], Doc]
"""Runs a task on a server: its uuid, the task's name and parameters, the request's id. Raises TaskError, RestError."""

KEEP = 500
"""Records of ended tasks remembered; older ones are unknown, as on a real CNAPI once a task has gone."""
PARAMS = "params"
"""What a task was asked; on record while it is under way, and shown to nobody."""


class Tasks:
    """Task records by id, on disk before anybody is told of them.

    Who waits for a task of a process that died asks the next one: ``resume`` carries on with it.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._docs = store.bucket("tasks")
        self._run = run
        self._under_way = {task["id"]: Event() for task in self._docs.all() if task["status"] == "active"}
        self._ended = dict.fromkeys(task["id"] for task in self._docs.all() if task["status"] != "active")

    def resume(self) -> None:
        """Take up the tasks that an earlier process left under way.

        One that finds its own traces is sent again. Of any other nobody knows what became of it, and that is its end.
        """
        for task_id in list(self._under_way):
            task = self._docs.get(task_id)
            assert task is not None
            if task["task"] in REPEATABLE:
                gevent.spawn(self._carry_out, task_id)
            else:
                self._fail(task_id, TaskError("InternalError", f"{task['task']}: CNAPI ended while it was under way"))

    def start(self, server_uuid: str, name: str, request_id: str, params: Doc) -> str:
        """Run a task in the background and return its id at once."""
        task_id = str(uuid.uuid4())
        record = {
            "id": task_id,
            "req_id": request_id,
            "task": name,
            "server_uuid": server_uuid,
            "status": "active",
            "timestamp": iso(),
            "history": [],
        }
        self._docs.put(task_id, {**record, PARAMS: params})
        self._under_way[task_id] = Event()
        gevent.spawn(self._carry_out, task_id)
        return task_id

    def get(self, task_id: str) -> Doc:
        """Return a task's record. Raises RestError ResourceNotFound."""
        record = self._docs.get(task_id)
        if record is None:
            raise not_found("no such task found")
        return {key: value for key, value in record.items() if key != PARAMS}

    def wait(self, task_id: str, timeout: float) -> Doc:
        """Wait until a task has ended, or ``timeout`` seconds, and return its record as it is then."""
        self.get(task_id)
        under_way = self._under_way.get(task_id)
        if under_way is not None:
            under_way.wait(timeout)
        return self.get(task_id)

    def _carry_out(self, task_id: str) -> None:
        record = self._docs.get(task_id)
        assert record is not None
        try:
            found = self._run(record["server_uuid"], record["task"], record[PARAMS], record["req_id"])
        except TaskError as error:
            self._fail(task_id, error)
        except RestError as error:  # the server was forgotten meanwhile
            self._fail(task_id, TaskError(error.code, error.message))
        else:
            self._end(task_id, "complete", "finish", found)

    def _fail(self, task_id: str, error: TaskError) -> None:
        details = {"error": error.message, "restCode": error.rest_code}
        self._end(task_id, "failure", "error", {"error": error.message, "details": details})

    def _end(self, task_id: str, status: str, name: str, event: Doc) -> None:
        history = [{"name": name, "timestamp": iso(), "event": event}]
        self._docs.put(task_id, {**self.get(task_id), "status": status, "history": history})
        self._ended[task_id] = None
        self._under_way.pop(task_id).set()
        for old in list(islice(self._ended, max(len(self._ended) - KEEP, 0))):
            del self._ended[old]
            self._docs.delete(old)

"""Run jobs: each in its own greenlet, written down before it acts and after it ended."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import gevent
from gevent.event import AsyncResult

from datacenter.clock import epoch, iso
from datacenter.restify import RestError, not_found
from datacenter.store import Store, StoreError
from datacenter.workflow.definition import WAIT, Task, Workflow
from datacenter.workflow.failure import TaskError
from datacenter.workflow.job import FINISHED, UNFINISHED, Doc, Job, elapsed, failure, new_record, result

KEEP = 2000
"""Finished jobs remembered; older ones are forgotten."""
WAIT_LIMIT = 3600.0
"""Seconds for which anybody may wait for a job."""
DISK_PAUSE = 1.0
"""Seconds between two tries to write to a full disk."""
TASK_TIMEOUT = "task timeout error"
JOB_TIMEOUT = "workflow timeout"
CANCELED = "Canceled"
"""Name of the error of a task that waited when its job was canceled."""


class Engine:
    """Queue, run, cancel and resume the jobs of the data center.

    A job is on disk before its first task runs, so a kill -9 leaves nothing half-made without a record:
    ``resume`` runs it again or undoes it. Only jobs under way are held in memory.
    """

    def __init__(self, store: Store) -> None:
        self._ledger = store.ledger("jobs", "execution", "vm_uuid", "task", "target")
        self._workflows: dict[str, Workflow] = {}
        self._running: dict[str, Job] = {}
        self._locks: dict[str, re.Pattern[str]] = {}
        self._ended = 0
        self.elsewhere: Callable[[str], Workflow | None] = lambda _uuid: None
        """Finds workflows that are not defined here, by uuid."""

    def define(self, workflows: Iterable[Workflow]) -> None:
        for workflow in workflows:
            self._workflows[workflow.task] = workflow

    def workflows(self) -> list[Workflow]:
        return list(self._workflows.values())

    def workflow(self, task: str) -> Workflow | None:
        return self._workflows.get(task)

    def workflow_of(self, doc: Doc) -> Workflow | None:
        """The workflow that a record is a run of, in whichever version; None for one this process doesn't know.

        Its ``task`` is what clients list jobs by, and several workflows may share one.
        """
        known = self._workflows.get(doc["name"].removesuffix(f"-{doc['version']}").replace("-", "_"))
        return known or self.elsewhere(doc["workflow_uuid"])

    def create(self, task: str | Workflow, target: str, params: Doc, timeout: int | None = None, **asked: Any) -> Job:
        """Record a job without starting it, so that it can share a transaction with what it is about.

        ``asked`` may hold ``exec_after`` (an ISO time), ``num_attempts``, and ``locks``: an expression that keeps
        jobs on matching targets out until this one has ended. Raises RestError Conflict for a locked target.
        """
        if target and any(lock.search(target) for lock in self._locks.values()):
            raise RestError(409, "Conflict", "Job target is currently locked by another job")
        workflow = self._workflows[task] if isinstance(task, str) else task
        job = Job(workflow, new_record(workflow, target, params, timeout, **asked))
        self._ledger.put(job.uuid, job.doc)
        return job

    def launch(self, job: Job) -> Job:
        """Start a job; returns at once."""
        self._running[job.uuid] = job
        if job.doc.get("locks"):
            self._locks[job.uuid] = re.compile(job.doc["locks"])
        self._begin(job, self._run, job)
        return job

    def _begin(self, job: Job, work: Callable[..., None], *arguments: Any) -> None:
        """Run or undo a job in a greenlet; one that meets a defect of ours ends all the same."""
        greenlet = gevent.spawn(work, *arguments)
        if work == self._broken:  # the defect is in what undoes it
            greenlet.link_exception(lambda _: gevent.spawn(self._end, job, "failed"))
        else:
            greenlet.link_exception(lambda dead: self._begin(job, self._broken, job, dead.exception))

    def submit(self, task: str | Workflow, target: str, params: Doc, timeout: int | None = None, **asked: Any) -> Job:
        """As ``create``, and start it."""
        return self.launch(self.create(task, target, params, timeout, **asked))

    def get(self, uuid: str) -> Doc | None:
        """The record of a job, under way or ended."""
        job = self._running.get(uuid)
        return job.doc if job is not None else self._ledger.get(uuid)

    def find(self, equal: Mapping[str, str], limit: int = 1000, offset: int = 0) -> list[Doc]:
        """Records by execution, vm_uuid, task or target, newest first; a limit of -1 is none."""
        equal = dict(equal)
        execution = equal.pop("execution", None)
        if execution in UNFINISHED:
            live = [job.doc for job in reversed(self._running.values())]
            wanted = {**equal, "execution": execution}
            found = [doc for doc in live if all(doc.get(key) == value for key, value in wanted.items())]
            return found[offset:] if limit < 0 else found[offset : offset + limit]
        if execution is not None:
            equal["execution"] = execution
        docs = self._ledger.select(equal, limit, offset)
        return [self._running[doc["uuid"]].doc if doc["uuid"] in self._running else doc for doc in docs]

    def count(self, equal: Mapping[str, str]) -> int:
        execution = equal.get("execution")
        return len(self.find(equal, -1)) if execution in UNFINISHED else self._ledger.count(equal)

    def wait(self, uuid: str, timeout: float = WAIT_LIMIT) -> Doc:
        """Wait until a job has ended and return its record. Raises TaskError when it failed or time is up."""
        job = self._running.get(uuid)
        if job is not None and not job.ended.wait(timeout):
            raise TaskError("InternalError", f"Job {uuid} did not end within {timeout:.0f} seconds")
        doc = job.doc if job is not None else self._ledger.get(uuid)
        if doc is None:
            raise TaskError.of(not_found("Job not found"))
        if doc["execution"] != "succeeded":
            raise failure(doc)
        return doc

    def cancel(self, uuid: str) -> Doc | None:
        """Ask a job to stop before its next task; at once when it waits for its time or for somebody.

        Returns its record, None for an unknown one. Raises RestError Conflict when it has ended already.
        """
        doc = self.get(uuid)
        if doc is None:
            return None
        if doc["execution"] in FINISHED:
            raise RestError(409, "Conflict", "Finished jobs cannot be canceled")
        job = self._running[uuid]
        job.cancelled.set()
        if job.answer is not None:
            job.answer.set_exception(TaskError(CANCELED, "the job was canceled while it waited"))
        return doc

    def go_on(self, uuid: str, outcome: str, error: TaskError | None = None) -> Doc | None:
        """Give a waiting job the result of its task, or the error. Returns its record, None for an unknown one.

        Raises RestError Conflict when it does not wait.
        """
        job = self._running.get(uuid)
        if job is None or job.answer is None:
            if self.get(uuid) is None:
                return None
            raise RestError(409, "Conflict", "Only waiting jobs can be resumed")
        answer, job.answer = job.answer, None
        if error is None:
            answer.set(outcome)
        else:
            answer.set_exception(error)
        return job.doc

    def add_info(self, uuid: str, info: Doc) -> None:
        """Append to a running job's progress notes. Raises RestError for an unknown or ended job."""
        job = self._running.get(uuid)
        if job is None:
            if self._ledger.get(uuid) is None:
                raise not_found(f"Job {uuid} does not exist")
            raise RestError(409, "Conflict", "Finished jobs take no more info")
        job.doc["info"].append(info)
        self._ledger.put(uuid, job.doc)

    def resume(self) -> list[Job]:
        """Take up the jobs an earlier process left unfinished: run them again, or fail and undo them."""
        left = [doc for state in UNFINISHED for doc in self._ledger.select({"execution": state}, limit=-1)]
        return [self._take_up(doc) for doc in reversed(left)]

    def _take_up(self, doc: Doc) -> Job:
        workflow = self.workflow_of(doc)
        doc["num_attempts"] += 1
        if workflow is None:
            workflow = Workflow(doc["task"], doc["version"], doc["timeout"], (), resumable=False)
        job = Job(workflow, doc, resumed=True)
        given_up = doc["num_attempts"] > doc["max_attempts"]
        if "verdict" not in doc and workflow.resumable and not given_up:
            doc["chain_results"], doc["execution"] = [], "queued"
            return self.launch(job)
        self._running[job.uuid] = job
        if "verdict" not in doc:
            often = f", attempt {doc['num_attempts']} of {doc['max_attempts']}" if given_up else ""
            error = TaskError("InternalError", f"the data center was restarted while the job ran{often}")
            doc["chain_results"].append(result("runner.interrupted", iso(), "", error.record()))
        self._begin(job, self._undo, job, doc.get("verdict", "failed"))
        return job

    def _run(self, job: Job) -> None:
        pause = epoch(job.doc["exec_after"]) - time.time()
        if pause > 0:
            job.cancelled.wait(pause)
        job.doc["execution"] = "running"
        job.doc["started"] = iso()
        for task in job.workflow.chain:
            if job.cancel_asked:
                self._undo(job, "canceled")
                return
            if not self._attempt(job, task, job.doc["chain_results"]):
                error = job.doc["chain_results"][-1]["error"]
                canceled = isinstance(error, dict) and error["name"] == CANCELED and job.cancelled.is_set()
                self._undo(job, "canceled" if canceled else "failed")
                return
        self._end(job, "succeeded")

    def _attempt(self, job: Job, task: Task, results: list[Doc]) -> bool:
        """Run one task inside its time and the job's, and record how it went."""
        began = iso()
        remaining = job.remaining()
        limit = min(task.timeout, max(remaining, 0.0))
        try:
            with gevent.Timeout(limit):
                outcome = task.run(job) or "OK"
                if outcome is WAIT:
                    outcome = self._wait(job)
                results.append(result(task.name, began, outcome))
            return True
        except gevent.Timeout:
            text = TASK_TIMEOUT if task.timeout <= remaining else JOB_TIMEOUT
            results.append(result(task.name, began, "", text))
        except TaskError as error:
            results.append(result(task.name, began, "", error.record()))
        except RestError as error:
            results.append(result(task.name, began, "", TaskError.of(error).record()))
        except StoreError as error:
            results.append(result(task.name, began, "", TaskError("InternalError", f"not recorded: {error}").record()))
        return False

    def _wait(self, job: Job) -> str:
        """Wait for the result that somebody gives a job by ``go_on``. Raises TaskError when it is an error."""
        answer = job.answer = AsyncResult()
        job.doc["execution"] = "waiting"
        self._ledger.put(job.uuid, job.doc)
        try:
            return str(answer.get())
        finally:
            job.answer = None
            job.doc["execution"] = "running"

    def _undo(self, job: Job, verdict: str = "failed") -> None:
        """Run the tasks that undo a job, each of them whatever became of the others, outside the job's own time.

        The verdict is on disk before anything is undone: after a crash the undoing goes on, and not the chain.
        """
        job.doc["verdict"], job.doc["onerror_results"] = verdict, []
        self._record(job)
        job.notes.pop("began", None)
        for task in job.workflow.oncancel if verdict == "canceled" else job.workflow.onerror:
            self._attempt(job, task, job.doc["onerror_results"])
        self._end(job, verdict)

    def _broken(self, job: Job, error: Any) -> None:
        """A task met a defect of ours: fail the job as any other, so that it ends and is undone."""
        record = TaskError("InternalError", f"unexpected {type(error).__name__}").record()
        job.doc["chain_results"].append(result("runner.unexpected", iso(), "", record))
        self._undo(job)

    def _record(self, job: Job) -> None:
        """Put a job's record on disk, as soon as that has room: nobody may be told of an end that is not there."""
        while True:
            try:
                self._ledger.put(job.uuid, job.doc)
            except StoreError:
                gevent.sleep(DISK_PAUSE)
            else:
                return

    def _end(self, job: Job, execution: str) -> None:
        job.doc.pop("verdict", None)
        job.doc["execution"] = execution
        job.doc["elapsed"] = elapsed(job.doc)
        self._record(job)
        self._running.pop(job.uuid, None)
        self._locks.pop(job.uuid, None)
        job.ended.set()
        self._ended += 1
        if self._ended % 100 == 0:
            with suppress(StoreError):  # the next hundred will do
                self._ledger.trim(KEEP, "execution", FINISHED)

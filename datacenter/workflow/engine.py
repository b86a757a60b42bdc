"""Run jobs: each in its own greenlet, written down before it acts and after it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import gevent

from datacenter.clock import iso
from datacenter.restify import RestError, not_found
from datacenter.store import Store
from datacenter.workflow.definition import Task, Workflow
from datacenter.workflow.failure import TaskError
from datacenter.workflow.job import FINISHED, UNFINISHED, Doc, Job, elapsed, failure, new_record, result

KEEP = 2000
"""Finished jobs remembered; older ones are forgotten."""
WAIT_LIMIT = 3600.0
"""Seconds for which anybody may wait for a job."""
TASK_TIMEOUT = "task timeout error"
JOB_TIMEOUT = "workflow timeout"


class Engine:
    """Queue, run, cancel and resume the jobs of the data center.

    A job is on disk before its first task runs, so a kill -9 leaves nothing half-made without a record:
    ``resume`` runs it again or undoes it. Only jobs under way are held in memory.
    """

    def __init__(self, store: Store) -> None:
        self._ledger = store.ledger("jobs", "execution", "vm_uuid", "task", "target")
        self._workflows: dict[str, Workflow] = {}
        self._running: dict[str, Job] = {}
        self._ended = 0

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
        return self._workflows.get(doc["name"].removesuffix(f"-{doc['version']}").replace("-", "_"))

    def create(self, task: str, target: str, params: Doc, timeout: int | None = None) -> Job:
        """Record a job without starting it, so that it can share a transaction with what it is about."""
        workflow = self._workflows[task]
        job = Job(workflow, new_record(workflow, target, params, timeout))
        self._ledger.put(job.uuid, job.doc)
        return job

    def launch(self, job: Job) -> Job:
        """Start a job; returns at once."""
        self._running[job.uuid] = job
        greenlet = gevent.spawn(self._run, job)
        greenlet.link_exception(lambda dead: gevent.spawn(self._broken, job, dead.exception))
        return job

    def submit(self, task: str, target: str, params: Doc, timeout: int | None = None) -> Job:
        return self.launch(self.create(task, target, params, timeout))

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
        """Ask a job to stop before its next task. Returns its record, None for an unknown one.

        Raises RestError Conflict when it has ended already.
        """
        doc = self.get(uuid)
        if doc is None:
            return None
        if doc["execution"] in FINISHED:
            raise RestError(409, "Conflict", "Finished jobs cannot be cancelled")
        self._running[uuid].cancel_asked = True
        return doc

    def add_info(self, uuid: str, info: Doc) -> None:
        """Append to a running job's progress notes. Raises RestError for an unknown or ended job."""
        job = self._running.get(uuid)
        if job is None:
            if self._ledger.get(uuid) is None:
                raise not_found(f"Job {uuid} does not exist")
            raise RestError(409, "Conflict", "Finished jobs take no more info")
        job.doc["info"].append(info)

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
        if "verdict" not in doc and workflow.resumable:
            return self.launch(job)
        self._running[job.uuid] = job
        if "verdict" not in doc:
            error = TaskError("InternalError", "the data center was restarted while the job ran")
            doc["chain_results"].append(result("runner.interrupted", iso(), "", error.record()))
        gevent.spawn(self._undo, job, doc.get("verdict", "failed"))
        return job

    def _run(self, job: Job) -> None:
        job.doc["execution"] = "running"
        job.doc["started"] = iso()
        for task in job.workflow.chain:
            if job.cancel_asked:
                self._undo(job, "canceled")
                return
            if not self._attempt(job, task, job.doc["chain_results"]):
                self._undo(job)
                return
        self._end(job, "succeeded")

    def _attempt(self, job: Job, task: Task, results: list[Doc]) -> bool:
        """Run one task inside its time and the job's, and record how it went."""
        began = iso()
        remaining = job.remaining()
        limit = min(task.timeout, max(remaining, 0.0))
        try:
            with gevent.Timeout(limit):
                results.append(result(task.name, began, task.run(job) or "OK"))
            return True
        except gevent.Timeout:
            text = TASK_TIMEOUT if task.timeout <= remaining else JOB_TIMEOUT
            results.append(result(task.name, began, "", text))
        except TaskError as error:
            results.append(result(task.name, began, "", error.record()))
        except RestError as error:
            results.append(result(task.name, began, "", TaskError.of(error).record()))
        return False

    def _undo(self, job: Job, verdict: str = "failed") -> None:
        """Run the tasks that undo a job, each of them whatever became of the others, outside the job's own time.

        The verdict is on disk before anything is undone: after a crash the undoing goes on, and not the chain.
        """
        job.doc["verdict"], job.doc["onerror_results"] = verdict, []
        self._ledger.put(job.uuid, job.doc)
        job.notes.pop("began", None)
        for task in job.workflow.oncancel if verdict == "canceled" else job.workflow.onerror:
            self._attempt(job, task, job.doc["onerror_results"])
        del job.doc["verdict"]
        self._end(job, verdict)

    def _broken(self, job: Job, error: Any) -> None:
        """A task met a defect of ours: fail the job as any other, so that it ends and is undone."""
        record = TaskError("InternalError", f"unexpected {type(error).__name__}").record()
        job.doc["chain_results"].append(result("runner.unexpected", iso(), "", record))
        self._undo(job)

    def _end(self, job: Job, execution: str) -> None:
        job.doc["execution"] = execution
        job.doc["elapsed"] = elapsed(job.doc)
        self._ledger.put(job.uuid, job.doc)
        self._running.pop(job.uuid, None)
        job.ended.set()
        self._ended += 1
        if self._ended % 100 == 0:
            self._ledger.trim(KEEP, "execution", FINISHED)

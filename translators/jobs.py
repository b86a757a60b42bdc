"""VMAPI jobs: submit, then poll to completion.

Nothing is asked to wait inside VMAPI (``sync=true``): the job's uuid is kept, so that a lost connection or a
restarted service costs a poll and not the work. One poller serves all who wait for a job; it belongs to the
worker, not to a client, so a client that leaves takes nothing with it.
"""

from __future__ import annotations

import contextvars
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime
from functools import cache
from typing import Any

from gateway import signals
from gateway.call import Call
from gateway.errors import DeadlineExceeded, InternalError
from sdc.errors import SdcError, SdcUnavailable
from sdc.vmapi import Vmapi

_JITTER = random.Random()  # noqa: S311 - chance of its own: background threads leave everybody else's alone

Job = dict[str, Any]

FIRST_PAUSE = 0.003
LONGEST_PAUSE = 1.0
GROWTH = 1.5
SUBMIT_PATIENCE = 20.0
"""Seconds during which a submission is tried again while VMAPI cannot be reached."""
CLOCKS_APART = 5.0
"""Seconds by which the data center's clock may be behind. An id of a request is not the only one of its kind when
clients give it, so a job must be of this time, too."""
_ENDED = frozenset({"succeeded", "failed", "canceled"})


class JobFailed(SdcError):
    """A job ended without success; ``code`` and ``message`` are those of its last task."""


def pauses(first: float = FIRST_PAUSE) -> Iterator[float]:
    """Yield growing waiting times in seconds, jittered so that many pollers do not march in step."""
    pause = first
    while True:
        yield pause * _JITTER.uniform(0.85, 1.15)
        pause = min(pause * GROWTH, LONGEST_PAUSE)


class Pace:
    """How long jobs of each kind have taken of late, so that none is asked about long before it can have ended.

    A busy data center is then asked about a job twice or so, and not at every few milliseconds of its wait.
    """

    SHARE = 0.7
    """Of the usual time, the part after which to ask first."""
    RISE, FALL = 0.05, 0.5
    """Weights of one job that took longer, or less: a stop takes ten seconds or none, and nobody waits for nothing."""
    MOST = 0.5
    """Seconds: what takes longer cannot be foreseen."""

    def __init__(self) -> None:
        self._usual: dict[str, float] = {}

    def note(self, kind: str, seconds: float) -> None:
        usual = self._usual.get(kind, 0.0)
        change = min(seconds, self.MOST) - usual
        self._usual[kind] = usual + change * (self.RISE if change > 0 else self.FALL)

    def pauses(self, kind: str) -> Iterator[float]:
        """Yield the waiting times for a job of this kind: a long one, then short ones that grow."""
        usual = self._usual.get(kind, 0.0) * self.SHARE
        if usual > FIRST_PAUSE:
            yield usual * _JITTER.uniform(0.85, 1.15)
        yield from pauses(max(FIRST_PAUSE, usual / 8))


class Poller:
    """Polls one job until it ends; ``outcome`` is the job, or the error that stopped the polling."""

    def __init__(self, vmapi: Vmapi, uuid: str, vm_uuid: str, operation: str, deadline: float, *, pace: Pace) -> None:
        self.uuid = uuid
        self._vm_uuid = vm_uuid
        self.outcome: Future[Job] = Future()
        self._vmapi = vmapi
        self._operation = operation
        self._deadline = deadline
        self._pace = pace
        self._began = time.monotonic()
        self._woken = threading.Event()
        self._seen: tuple[str, str | None] | None = None

    def wake(self) -> None:
        """Poll now: something was heard that makes an end likely."""
        self._woken.set()

    def run(self) -> None:
        waiting = self._pace.pauses(self._operation)
        while time.monotonic() < self._deadline:
            if self._woken.wait(next(waiting)):
                self._woken.clear()
                waiting = pauses()
            try:
                job = self._vmapi.get_job(self.uuid)
            except SdcUnavailable:
                continue
            except SdcError as error:
                self.outcome.set_exception(error)
                return
            self._announce(job)
            if job["execution"] in _ENDED:
                what = {"job_uuid": self.uuid, "vm_uuid": self._vm_uuid, "execution": job["execution"]}
                seconds = time.monotonic() - self._began
                self._pace.note(self._operation, seconds)
                signals.job_finished.send(self._operation, seconds=seconds, **what)
                self.outcome.set_result(job)
                return
            if job["execution"] == "retried" and job.get("next_attempt"):
                self.uuid = job["next_attempt"]
        self.outcome.set_exception(DeadlineExceeded(f"job {self.uuid} did not end in time"))

    def _announce(self, job: Job) -> None:
        results = job.get("chain_results") or []
        state = (job["execution"], results[-1].get("name") if results else None)
        if state != self._seen:
            self._seen = state
            signals.job_progressed.send(self._operation, job_uuid=self.uuid, execution=state[0], task=state[1])


class Jobs:
    """The jobs that a worker waits for, each with one poller."""

    def __init__(self, vmapi: Vmapi) -> None:
        self._vmapi = vmapi
        self._pace = Pace()
        self._pollers: dict[str, Poller] = {}
        self._of_vm: dict[str, set[Poller]] = {}

    def wait(self, job_uuid: str, vm_uuid: str, *, operation: str, timeout: float, patience: float) -> Job:
        """Return the job once it has ended, well or not; joins a poller that is already at it.

        ``timeout`` is how long this caller waits, ``patience`` how long the polling goes on, in seconds.
        Raises DeadlineExceeded, and SdcError when the job cannot be read at all.
        """
        poller = self._pollers.get(job_uuid)
        if poller is None:
            poller = Poller(self._vmapi, job_uuid, vm_uuid, operation, time.monotonic() + patience, pace=self._pace)
            self._pollers[job_uuid] = poller
            self._of_vm.setdefault(vm_uuid, set()).add(poller)
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(self._run, job_uuid, vm_uuid, poller), daemon=True).start()
        try:
            return poller.outcome.result(timeout)
        except TimeoutError as error:
            raise DeadlineExceeded(f"the data center is still at it after {timeout:g} s (job {job_uuid})") from error

    def wake(self, vm_uuid: str) -> None:
        """Hurry the pollers of a VM's jobs: the VM was just seen to change."""
        for poller in tuple(self._of_vm.get(vm_uuid, ())):
            poller.wake()

    def _run(self, job_uuid: str, vm_uuid: str, poller: Poller) -> None:
        try:
            poller.run()
        finally:
            if not poller.outcome.done():
                poller.outcome.set_exception(InternalError(f"the polling of job {job_uuid} broke off"))
            del self._pollers[job_uuid]
            self._of_vm[vm_uuid].discard(poller)
            if not self._of_vm[vm_uuid]:
                del self._of_vm[vm_uuid]


@cache
def jobs_of(vmapi: Vmapi) -> Jobs:
    """Return the jobs of a data center: one book per worker and VMAPI client."""
    return Jobs(vmapi)


def run_job(
    call: Call, vm_uuid: str, task: str, submit: Callable[[], str], accepted: Callable[[], None] | None = None
) -> Job:
    """Submit a job and return it when it has succeeded. ``accepted`` is called once VMAPI has it.

    ``submit`` is tried again while VMAPI cannot be reached, unless it is seen to have the job. Raises JobFailed with
    the code and message of the last task, SdcError for a refused submission, DeadlineExceeded.
    """
    job_uuid = submitted(call, submit, lambda began: _taken(call, vm_uuid, task, began))
    call.jobs.append(job_uuid)
    if accepted is not None:
        accepted()
    signals.job_submitted.send(call.operation.name, call=call, job_uuid=job_uuid, vm_uuid=vm_uuid, task=task)
    job = jobs_of(call.services.vmapi).wait(
        job_uuid,
        vm_uuid,
        operation=call.operation.name,
        timeout=call.remaining(call.config.job_timeout),
        patience=call.config.job_timeout,
    )
    if job["execution"] != "succeeded":
        raise failure(job)
    return job


def submitted(call: Call, submit: Callable[[], str], taken: Callable[[float], str | None]) -> str:
    """Submit with patience for a VMAPI that is just restarting.

    ``taken`` tells, before another try, which job the one before has left there after all, given when trying began.
    """
    began, end = time.time(), time.monotonic() + call.remaining(SUBMIT_PATIENCE)
    attempt = submit
    for pause in pauses(first=0.05):
        try:
            return attempt()
        except SdcUnavailable:
            if time.monotonic() + pause > end:
                raise
        attempt = lambda: taken(began) or submit()  # noqa: E731 - as long as the try above
        time.sleep(pause)
    raise AssertionError("unreachable")


def _taken(call: Call, vm_uuid: str, task: str, began: float) -> str | None:
    """Find the job of a submission whose answer was lost: what is done twice is not always the same as once.

    SDC: VMAPI GET /vms/:uuid/jobs
    """
    try:
        jobs = call.services.vmapi.list_vm_jobs(vm_uuid)
    except SdcError as error:
        if error.status == 404:  # not even the VM that it was to make
            return None
        raise
    for job in jobs:
        name, _, _ = str(job["name"]).rpartition("-")
        asked = job["params"].get("x-request-id") == call.request_id and name.replace("-", "_") == task
        if asked and job["uuid"] not in call.jobs and _epoch(job["created_at"]) > began - CLOCKS_APART:
            return str(job["uuid"])
    return None


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def failure(job: Job) -> JobFailed:
    """Build the error of a failed or canceled job from its last task's result.

    SDC writes that error as a text, as ``{name, message}`` or as ``{statusCode, restCode, body}``.
    """
    name = f"job {job.get('name', '')} ({job['uuid']})"
    if job["execution"] == "canceled":
        return JobFailed("vmapi", 500, "JobCanceled", f"{name} was canceled")
    results = job.get("chain_results") or [{}]
    error = results[-1].get("error")
    if not isinstance(error, dict):
        return JobFailed("vmapi", 500, "InternalError", f"{name} failed: {error or 'no reason given'}")
    inner = error.get("body")
    body: dict[str, Any] = inner if isinstance(inner, dict) else {}
    code = error.get("restCode") or body.get("code") or error.get("name") or "InternalError"
    message = error.get("message") or body.get("message") or f"{name} failed"
    return JobFailed("vmapi", int(error.get("statusCode") or 500), str(code), str(message), body.get("errors"))

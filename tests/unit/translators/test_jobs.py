"""Jobs: polled to their end, shared, patient, and failing in the words of their last task."""

from __future__ import annotations

import threading
from itertools import islice
from types import SimpleNamespace

import pytest

from datacenter.clock import iso
from gateway import signals
from gateway.errors import DeadlineExceeded
from gateway.operations import by_name
from sdc.errors import SdcError, SdcUnavailable
from translators.jobs import LONGEST_PAUSE, JobFailed, Jobs, Pace, failure, jobs_of, pauses, run_job


class ScriptedVmapi:
    """Answers GET /jobs from a script; the last answer stays."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def get_job(self, uuid):
        self.asked.append(uuid)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"uuid": uuid, "name": "start-7", "chain_results": [], **answer}


def wait(vmapi, timeout=5.0):
    return Jobs(vmapi).wait("j1", "v1", operation="container.start", timeout=timeout, patience=timeout)


QUEUED, RUNNING, DONE = ({"execution": word} for word in ("queued", "running", "succeeded"))
AWAY = SdcUnavailable("vmapi", 503, "ServiceUnavailable", "restarting")


def test_polls_until_done_through_a_hiccup():
    vmapi = ScriptedVmapi(QUEUED, RUNNING, AWAY, RUNNING, DONE)
    assert wait(vmapi)["execution"] == "succeeded"
    assert len(vmapi.asked) == 5


def test_follows_a_retried_job():
    vmapi = ScriptedVmapi({"execution": "retried", "next_attempt": "j2"}, DONE)
    assert wait(vmapi)["uuid"] == "j2"


def test_an_unknown_job_is_an_error():
    with pytest.raises(SdcError, match="no such job"):
        wait(ScriptedVmapi(SdcError("vmapi", 404, "ResourceNotFound", "no such job")))


def test_a_deadline_ends_the_wait():
    with pytest.raises(DeadlineExceeded):
        wait(ScriptedVmapi(RUNNING), timeout=0.02)


def test_waiters_share_one_poller_and_leaving_does_not_end_it():
    gate = threading.Event()
    vmapi = ScriptedVmapi(DONE)
    answer = vmapi.get_job
    vmapi.get_job = lambda uuid: (gate.wait(5), answer(uuid))[1]
    jobs, got = Jobs(vmapi), []
    with pytest.raises(DeadlineExceeded):
        jobs.wait("j1", "v1", operation="o", timeout=0.01, patience=5)
    others = [
        threading.Thread(target=lambda: got.append(jobs.wait("j1", "v1", operation="o", timeout=5, patience=5)))
        for _ in range(3)
    ]
    for thread in others:
        thread.start()
    gate.set()
    for thread in others:
        thread.join()
    assert [job["execution"] for job in got] == ["succeeded"] * 3
    assert len(vmapi.asked) <= 2  # a second only when the first had ended before the last thread came


def test_pauses_grow_from_milliseconds_to_a_second():
    some = list(islice(pauses(), 40))
    assert some[0] < 0.004
    assert max(some) <= LONGEST_PAUSE * 1.15
    assert min(some[-5:]) >= LONGEST_PAUSE * 0.85


def test_a_job_is_not_asked_about_long_before_jobs_of_its_kind_end():
    pace = Pace()
    assert next(pace.pauses("container.create")) < 0.004
    for _ in range(100):
        pace.note("container.create", 0.2)
    first, second, *_ = islice(pace.pauses("container.create"), 3)
    assert 0.1 < first < 0.2
    assert second < first / 4
    assert next(pace.pauses("container.start")) < 0.004


def test_few_short_jobs_among_many_long_ones_are_not_waited_for():
    pace = Pace()
    for seconds in (10.0, 10.0, 0.01, 10.0, 10.0, 0.01):
        pace.note("container.stop", seconds)
    assert next(pace.pauses("container.stop")) < 0.05


def test_signals_tell_the_life_of_a_job():
    told = []
    receivers = [
        (signal, lambda sender, name=name, **facts: told.append((name, sender, facts.get("execution"))))
        for name, signal in (("submitted", signals.job_submitted), ("progressed", signals.job_progressed), ("finished", signals.job_finished))
    ]  # fmt: skip
    for signal, receiver in receivers:
        signal.connect(receiver, weak=False)
    vmapi = ScriptedVmapi(QUEUED, QUEUED, DONE)
    call = SimpleNamespace(
        operation=by_name("container.start"), services=SimpleNamespace(vmapi=vmapi),
        config=SimpleNamespace(job_timeout=5.0), remaining=lambda most: most, hints={}, jobs=[],
    )  # fmt: skip
    try:
        run_job(call, "v1", "start", lambda: "j1")
    finally:
        for signal, receiver in receivers:
            signal.disconnect(receiver)
    sender = "container.start"
    assert told == [
        ("submitted", sender, None), ("progressed", sender, "queued"), ("progressed", sender, "succeeded"),
        ("finished", sender, "succeeded"),
    ]  # fmt: skip


def test_a_submission_that_left_not_even_a_vm_is_made_again():
    """A create that was lost with the services: VMAPI knows no VM of which to list jobs."""
    assert lost_once(error=SdcError("vmapi", 404, "ResourceNotFound", "VM not found")) == "second"


def lost_once(*jobs, error=None):
    """Run a job whose first submission is not answered, at a VMAPI that has these afterwards: the job's uuid."""
    vmapi, tries = ScriptedVmapi(DONE), []

    def list_vm_jobs(vm_uuid):
        if error is not None:
            raise error
        return [{"name": "add-nics-7.0.1", "uuid": "other", "created_at": iso(), **job} for job in jobs]

    vmapi.list_vm_jobs = list_vm_jobs
    call = SimpleNamespace(
        operation=by_name("network.connect"), services=SimpleNamespace(vmapi=vmapi), request_id="mine", jobs=["earlier"],
        config=SimpleNamespace(job_timeout=5.0), remaining=lambda most: most, hints={},
    )  # fmt: skip

    def submit():
        tries.append(1)
        if len(tries) == 1:
            raise AWAY
        return "second"

    accepted = []
    run_job(call, "v1", "add_nics", submit, lambda: accepted.append(1))
    assert accepted == [1]
    return vmapi.asked[-1]


MINE = {"params": {"x-request-id": "mine"}}


def test_a_job_that_got_through_is_not_submitted_again():
    assert lost_once({**MINE, "uuid": "first"}) == "first"


@pytest.mark.parametrize(
    "other",
    [
        {**MINE, "name": "update-7.1.10"},
        {**MINE, "uuid": "earlier"},
        {**MINE, "created_at": "2001-01-01T00:00:00.000Z"},
        {"params": {"x-request-id": "hers"}},
        {"params": {}},
    ],
)
def test_no_other_job_is_taken_for_one_that_got_lost(other):
    assert lost_once(other) == "second"


@pytest.mark.parametrize(("job", "code", "message"), [
    ({"execution": "canceled"}, "JobCanceled", "job start-7 (j) was canceled"),
    ({"execution": "failed", "chain_results": []}, "InternalError", "job start-7 (j) failed: no reason given"),
    ({"execution": "failed", "chain_results": [{"error": "task timeout error"}]}, "InternalError", "job start-7 (j) failed: task timeout error"),
    ({"execution": "failed", "chain_results": [{"error": {"name": "X", "message": "m"}}]}, "X", "m"),
    ({"execution": "failed", "chain_results": [{"error": ""}, {"error": {"statusCode": 409, "restCode": "VmNotRunning", "body": {"message": "b"}}}]}, "VmNotRunning", "b"),
    ({"execution": "failed", "chain_results": [{"error": {"body": {"code": "C", "message": "b"}}}]}, "C", "b"),
])  # fmt: skip
def test_failures(job, code, message):
    error = failure({"uuid": "j", "name": "start-7", **job})
    assert isinstance(error, JobFailed)
    assert (error.code, error.message) == (code, message)


def test_one_book_per_client():
    vmapi = ScriptedVmapi(DONE)
    assert jobs_of(vmapi) is jobs_of(vmapi)

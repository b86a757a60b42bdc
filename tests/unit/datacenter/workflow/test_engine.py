from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from datacenter.restify import RestError
from datacenter.store import Store, StoreError
from datacenter.workflow import engine as engine_module
from datacenter.workflow.definition import WAIT, Task, Workflow
from datacenter.workflow.engine import Engine
from datacenter.workflow.failure import TaskError
from datacenter.workflow.job import failure


@pytest.fixture
def store():
    store = Store(":memory:")
    yield store
    store.close()


@pytest.fixture
def engine(store):
    return Engine(store)


def run(engine, *chain, onerror=(), oncancel=(), timeout=10, **params):
    engine.define([Workflow("work", "1.0", timeout, chain, onerror, oncancel)])
    job = engine.submit("work", "/work", {"vm_uuid": "v", **params})
    assert job.ended.wait(5)
    return engine.get(job.uuid)


def refuse(*args):
    def step(job):
        raise TaskError(*args)

    return step


def test_results_are_recorded_in_order(engine):
    doc = run(engine, Task("one", lambda job: "first"), Task("two", lambda job: None))
    assert doc["execution"] == "succeeded"
    assert doc["name"] == "work-1.0"
    assert [(entry["name"], entry["result"], entry["error"]) for entry in doc["chain_results"]] == [
        ("one", "first", ""),
        ("two", "OK", ""),
    ]
    assert doc["elapsed"] >= 0


def test_the_first_failure_ends_the_chain_and_undoes(engine):
    undone = []
    undo = (
        Task("undo.fails", refuse("Gone", "no luck")),
        Task("undo.works", lambda job: undone.append(job.params["x"])),
    )
    doc = run(engine, Task("bad", refuse("VmNotRunning", "no", 409)), Task("never", undone.append), onerror=undo, x=7)
    assert doc["execution"] == "failed"
    assert [entry["name"] for entry in doc["chain_results"]] == ["bad"]
    assert doc["chain_results"][0]["error"] == {
        "name": "VmNotRunning", "message": "no", "restCode": "VmNotRunning", "statusCode": 409,
    }  # fmt: skip
    assert undone == [7]
    assert [entry["name"] for entry in doc["onerror_results"]] == ["undo.fails", "undo.works"]


def test_service_errors_fail_a_task_as_well(engine):
    def full(job):
        raise RestError(507, "SubnetFull", "no more")

    error = run(engine, Task("nic", full))["chain_results"][0]["error"]
    assert (error["restCode"], error["statusCode"]) == ("SubnetFull", 507)


def test_task_timeout(engine):
    doc = run(engine, Task("slow", lambda job: gevent.sleep(5), 0.01))
    assert doc["chain_results"][0]["error"] == "task timeout error"
    assert failure(doc).message.endswith("failed: slow: task timeout error")


def test_workflow_timeout(engine):
    doc = run(engine, Task("slow", lambda job: gevent.sleep(5), 60), timeout=0.01)
    assert doc["chain_results"][0]["error"] == "workflow timeout"


def test_a_defect_ends_the_job(engine, capsys):
    doc = run(engine, Task("broken", lambda job: 1 // 0), onerror=(Task("undo", lambda job: None),))
    capsys.readouterr()
    assert doc["execution"] == "failed"
    assert doc["chain_results"][-1]["error"]["message"] == "unexpected ZeroDivisionError"
    assert doc["onerror_results"][0]["name"] == "undo"


def test_a_defect_in_what_undoes_a_job_ends_it_too(engine, capsys):
    doc = run(engine, Task("bad", refuse("Gone", "no")), onerror=(Task("worse", lambda job: 1 / 0),))
    assert doc["execution"] == "failed"
    assert "ZeroDivisionError" in capsys.readouterr().err


class Full:
    """A disk without room, as long as it is ``full``."""

    def __init__(self, store, monkeypatch):
        self.full, self.refused = False, Event()
        self._write = store.execute
        monkeypatch.setattr(store, "execute", self.execute)
        monkeypatch.setattr(engine_module, "DISK_PAUSE", 0.001)

    def execute(self, statement, values=()):
        if self.full and statement.startswith(("INSERT", "DELETE")):
            self.refused.set()
            raise StoreError("database or disk is full")
        return self._write(statement, values)


def test_a_full_disk_fails_a_task_and_is_waited_for_before_anything_is_undone(store, engine, monkeypatch):
    disk, things, undone = Full(store, monkeypatch), store.bucket("things"), []

    def fill(job):
        disk.full = True
        things.put("a", {})

    chain = (Task("one", fill),)
    engine.define([Workflow("work", "1.0", 10, chain, (Task("undo", lambda job: undone.append(disk.full)),))])
    job = engine.submit("work", "/work", {"vm_uuid": "v"})
    assert disk.refused.wait(5)
    gevent.sleep(0.01)
    assert (undone, job.ended.is_set()) == ([], False)
    disk.full = False
    assert job.ended.wait(5)
    assert undone == [False]
    assert engine.get(job.uuid)["chain_results"][-1]["error"]["message"] == "not recorded: database or disk is full"
    assert (engine.get(job.uuid)["execution"], "verdict" in engine.get(job.uuid)) == ("failed", False)


def test_an_end_is_told_when_it_is_on_disk(store, engine, monkeypatch):
    disk = Full(store, monkeypatch)
    engine.define([Workflow("work", "1.0", 10, (Task("one", lambda job: setattr(disk, "full", True)),))])
    job = engine.submit("work", "/work", {"vm_uuid": "v"})
    assert disk.refused.wait(5)
    assert not job.ended.wait(0.01)
    disk.full = False
    assert job.ended.wait(5)
    assert engine.get(job.uuid)["execution"] == "succeeded"


def test_wait_gives_the_record_or_raises_the_failure(engine):
    doc = run(engine, Task("good", lambda job: None))
    assert engine.wait(doc["uuid"]) == doc
    bad = run(engine, Task("bad", refuse("InitNotFound", "nope")))
    with pytest.raises(TaskError, match="nope"):
        engine.wait(bad["uuid"])
    with pytest.raises(TaskError):
        engine.wait("unknown")


def test_cancel_takes_effect_between_tasks(engine):
    began, go_on = gevent.event.Event(), gevent.event.Event()
    tidied = []

    def first(job):
        began.set()
        go_on.wait()

    chain = (Task("first", first), Task("second", lambda job: None))
    engine.define([Workflow("work", "1.0", 10, chain, (), (Task("tidy", lambda job: tidied.append(1)),))])
    job = engine.submit("work", "/work", {"vm_uuid": "v"})
    began.wait()
    assert engine.cancel(job.uuid)["execution"] == "running"
    go_on.set()
    job.ended.wait(5)
    doc = engine.get(job.uuid)
    assert (doc["execution"], len(doc["chain_results"]), tidied) == ("canceled", 1, [1])
    assert "canceled" in failure(doc).message
    with pytest.raises(RestError):
        engine.cancel(job.uuid)
    assert engine.cancel("unknown") is None


def test_what_a_dead_process_left_is_taken_up(store):
    ran = []
    again = Workflow("again", "1", 10, (Task("t", lambda job: ran.append(job.resumed)),))
    once = Workflow(
        "once", "1", 10, (Task("t", ran.append),), (Task("undo", lambda job: ran.append("undone")),), resumable=False
    )
    dead = Engine(store)
    dead.define([again, once, Workflow("forgotten", "1", 10, ())])
    uuids = [dead.create(task, "/x", {"vm_uuid": "v"}).uuid for task in ("again", "once", "forgotten")]
    engine = Engine(store)
    engine.define([again, once])
    for job in engine.resume():
        job.ended.wait(5)
    docs = [engine.get(uuid) for uuid in uuids]
    assert [doc["execution"] for doc in docs] == ["succeeded", "failed", "failed"]
    assert [doc["num_attempts"] for doc in docs] == [1, 1, 1]
    assert sorted(ran, key=str) == [True, "undone"]
    assert engine.resume() == []


@pytest.mark.parametrize("verdict", ["failed", "canceled"])
def test_what_died_while_it_was_undone_is_not_done_after_all(store, verdict):
    ran = []
    seen = {}

    def killed(job):
        seen["uuid"] = job.uuid
        if verdict == "canceled" and not job.resumed:
            job.cancelled.set()
        if verdict == "failed" and not job.resumed:
            raise TaskError("VmNotRunning", "no", 409)

    def undo(job):
        ran.append(job.resumed)
        if not job.resumed:
            gevent.sleep(60)  # this process sees no more of it

    chain = (Task("t", killed), Task("second", ran.append))
    workflow = Workflow("work", "1", 10, chain, (Task("undo", undo),), (Task("undo", undo),))
    dead = Engine(store)
    dead.define([workflow])
    dead.submit("work", "/x", {"vm_uuid": "v"})
    with gevent.Timeout(5):
        while not ran:
            gevent.sleep(0.001)
    engine = Engine(store)
    engine.define([workflow])
    (job,) = engine.resume()
    assert job.ended.wait(5)
    doc = engine.get(seen["uuid"])
    assert doc["execution"] == verdict
    assert ran == [False, True]
    assert [entry["name"] for entry in doc["chain_results"]] == ["t"]
    assert [entry["name"] for entry in doc["onerror_results"]] == ["undo"]
    assert "verdict" not in doc
    assert verdict in failure(doc).message or failure(doc).rest_code == "VmNotRunning"


def test_find_sees_running_and_ended_jobs(engine):
    run(engine, Task("t", lambda job: None))
    hold = gevent.event.Event()
    engine.define([Workflow("long", "1", 10, (Task("t", lambda job: hold.wait() and None),))])
    job = engine.submit("long", "/long", {"vm_uuid": "w"})
    gevent.sleep(0)
    found = lambda **equal: [doc["task"] for doc in engine.find(equal)]  # noqa: E731
    assert found() == ["long", "work"]
    assert found(execution="running") == ["long"]
    assert found(execution="running", vm_uuid="v") == []
    assert found(vm_uuid="v") == ["work"]
    assert engine.count({"execution": "running"}) == 1
    assert engine.count({}) == 2
    assert engine.find({})[0]["execution"] == "running"
    hold.set()
    job.ended.wait(5)


def test_old_jobs_are_forgotten(engine, monkeypatch):
    monkeypatch.setattr(engine_module, "KEEP", 10)
    for _ in range(100):
        run(engine)
    assert engine.count({}) == 10


def test_a_job_that_was_interrupted_too_often_is_given_up(store):
    again = Workflow("again", "1", 10, (Task("t", lambda job: None),))
    dead = Engine(store)
    dead.define([again])
    uuids = [dead.create("again", "/x", {"vm_uuid": "v"}, num_attempts=number).uuid for number in (9, 10)]
    engine = Engine(store)
    engine.define([again])
    for job in engine.resume():
        job.ended.wait(5)
    docs = [engine.get(uuid) for uuid in uuids]
    assert [(doc["execution"], doc["num_attempts"]) for doc in docs] == [("succeeded", 10), ("failed", 11)]
    assert "attempt 11 of 10" in failure(docs[1]).message


def test_what_a_job_noted_survives_and_a_waiting_job_asks_again(store):
    ask = Workflow("ask", "1", 10, (Task("before", lambda job: None), Task("t", lambda job: WAIT)))
    dead = Engine(store)
    dead.define([ask])
    uuid = dead.submit("ask", "/x", {"vm_uuid": "v"}).uuid
    with gevent.Timeout(5):
        while dead.get(uuid)["execution"] != "waiting":
            gevent.sleep(0.001)
    dead.add_info(uuid, {"progress": 1})
    engine = Engine(store)
    engine.define([ask])
    (job,) = engine.resume()
    with gevent.Timeout(5):
        while job.doc["execution"] != "waiting":
            gevent.sleep(0.001)
    assert engine.find({"execution": "waiting"}) == [job.doc]
    engine.go_on(uuid, "done")
    job.ended.wait(5)
    doc = engine.get(uuid)
    assert ([entry["name"] for entry in doc["chain_results"]], doc["info"]) == (["before", "t"], [{"progress": 1}])


def test_nobody_answers_a_waiting_task_in_time(engine):
    doc = run(engine, Task("t", lambda job: WAIT, 0.01))
    assert (doc["execution"], doc["chain_results"][0]["error"]) == ("failed", "task timeout error")

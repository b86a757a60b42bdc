"""What becomes of tasks when the services are killed: another process opens the same store."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from datacenter.services.cnapi.tasks import Tasks
from datacenter.store import Store
from datacenter.workflow.failure import TaskError

SERVER = "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"


@pytest.fixture
def process(tmp_path):
    """Each call is another process over the same file, which runs tasks by ``run``; the earlier ones are dead."""
    stores = []

    def begin(run):
        stores.append(Store(tmp_path / "dc.sqlite"))
        return Tasks(stores[-1], run)

    yield begin
    for store in stores:
        store.close()


def never(*_):
    Event().wait()


def booted(server_uuid, name, params, req_id):
    return {"vm": {"uuid": params["uuid"], "told": [server_uuid, name, req_id]}}


def left_under_way(process, name):
    """A task that its process did not see the end of."""
    task_id = process(never).start(SERVER, name, "a-request", {"uuid": "v"})
    gevent.sleep(0)
    return task_id


def test_what_has_ended_is_known_as_it_was(process):
    before = process(booted)
    task_id = before.start(SERVER, "machine_kill", "a-request", {"uuid": "v"})
    ended = before.wait(task_id, 5)
    assert ended["status"] == "complete"
    after = process(never)
    after.resume()
    assert after.get(task_id) == after.wait(task_id, 5) == ended


def test_a_task_that_finds_its_own_traces_is_sent_again(process):
    task_id = left_under_way(process, "machine_boot")
    after = process(booted)
    assert after.get(task_id)["status"] == "active"
    after.resume()
    task = after.wait(task_id, 5)
    assert task["status"] == "complete"
    assert task["history"][0]["event"] == {"vm": {"uuid": "v", "told": [SERVER, "machine_boot", "a-request"]}}
    assert task.keys() == {"id", "req_id", "task", "server_uuid", "status", "timestamp", "history"}


def test_of_any_other_it_is_said_that_nobody_knows(process):
    task_id = left_under_way(process, "machine_kill")
    after = process(booted)
    after.resume()
    task = after.wait(task_id, 5)
    assert task["status"] == "failure"
    assert task["history"][0]["event"]["error"] == "machine_kill: CNAPI ended while it was under way"
    later = process(never)
    later.resume()
    assert later.get(task_id) == task


def test_who_waits_is_told_the_end_of_a_task_that_was_taken_up(process):
    task_id = left_under_way(process, "machine_boot")

    def refused(*_):
        raise TaskError("VmNotFound", "no such VM")

    after = process(refused)
    waiting = gevent.spawn(after.wait, task_id, 5)
    after.resume()
    assert waiting.get(timeout=5)["history"][0]["event"]["details"] == {"error": "no such VM", "restCode": "VmNotFound"}


def test_what_was_asked_is_not_shown_and_not_kept(process):
    tasks = process(booted)
    task_id = tasks.start(SERVER, "machine_update", "", {"uuid": "v", "internal_metadata": {"secret": "x"}})
    assert "params" not in tasks.get(task_id)
    tasks.wait(task_id, 5)
    assert "secret" not in str(process(never)._docs.get(task_id))

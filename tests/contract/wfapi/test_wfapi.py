"""WFAPI as clients of the workflow service meet it."""

from __future__ import annotations

import time

import gevent
import pytest

from datacenter.clock import iso
from datacenter.workflow.definition import WAIT, Task, Workflow

ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def http(world):
    return world.wfapi.app.test_client()


def test_ping(http):
    answer = http.get("/ping")
    assert answer.json.keys() == {"pid", "backend"}
    assert answer.headers["Server"] == "WorkflowAPI"


def test_workflow_check_is_how_clients_see_it_alive(http):
    answer = http.get("/workflows/workflow-check")
    assert answer.status_code == 404
    assert answer.json == {"code": "ResourceNotFound", "message": "Workflow with uuid 'workflow-check' does not exist"}


@pytest.mark.parametrize(
    ("name", "timeout"),
    [("provision-8.2.4", 3810), ("start-7.0.8", 410), ("stop-7.0.8", 530), ("kill-7.0.2", 210),
     ("reboot-7.0.6", 590), ("update-7.1.10", 300), ("destroy-7.1.6", 180)],
)  # fmt: skip
def test_built_in_workflows(http, name, timeout):
    (workflow,) = http.get(f"/workflows?name={name}").json
    assert (workflow["name"], workflow["timeout"], workflow["max_attempts"]) == (name, timeout, 10)
    assert {"name", "timeout", "retry"} <= workflow["chain"][0].keys()
    assert http.get(f"/workflows/{workflow['uuid']}").json == workflow
    assert http.delete(f"/workflows/{workflow['uuid']}").status_code == 409


def test_clients_may_keep_their_definitions(http):
    given = {
        "name": "pull-image-v2-1.0.0",
        "version": "1.0.0",
        "timeout": 3620,
        "chain": [{"name": "tag", "body": "js"}],
    }
    made = http.post("/workflows", json=given)
    assert made.status_code == 201
    assert made.headers["Location"].endswith(f"/workflows/{made.json['uuid']}")
    assert made.headers["request-id"] == made.json["uuid"]
    (task,) = made.json["chain"]
    assert {**task, "uuid": None} == {"name": "tag", "body": "js", "uuid": None}
    path = f"/workflows/{made.json['uuid']}"
    assert http.put(path, json={**given, "timeout": 1}).json["timeout"] == 1
    assert http.get("/workflows?name=pull-image-v2-1.0.0").json[0]["timeout"] == 1
    assert http.post("/workflows", json=given).status_code == 409
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404


def test_job(world, http):
    vm = world.create()
    (job,) = http.get(f"/jobs?vm_uuid={vm['uuid']}").json
    assert http.get(f"/jobs/{job['uuid']}").json == job
    assert job["execution"] == "succeeded"
    assert job["target"] == f"/provision-{vm['uuid']}"
    assert job["task"] == "provision"
    assert (job["num_attempts"], job["max_attempts"]) == (0, 10)
    assert job["chain"]
    assert [entry["name"] for entry in job["chain_results"]] == [task["name"] for task in job["chain"]]
    assert {"onerror", "oncancel", "workflow_uuid", "exec_after", "created_at", "version", "elapsed"} <= job.keys()


def test_list(world, http):
    vm = world.create()
    world.act(vm, "stop")
    listed = lambda query: [job["task"] for job in http.get(f"/jobs?{query}").json]  # noqa: E731
    assert listed("") == ["stop", "provision"]
    assert listed("execution=failed") == ["stop"]
    assert listed("task=provision&execution=succeeded") == ["provision"]
    assert listed(f"owner_uuid={world.owner}") == ["stop", "provision"]
    assert listed("owner_uuid=nobody") == []
    assert listed("limit=1&offset=1") == ["provision"]
    assert http.get("/jobs?limit=1").headers["x-count"] == "2"
    refused = http.get("/jobs?execution=lost")
    assert (refused.status_code, refused.json["code"]) == (409, "Conflict")
    counted = http.get("/stats").json
    assert (counted["current"]["failed"], counted["all_time"]["failed"]) == (1, 0)


def test_unknown_job(http):
    assert http.get(f"/jobs/{ABSENT}").status_code == 404
    assert http.post(f"/jobs/{ABSENT}/cancel").status_code == 404
    assert http.get(f"/jobs/{ABSENT}/info").status_code == 404


def test_jobs_can_be_queued_here_once(world, http):
    vm = world.create()
    (workflow,) = http.get("/workflows?name=start-7.0.8").json
    body = {"workflow": workflow["uuid"], "target": f"/start-{vm['uuid']}", "task": "start", "vm_uuid": vm["uuid"],
            "owner_uuid": vm["owner_uuid"], "server_uuid": vm["server_uuid"]}  # fmt: skip
    made = http.post("/jobs", json=body)
    assert (made.status_code, made.json["execution"]) == (201, "queued")
    assert http.post("/jobs", json=body).status_code == 409
    assert world.job(made.json["uuid"])["execution"] == "succeeded"
    assert http.post("/jobs", json={"workflow": workflow["uuid"]}).status_code == 409


def test_info(world, http):
    vm = world.create()
    world.node.delays["machine_boot"] = 0.05
    job_uuid = world.http.post(f"/vms/{vm['uuid']}?action=start").json["job_uuid"]
    gevent.sleep(0)
    assert http.post(f"/jobs/{job_uuid}/info", json={"progress": 50}).status_code == 200
    assert http.get(f"/jobs/{job_uuid}/info").json == [{"progress": 50}]
    assert http.post(f"/jobs/{job_uuid}/resume", json={}).status_code == 409
    world.job(job_uuid)
    assert http.get(f"/jobs/{job_uuid}/info").json == [{"progress": 50}]
    assert http.post(f"/jobs/{job_uuid}/info", json={"progress": 51}).status_code == 409


JS = {"name": "pull-image-v2-1.0.0", "version": "1.0.0", "timeout": 3620, "chain": [{"name": "pull", "body": "js"}]}


def queue(http, workflow, **fields):
    return http.post("/jobs", json={"workflow": workflow["uuid"], **fields})


@pytest.fixture
def brought(http):
    return http.post("/workflows", json=JS).json


@pytest.fixture
def start(world, http):
    """Queues start jobs of one VM."""
    vm = world.create()
    (workflow,) = http.get("/workflows?name=start-7.0.8").json
    ids = {"vm_uuid": vm["uuid"], "server_uuid": vm["server_uuid"]}
    return lambda **fields: queue(http, workflow, **{**ids, **fields})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, 'Workflow "name" is required'),
        ({"chain": "x"}, 'Workflow "chain" must be an array'),
        ({"chain": [{"name": "t"}]}, "Task body is required"),
        ({"onerror": [{"name": "t", "body": ""}]}, "Task body is required"),
        ({"timeout": "long"}, 'Workflow "timeout" must be a number'),
    ],
)
def test_bad_workflows(http, brought, change, message):
    answers = [http.post("/workflows", json={**JS, "name": "other", **change})]
    if "name" not in change:
        answers.append(http.put(f"/workflows/{brought['uuid']}", json=change))
    for answer in answers:
        assert (answer.status_code, answer.json) == (409, {"code": "Conflict", "message": message})
    assert len(http.get("/workflows?name=other").json) == 0


def test_a_clients_workflow_is_not_run_and_its_job_says_so(world, http, brought):
    made = queue(http, brought, target="/pull-x", task="pull-image-v2", rat={"tag": "latest"})
    assert (made.status_code, made.json["execution"], made.json["name"]) == (201, "queued", "pull-image-v2-1.0.0")
    assert made.json["chain"] == brought["chain"]
    assert made.json["params"]["rat"] == {"tag": "latest"}
    ended = world.job(made.json["uuid"])
    assert (ended["execution"], ended["timeout"]) == ("failed", 3620)
    (entry,) = http.get(f"/jobs/{ended['uuid']}").json["chain_results"]
    assert (entry["name"], entry["result"], entry["error"]["name"]) == ("pull", "", "NotImplemented")
    assert "does not run the source text" in entry["error"]["message"]
    assert [job["uuid"] for job in http.get("/jobs?task=pull-image-v2&execution=failed").json] == [ended["uuid"]]


def test_a_workflow_without_tasks_gives_no_jobs(http):
    empty = http.post("/workflows", json={"name": "empty", "chain": []}).json
    answer = queue(http, empty, target="/x")
    assert (answer.status_code, answer.json["message"]) == (
        409, "Cannot queue a job from a workflow without any task",
    )  # fmt: skip


@pytest.mark.parametrize("field", [{"exec_after": "soon"}, {"num_attempts": "x"}, {"locks": "("}])
def test_bad_jobs_are_not_queued(http, start, field):
    before = http.get("/jobs").headers["x-count"]
    assert start(**field).status_code == 409
    assert http.get("/jobs").headers["x-count"] == before


def test_a_job_waits_for_its_time(world, http, start):
    later = iso(time.time() + 0.3)
    job = start(exec_after=later, num_attempts=3).json
    assert (job["exec_after"], job["num_attempts"]) == (later, 3)
    gevent.sleep(0.05)
    assert http.get(f"/jobs/{job['uuid']}").json["execution"] == "queued"
    ended = world.job(job["uuid"])
    assert ended["execution"] == "succeeded"
    assert ended["started"] >= later


def test_a_queued_job_is_canceled_at_once(world, http, start):
    job = start(exec_after="2099-01-01T00:00:00.000Z").json
    assert http.get("/jobs?execution=queued").json[0]["uuid"] == job["uuid"]
    answer = http.post(f"/jobs/{job['uuid']}/cancel")
    assert (answer.status_code, answer.json["execution"]) == (200, "canceled")
    ended = world.job(job["uuid"])
    assert (ended["execution"], ended["chain_results"]) == ("canceled", [])
    assert http.post(f"/jobs/{job['uuid']}/cancel").status_code == 409
    assert world.node.did("machine_boot") == []


def test_a_running_task_finishes_before_its_job_is_canceled(world, http, start):
    world.node.delays["machine_boot"] = 0.1
    job = start().json
    with gevent.Timeout(5):
        while not world.node.did("machine_boot"):
            gevent.sleep(0.005)
    assert http.post(f"/jobs/{job['uuid']}/cancel").json["execution"] == "canceled"
    assert http.get(f"/jobs/{job['uuid']}").json["execution"] == "running"
    ended = world.job(job["uuid"])
    assert ended["execution"] == "canceled"
    assert ended["chain_results"][-1]["name"] == "cnapi.start_vm"
    assert not world.cnapi.tickets.busy(world.node.uuid, job["vm_uuid"])


def test_locks_keep_others_out_until_the_job_has_ended(world, http, start, brought):
    locking = start(exec_after="2099-01-01T00:00:00.000Z", locks="^/images/").json
    assert locking["locks"] == "^/images/"
    refused = queue(http, brought, target="/images/busybox")
    assert (refused.status_code, refused.json["message"]) == (409, "Job target is currently locked by another job")
    for target in ({"target": "/others/busybox"}, {}):  # without a target there is nothing to lock
        world.job(queue(http, brought, **target).json["uuid"])
    http.post(f"/jobs/{locking['uuid']}/cancel")
    world.job(locking["uuid"])
    world.job(queue(http, brought, target="/images/busybox").json["uuid"])


def test_the_same_again_is_refused_while_it_is_under_way(world, http, start):
    later = "2099-01-01T00:00:00.000Z"
    first = start(exec_after=later, colour="red").json
    refused = start(exec_after=later, colour="red")
    assert (refused.status_code, refused.json["message"]) == (
        409, "Another job with the same target and params is already queued",
    )  # fmt: skip
    other = start(exec_after=later, colour="blue").json
    for job in (first, other):
        http.post(f"/jobs/{job['uuid']}/cancel")
        world.job(job["uuid"])
    assert world.job(start(colour="red").json["uuid"])["execution"] == "succeeded"


def test_jobs_by_any_of_their_params(world, http, brought):
    world.job(queue(http, brought, target="/a", size=5, hard=True, account_uuid=ABSENT).json["uuid"])
    world.job(queue(http, brought, target="/b", size=6, hard=False).json["uuid"])
    found = lambda query: [job["target"] for job in http.get(f"/jobs?{query}").json]  # noqa: E731
    assert found("size=5") == found("hard=true") == found(f"account_uuid={ABSENT}") == ["/a"]
    assert found("hard=false&size=6") == found("target=/b") == ["/b"]
    assert found("nosuch=1") == []
    assert http.get("/jobs?size=5&limit=1").headers["x-count"] == "1"


def test_a_waiting_job_goes_on_when_it_is_resumed(world, http):
    asked = []
    chain = (Task("ask", lambda job: asked.append(job.uuid) or WAIT), Task("then", lambda job: None))
    world.wfapi.engine.define([Workflow("question", "1", 5, chain)])

    def waiting():
        job = world.wfapi.engine.submit("question", "/q", {"vm_uuid": "v"})
        with gevent.Timeout(5):
            while job.doc["execution"] != "waiting":
                gevent.sleep(0.001)
        return job.uuid

    uuid = waiting()
    assert http.get(f"/jobs/{uuid}").json["execution"] == "waiting"
    assert http.post(f"/jobs/{uuid}/resume", json={"result": "forty-two"}).status_code == 200
    ended = world.job(uuid)
    assert [entry["result"] for entry in ended["chain_results"]] == ["forty-two", "OK"]
    assert http.post(f"/jobs/{uuid}/resume", json={}).status_code == 409
    failing = waiting()
    http.post(f"/jobs/{failing}/resume", json={"error": {"name": "NoIdea", "message": "ask later"}})
    ended = world.job(failing)
    assert (ended["execution"], ended["chain_results"][0]["error"]["name"]) == ("failed", "NoIdea")
    canceled = waiting()
    http.post(f"/jobs/{canceled}/cancel")
    assert world.job(canceled)["execution"] == "canceled"
    assert http.post(f"/jobs/{ABSENT}/resume", json={}).status_code == 404

"""WFAPI as clients of the workflow service meet it."""

from __future__ import annotations

import gevent
import pytest

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
    refused = http.post("/jobs", json={"workflow": made.json["uuid"], "target": "/x"})
    assert (refused.status_code, refused.json["code"]) == (409, "Conflict")
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
    assert http.get("/stats").json["all_time"]["failed"] == 1


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

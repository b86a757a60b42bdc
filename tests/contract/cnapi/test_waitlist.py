"""Tickets and tasks, and the calls through to a node."""

from __future__ import annotations

import gevent
import pytest

from datacenter.services.cnapi import tasks
from datacenter.workflow.failure import TaskError

ABSENT = "00000000-0000-4000-8000-000000000000"
LATER = "2099-01-01T00:00:00.000Z"


@pytest.fixture
def http(world):
    return world.cnapi.app.test_client()


def ask(http, server="default", subject="abc", **fields):
    body = {"scope": "vm", "id": subject, "expires_at": LATER, "action": "provision", **fields}
    return http.post(f"/servers/{server}/tickets", json=body)


def test_a_free_queue_gives_an_active_ticket(http):
    answer = ask(http)
    assert answer.status_code == 202
    (ticket,) = answer.json["queue"]
    assert ticket["uuid"] == answer.json["uuid"]
    assert {key: ticket[key] for key in ("action", "expires_at", "extra", "id", "scope", "server_uuid", "status")} == {
        "action": "provision", "expires_at": LATER, "extra": {}, "id": "abc", "scope": "vm", "server_uuid": "default",
        "status": "active",
    }  # fmt: skip
    assert http.get(f"/tickets/{ticket['uuid']}").json == ticket
    assert http.get(f"/tickets/{ticket['uuid']}/wait").status_code == 204


def test_a_queue_moves_on(http):
    first, second = ask(http).json["uuid"], ask(http).json["uuid"]
    assert http.get(f"/tickets/{second}").json["status"] == "queued"
    waiting = gevent.spawn(lambda: http.application.test_client().get(f"/tickets/{second}/wait").status_code)
    gevent.sleep(0.01)
    assert not waiting.ready()
    assert http.put(f"/tickets/{first}/release").status_code == 204
    assert waiting.get(timeout=5) == 204
    assert http.get(f"/tickets/{first}").json["status"] == "finished"
    assert http.get(f"/tickets/{second}").json["status"] == "active"


def test_other_subjects_do_not_wait(http):
    ask(http)
    assert ask(http, subject="abc2").json["queue"][0]["status"] == "active"


def test_expired_tickets_keep_nobody_waiting(http):
    old = ask(http, expires_at="2001-01-01T00:00:00.000Z").json["uuid"]
    assert ask(http).json["queue"][0]["status"] == "active"
    assert http.get(f"/tickets/{old}").json["status"] == "expired"
    assert http.get(f"/tickets/{old}/wait").status_code == 500


def test_unknown_ticket(http):
    answer = http.get(f"/tickets/{ABSENT}")
    assert (answer.status_code, answer.json["message"]) == (404, f"ticket {ABSENT} not found")
    assert http.put(f"/tickets/{ABSENT}/release").status_code == 404


def test_a_ticket_without_coordinates(http):
    answer = http.post("/servers/default/tickets", json={"scope": "vm"})
    assert (answer.status_code, answer.json["code"]) == (500, "InvalidParameters")


def test_list_and_delete(http):
    tickets = [ask(http, subject=subject).json["uuid"] for subject in ("a", "b")]
    listed = lambda query="": [ticket["uuid"] for ticket in http.get(f"/servers/default/tickets{query}").json]  # noqa: E731
    assert listed() == tickets
    assert listed("?limit=1&offset=1") == tickets[1:]
    assert http.delete(f"/tickets/{tickets[0]}").status_code == 204
    assert listed() == tickets[1:]
    assert http.delete("/servers/default/tickets?force=true").status_code == 204
    assert listed() == []


def test_unknown_task(http):
    for path in ("/tasks/x", "/tasks/x/wait"):
        answer = http.get(path)
        assert (answer.status_code, answer.json) == (404, {"code": "ResourceNotFound", "message": "no such task found"})


def test_vm_endpoints_answer_with_a_task(world, http):
    vm = world.create()
    base = f"/servers/{world.node.uuid}/vms/{vm['uuid']}"
    task_id = http.post(f"{base}/start", json={}).json["id"]
    task = http.get(f"/tasks/{task_id}/wait").json
    assert (task["status"], task["task"], task["server_uuid"]) == ("complete", "machine_boot", world.node.uuid)
    assert task["history"][0]["name"] == "finish"
    assert task["history"][0]["event"]["vm"]["state"] == "running"
    world.node.failures["machine_kill"] = [("VmNotRunning", "not running")]
    task_id = http.post(f"{base}/kill", json={"signal": "SIGKILL"}).json["id"]
    task = http.get(f"/tasks/{task_id}/wait").json
    assert task["status"] == "failure"
    assert task["history"][0]["event"]["error"] == "not running"


def test_ensure_image_and_create_and_destroy(world, http):
    base = f"/servers/{world.node.uuid}"
    for method, path, name in (
        ("post", f"{base}/ensure-image", "image_ensure_present"),
        ("post", f"{base}/vms", "machine_create"),
        ("delete", f"{base}/vms/{ABSENT}", "machine_destroy"),
    ):
        body = {"uuid": ABSENT, "image_uuid": ABSENT}
        task_id = getattr(http, method)(path, json=body).json["id"]
        assert http.get(f"/tasks/{task_id}/wait").json["status"] == "complete"
        assert world.node.tasks[-1][0] == name


def test_a_node_is_asked_once_for_an_image_until_it_announces_itself_anew(world, http):
    world.node.failures["image_ensure_present"] = [("ImageInstallError", "no room")]
    with pytest.raises(TaskError, match="no room"):
        world.cnapi.ensure_image(world.node.uuid, ABSENT)
    for _ in range(2):
        world.cnapi.ensure_image(world.node.uuid, ABSENT)
    assert len(world.node.did("image_ensure_present")) == 2
    http.post(f"/servers/{world.node.uuid}/sysinfo", json={"sysinfo": world.node.sysinfo()})
    world.cnapi.ensure_image(world.node.uuid, ABSENT)
    assert len(world.node.did("image_ensure_present")) == 3


def test_load_and_proc(world, http):
    vm = world.create()
    base = f"/servers/{world.node.uuid}/vms/{vm['uuid']}"
    assert http.get(base).json["state"] == "stopped"
    assert http.get(f"{base}/proc").json[0]["psinfo"]["pr_pid"] == 1


def test_docker_exec_answers_where_to_connect(world, http):
    vm = world.create()
    path = f"/servers/{world.node.uuid}/vms/{vm['uuid']}/docker-exec"
    answer = http.post(path, json={"command": {"Cmd": ["ls"]}}, headers={"x-request-id": "r1"})
    assert (answer.status_code, answer.json) == (200, {"host": "127.0.0.1", "port": 45321})
    assert world.node.did("docker_exec") == [{"uuid": vm["uuid"], "command": {"Cmd": ["ls"]}}]


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("VmNotRunning", 500, "InternalError"),
        ("NotSupported", 409, "NotSupported"),
        ("InitNotFound", 409, "InitNotFound"),
        ("ResourceNotFound", 404, "ResourceNotFound"),
    ],
)
def test_docker_exec_failures(world, http, code, status, told):
    world.node.failures["docker_exec"] = [(code, "no")]
    answer = http.post(f"/servers/{world.node.uuid}/vms/{ABSENT}/docker-exec", json={"command": {}})
    assert (answer.status_code, answer.json) == (status, {"code": told, "message": "no"})


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("FileNotFound", 404),
        ("PathNotDirectory", 400),
        ("ReadOnlyFileSystem", 400),
        ("InvalidParameters", 400),
        ("VmNotRunning", 409),
    ],
)
def test_docker_copy_failures(world, http, code, status):
    world.node.failures["docker_copy"] = [(code, "no")]
    answer = http.post(
        f"/servers/{world.node.uuid}/vms/{ABSENT}/docker-copy", json={"payload": {"path": "/etc", "mode": "stat"}}
    )
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert world.node.did("docker_copy") == [{"uuid": ABSENT, "path": "/etc", "mode": "stat"}]


def test_unknown_action(world, http):
    answer = http.post(f"/servers/{world.node.uuid}/vms/{ABSENT}/dance", json={})
    assert (answer.status_code, answer.json["code"]) == (404, "ResourceNotFound")
    assert http.post(f"/servers/{ABSENT}/vms/{ABSENT}/start", json={}).status_code == 404


def test_a_queued_ticket_expires_where_it_stands(http):
    first = ask(http).json["uuid"]
    passed = ask(http, expires_at="2001-01-01T00:00:00.000Z").json["uuid"]
    assert http.get(f"/tickets/{passed}").json["status"] == "expired"
    assert http.get(f"/tickets/{first}").json["status"] == "active"


def test_waiting_ends_when_the_ticket_is_deleted_or_unknown(http):
    ask(http)
    second = ask(http).json["uuid"]
    waiting = gevent.spawn(lambda: http.application.test_client().get(f"/tickets/{second}/wait"))
    gevent.sleep(0.01)
    assert http.delete(f"/tickets/{second}").status_code == 204
    assert waiting.get(timeout=5).status_code == 500
    answer = http.get(f"/tickets/{second}/wait")
    assert (answer.status_code, answer.json["message"]) == (404, f"no such ticket {second}")


def test_tickets_of_unknown_servers_and_of_all(http):
    answer = ask(http, server=ABSENT)
    assert (answer.status_code, answer.json["message"]) == (404, f"Server {ABSENT} not found")
    assert http.get(f"/servers/{ABSENT}/tickets").status_code == 404
    assert http.delete("/servers/default/tickets").status_code == 412
    ask(http, subject="b")
    ask(http, subject="a")
    by_id = [ticket["id"] for ticket in http.get("/servers/default/tickets?attribute=id&order=DESC").json]
    assert by_id == ["b", "a"]


def test_every_vm_endpoint_reaches_its_task(world, http):
    vm = world.create()
    base, path = f"/servers/{world.node.uuid}", f"/servers/{world.node.uuid}/vms/{vm['uuid']}"
    nic = {"belongs_to_uuid": vm["uuid"], "mac": vm["nics"][0]["mac"], "primary": True}
    body = {"nics": [nic], "image_uuid": vm["image_uuid"], "snapshot_name": "s"}
    for method, where, name in (
        ("post", f"{path}/stop", "machine_shutdown"), ("post", f"{path}/kill", "machine_kill"),
        ("post", f"{path}/reboot", "machine_reboot"), ("post", f"{path}/update", "machine_update"),
        ("post", f"{path}/reprovision", "machine_reprovision"), ("post", f"{path}/migrate", "machine_migrate"),
        ("post", f"{path}/images", "machine_create_image"), ("put", f"{path}/snapshots", "machine_create_snapshot"),
        ("put", f"{path}/snapshots/s", "machine_rollback_snapshot"),
        ("delete", f"{path}/snapshots/s", "machine_delete_snapshot"),
        ("post", f"{base}/vms/nics/update", "machine_update_nics"),
    ):  # fmt: skip
        task_id = getattr(http, method)(where, json=body).json["id"]
        task = http.get(f"/tasks/{task_id}/wait?timeout=5").json
        assert (task["status"], task["task"]) == ("complete", name)
        assert world.node.tasks[-1][0] == name
    assert http.get(f"{path}/info").status_code == 200
    answer = http.post(f"{base}/vms/nics/update", json={"nics": "all"})
    assert (answer.status_code, answer.json["code"]) == (500, "InvalidParameters")


def test_waiting_for_a_task_ends_with_the_time_given(world, http):
    vm = world.create()
    world.node.delays["machine_boot"] = 1.2
    task_id = http.post(f"/servers/{world.node.uuid}/vms/{vm['uuid']}/start", json={}).json["id"]
    task = http.get(f"/tasks/{task_id}/wait?timeout=1").json
    assert (task["status"], task["history"]) == ("active", [])
    assert http.get(f"/tasks/{task_id}/wait?timeout=soon").json["status"] == "complete"


def test_old_tasks_are_forgotten_and_those_under_way_are_not(world, http, monkeypatch):
    monkeypatch.setattr(tasks, "KEEP", 3)
    vm = world.create()
    path = f"/servers/{world.node.uuid}/vms/{vm['uuid']}"
    world.node.delays["machine_boot"] = 0.3
    slow = http.post(f"{path}/start", json={}).json["id"]
    done = []
    for _ in range(5):
        done.append(http.post(f"{path}/update", json={}).json["id"])
        http.get(f"/tasks/{done[-1]}/wait")
    assert http.get(f"/tasks/{done[0]}").status_code == 404
    assert http.get(f"/tasks/{done[-1]}").status_code == 200
    assert http.get(f"/tasks/{slow}/wait").json["status"] == "complete"

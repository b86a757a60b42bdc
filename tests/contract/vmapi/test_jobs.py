"""Jobs: failures, undoing, order, cancelling, and what a restart finds."""

from __future__ import annotations

import gevent
import pytest

from datacenter.restify import RestError
from datacenter.services.cnapi import agent
from datacenter.workflow.failure import TaskError


def queued(world, task, vm, **params):
    """A job on record that no process has started, as a kill -9 leaves it."""
    full = {
        "vm_uuid": vm["uuid"],
        "owner_uuid": vm["owner_uuid"],
        "server_uuid": vm["server_uuid"],
        "task": task,
        **params,
    }
    return world.wfapi.engine.create(task, f"/{task}-{vm['uuid']}", full).uuid


def test_failed_provision_is_undone(world):
    world.node.failures["machine_create"] = [("InternalError", "no space left")]
    answer = world.http.post("/vms", json=world.payload("web1"))
    job = world.job(answer.json["job_uuid"])
    vm_uuid = answer.json["vm_uuid"]
    assert job["execution"] == "failed"
    assert job["chain_results"][-1]["error"]["message"] == "no space left"
    assert world.vmapi.vm(vm_uuid)["state"] == "failed"
    assert world.napi.nics.of(vm_uuid) == []
    assert world.node.did("machine_destroy")[-1] == {"uuid": vm_uuid}
    assert world.vmapi.promised(world.node.uuid).ram == 0
    assert world.cnapi.tickets.busy(world.node.uuid, vm_uuid) is False
    world.create("web1")


def test_a_provision_that_fails_at_its_very_end_leaves_no_vm_without_a_zone(world, monkeypatch):
    """The VM is on record as stopped by then; what was undone is no container."""
    let_go, refusals = world.cnapi.tickets.let_go, [RestError(500, "InternalError", "no")]
    monkeypatch.setattr(world.cnapi.tickets, "let_go", lambda job: raised(refusals) or let_go(job))
    vm = world.payload("web1")
    job = world.job(world.http.post("/vms", json=vm).json["job_uuid"])
    assert job["execution"] == "failed"
    assert world.vmapi.vm(vm["uuid"])["state"] == "failed"
    assert world.napi.nics.of(vm["uuid"]) == []
    world.create("web1")


def raised(refusals):
    """Raise each refusal once."""
    if refusals:
        raise refusals.pop()


@pytest.mark.parametrize("code", ["InitNotFound", "InitNotExecutable", "InitFailed"])
def test_why_a_program_did_not_start_is_in_the_job(world, code):
    vm = world.create()
    world.node.failures["machine_boot"] = [(code, 'exec: "nope": executable file not found in $PATH')]
    job = world.act(vm, "start")
    error = job["chain_results"][-1]["error"]
    assert (error["restCode"], error["name"]) == (code, code)
    assert "nope" in error["message"]
    assert job["chain_results"][-1]["result"] == ""


def test_the_node_is_asked_how_the_vm_is_after_a_failure(world):
    vm = world.create()
    world.node.failures["machine_boot"] = [("InitNotFound", "gone")]
    world.node.zones[vm["uuid"]].update(exit_status=127, exit_timestamp="2030-01-01T00:00:00.000Z")
    world.act(vm, "start")
    assert world.vmapi.vm(vm["uuid"])["exit_status"] == 127


def test_jobs_of_one_vm_run_one_after_another(world):
    vm = world.create()
    world.node.delays["machine_boot"] = 0.05
    first = world.http.post(f"/vms/{vm['uuid']}?action=start").json["job_uuid"]
    second = world.http.post(f"/vms/{vm['uuid']}?action=stop").json["job_uuid"]
    assert world.job(second)["execution"] == "succeeded"
    assert world.job(first)["execution"] == "succeeded"
    assert [name for name, _ in world.node.tasks][-2:] == ["machine_boot", "machine_shutdown"]


def test_kill_does_not_wait_for_a_stop(world):
    vm = world.create()
    world.act(vm, "start")
    world.node.delays["machine_shutdown"] = 0.2
    stop = world.http.post(f"/vms/{vm['uuid']}?action=stop").json["job_uuid"]
    gevent.sleep(0.02)
    assert world.act(vm, "kill")["execution"] == "succeeded"
    assert world.wfapi.engine.get(stop)["execution"] == "running"
    world.job(stop)


def test_destroy_cuts_a_stop_short(world):
    vm = world.create()
    world.act(vm, "start")
    world.node.delays["machine_shutdown"] = 0.1
    world.http.post(f"/vms/{vm['uuid']}?action=stop&timeout=100")
    gevent.sleep(0.02)
    job = world.job(world.http.delete(f"/vms/{vm['uuid']}").json["job_uuid"])
    assert job["execution"] == "succeeded"
    assert world.node.did("machine_kill")[-1]["signal"] == "SIGKILL"


def test_a_foreign_ticket_holds_jobs_up(world):
    vm = world.create()
    ticket = world.cnapi.tickets.hold(world.node.uuid, vm["uuid"], "copy", 60, "another job")
    job_uuid = world.http.post(f"/vms/{vm['uuid']}?action=start").json["job_uuid"]
    gevent.sleep(0.02)
    assert world.node.did("machine_boot") == []
    world.cnapi.tickets.release(ticket["uuid"])
    assert world.job(job_uuid)["execution"] == "succeeded"


def test_cancel_before_the_next_task(world):
    vm = world.create()
    ticket = world.cnapi.tickets.hold(world.node.uuid, vm["uuid"], "copy", 60, "another job")
    job_uuid = world.http.post(f"/vms/{vm['uuid']}?action=start").json["job_uuid"]
    gevent.sleep(0.02)
    http = world.wfapi.app.test_client()
    assert http.post(f"/jobs/{job_uuid}/cancel").status_code == 200
    world.cnapi.tickets.release(ticket["uuid"])
    assert world.job(job_uuid)["execution"] == "canceled"
    assert world.node.did("machine_boot") == []
    assert world.cnapi.tickets.busy(world.node.uuid, vm["uuid"]) is False
    assert http.post(f"/jobs/{job_uuid}/cancel").status_code == 409


@pytest.mark.parametrize(("task", "node_task"), [("start", "machine_boot"), ("destroy", "machine_destroy")])
def test_jobs_found_after_a_restart_are_run(world, task, node_task):
    vm = world.create()
    job_uuid = queued(world, task, vm)
    world.wfapi.engine.resume()
    assert world.job(job_uuid)["execution"] == "succeeded"
    assert world.node.did(node_task)[-1]["uuid"] == vm["uuid"]


def test_a_start_that_had_happened_before_the_restart_succeeds(world):
    vm = world.create()
    job_uuid = queued(world, "start", vm)
    world.node.failures["machine_boot"] = [("VmAlreadyRunning", "already running")]
    world.wfapi.engine.resume()
    assert world.job(job_uuid)["execution"] == "succeeded"


def test_a_provision_found_after_a_restart_begins_anew(world, monkeypatch):
    monkeypatch.setattr(world.wfapi.engine, "launch", lambda job: job)
    answer = world.http.post("/vms", json=world.payload())
    monkeypatch.undo()
    world.wfapi.engine.resume()
    assert world.job(answer.json["job_uuid"])["execution"] == "succeeded"
    assert world.vmapi.vm(answer.json["vm_uuid"])["state"] == "stopped"
    names = [name for name, _ in world.node.tasks]
    assert names.index("machine_destroy") < names.index("machine_create")


def test_a_finished_provision_is_not_repeated_after_a_restart(world):
    vm = world.create()
    job_uuid = queued(world, "provision", vm, image_uuid=vm["image_uuid"])
    world.act(vm, "start")
    world.node.tasks.clear()
    world.wfapi.engine.resume()
    assert world.job(job_uuid)["execution"] == "succeeded"
    assert world.node.tasks == []
    assert world.vmapi.vm(vm["uuid"])["state"] == "running"


def test_the_name_of_a_rename_found_after_a_restart_is_nobody_elses(world):
    vm = world.create("old")
    uuid = queued(world, "update", vm, payload={"alias": "new"})
    world.vmapi.taken_up(world.wfapi.engine.resume())
    answer = world.http.post("/vms", json=world.payload("new"))
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (409, "alias")
    assert world.job(uuid)["execution"] == "succeeded"
    assert world.vmapi.vm(vm["uuid"])["alias"] == "new"
    assert world.http.post("/vms", json=world.payload("new")).status_code == 409
    world.act(vm, "update", alias="newer")
    world.create("new")


def test_jobs_that_are_about_no_vm_are_taken_up_as_well(world, monkeypatch):
    """Those of volumes, and those of clients' own workflows."""
    world.with_volumes()
    monkeypatch.setattr(world.wfapi.engine, "launch", lambda job: job)
    asked = {"owner_uuid": world.owner, "name": "data", "type": "tritonnfs", "networks": [world.fabric["uuid"]]}
    volume = world.volapi.app.test_client().post("/volumes", json=asked)
    assert volume.status_code == 201, volume.text
    monkeypatch.undo()
    (job,) = world.wfapi.engine.resume()
    assert "vm_uuid" not in job.params
    world.vmapi.taken_up([job])
    assert world.job(job.uuid)["execution"] == "succeeded"


def test_a_kill_is_not_repeated_after_a_restart(world):
    vm = world.create()
    job_uuid = queued(world, "kill", vm)
    world.wfapi.engine.resume()
    job = world.job(job_uuid)
    assert job["execution"] == "failed"
    assert "restarted" in job["chain_results"][-1]["error"]["message"]
    assert world.node.did("machine_kill") == []


@pytest.mark.parametrize("action", ["start", "reboot"])
def test_a_node_knows_which_job_asks_for_a_start(world, action):
    """So that it starts a program once for each, however often it is asked."""
    vm = world.create(**({} if action == "start" else {"autoboot": True}))
    job = world.act(vm, action)
    task = {"start": "machine_boot", "reboot": "machine_reboot"}[action]
    assert world.node.did(task)[-1]["job"] == job["uuid"]


def test_a_reboot_over_which_its_agent_died_is_asked_for_again(world, monkeypatch):
    vm = world.create(autoboot=True)
    post, lost = agent.Agent._post, []

    def loses_the_first_answer(self, *request):
        answer = post(self, *request)
        if not lost:
            lost.append(answer)
            raise ConnectionResetError
        return answer

    monkeypatch.setattr(agent.Agent, "_post", loses_the_first_answer)
    assert world.act(vm, "reboot")["execution"] == "succeeded"
    first, again = world.node.did("machine_reboot")
    assert first == again
    lost.clear()
    with pytest.raises(TaskError, match="compute node is unreachable"):  # who is no job is not known again
        world.cnapi.task(world.node.uuid, "machine_reboot", {"uuid": vm["uuid"]})


def test_a_node_that_is_away(world, monkeypatch):
    monkeypatch.setattr(agent, "PATIENCE", 0.05)
    vm = world.create()
    world.node.server.stop(timeout=0)
    world.cnapi.servers.agent(world.node.uuid)._idle.clear()
    job = world.act(vm, "start")
    assert job["chain_results"][-1]["error"]["restCode"] == "ServerUnreachable"
    job = world.job(world.http.delete(f"/vms/{vm['uuid']}").json["job_uuid"])
    assert job["execution"] == "failed"
    assert world.vmapi.vm(vm["uuid"])["state"] == "stopped"


def test_what_an_absent_node_could_not_remove_is_removed_when_it_is_back(world, monkeypatch):
    monkeypatch.setattr(agent, "PATIENCE", 0.05)
    world.node.server.stop(timeout=0)
    answer = world.http.post("/vms", json=world.payload())
    assert world.job(answer.json["job_uuid"])["execution"] == "failed"
    assert world.vmapi.vm(answer.json["vm_uuid"])["state"] == "failed"
    node = world.node
    from datacenter.services.serving import Server

    node.server = Server(0, node.answer)
    node.server.start()
    world.cnapi.app.test_client().post(f"/servers/{node.uuid}/sysinfo", json={"sysinfo": node.sysinfo()})
    (job,) = world.wfapi.engine.find({"task": "destroy"})
    assert world.job(job["uuid"])["execution"] == "succeeded"
    assert node.did("machine_destroy") == [{"uuid": answer.json["vm_uuid"]}]


def test_a_defect_of_ours_fails_the_job_and_undoes_it(world, monkeypatch, capsys):
    def broken(vm_uuid):
        raise ZeroDivisionError

    vm = world.create()
    monkeypatch.setattr(world.fwapi, "vm_destroyed", broken)
    job = world.job(world.http.delete(f"/vms/{vm['uuid']}").json["job_uuid"])
    assert job["execution"] == "failed"
    assert world.cnapi.tickets.busy(world.node.uuid, vm["uuid"]) is False
    capsys.readouterr()


def test_stop_gets_the_time_its_vm_gets(world):
    vm = world.create()
    assert world.act(vm, "stop", idempotent=True, timeout=0)["timeout"] == 530
    assert world.node.did("machine_shutdown")[-1]["timeout"] == 0
    assert world.act(vm, "stop", idempotent=True, timeout="3600")["timeout"] == 3960
    assert world.act(vm, "stop", idempotent=True, timeout=-1)["timeout"] > 10**8

from __future__ import annotations


def test_create_start_stop_destroy(world):
    vm = world.create("web1")
    assert vm["state"] == "stopped"
    assert world.act(vm, "start", idempotent=True)["execution"] == "succeeded"
    assert world.vmapi.vm(vm["uuid"])["state"] == "running"
    assert world.act(vm, "stop", timeout=1)["execution"] == "succeeded"
    assert world.vmapi.vm(vm["uuid"])["exit_status"] == 0
    job = world.http.delete(f"/vms/{vm['uuid']}").json["job_uuid"]
    assert world.job(job)["execution"] == "succeeded"
    assert world.vmapi.vm(vm["uuid"])["state"] == "destroyed"
    assert world.napi.nics.of(vm["uuid"]) == []

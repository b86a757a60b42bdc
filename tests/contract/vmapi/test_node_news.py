"""What nodes tell VMAPI about their VMs, in whatever order it arrives."""

from __future__ import annotations

import json

import pytest

from datacenter.clock import iso


def put(world, vm, **news):
    answer = world.http.put(f"/vms/{vm['uuid']}", json=news)
    assert answer.status_code == 200
    return answer.json


def test_a_container_ends_by_itself(world):
    vm = world.create()
    world.act(vm, "start")
    after = put(world, vm, state="stopped", zone_state="installed", exit_status=3, exit_timestamp=iso())
    assert (after["state"], after["exit_status"]) == ("stopped", 3)
    assert "pid" not in after
    known = world.http.get(f"/vms/{vm['uuid']}").json
    assert after == {field: value for field, value in known.items() if value not in (None, {})}


def test_internal_metadata_is_merged(world):
    vm = world.create()
    after = put(world, vm, internal_metadata={"docker:oomkilled": True})
    assert after["internal_metadata"] == {**vm["internal_metadata"], "docker:oomkilled": True}


def test_old_news_of_an_earlier_life_change_nothing(world):
    vm = world.create()
    world.act(vm, "start")
    first = world.vmapi.vm(vm["uuid"])
    put(world, vm, state="stopped", exit_status=1, exit_timestamp="2001-01-01T00:00:00.000Z")
    assert world.vmapi.vm(vm["uuid"]) == first


def test_late_news_of_the_start_do_not_revive_an_ended_container(world):
    vm = world.create()
    began = iso()
    put(world, vm, state="stopped", exit_status=1, exit_timestamp="2999-01-01T00:00:00.000Z")
    put(world, vm, state="running", zone_state="running", boot_timestamp=began)
    assert world.vmapi.vm(vm["uuid"])["state"] == "stopped"


@pytest.mark.parametrize("ended", ["2999-01-01T00:00:00.000Z", "2999-01-01T00:00:00.005Z", "2999-01-01T00:00:00.006Z"])
def test_a_container_that_ends_in_the_moment_of_its_start_has_ended(world, ended):
    """The news of its end may overtake the answer of its start, and be dated no later, or even before it."""
    vm, began = world.create(), "2999-01-01T00:00:00.005Z"
    put(world, vm, state="stopped", exit_status=4, boot_timestamp=began, exit_timestamp=ended)
    put(world, vm, state="running", zone_state="running", boot_timestamp=began, exit_status=None, exit_timestamp=None)
    after = world.vmapi.vm(vm["uuid"])
    assert (after["state"], after["exit_status"]) == ("stopped", 4)
    put(world, vm, state="running", zone_state="running", boot_timestamp="2999-01-01T00:00:00.007Z")
    assert world.vmapi.vm(vm["uuid"])["state"] == "running"


def health(status, *probes):
    log = [{"Start": at, "End": at, "ExitCode": 1, "Output": ""} for at in probes]
    return {"docker:health": json.dumps({"Status": status, "FailingStreak": len(log), "Log": log})}


EARLIER, LATER = "2999-01-01T00:00:01Z", "2999-01-01T00:00:01.500000Z"


def test_a_verdict_on_health_is_not_undone_by_that_of_an_earlier_probe(world):
    vm = world.create()
    alive = {"state": "running", "boot_timestamp": "2999-01-01T00:00:00.000Z"}
    verdict = health("unhealthy", EARLIER, LATER)
    put(world, vm, **alive, internal_metadata=verdict)
    for late in (health("starting"), health("starting", EARLIER)):
        after = put(world, vm, **alive, internal_metadata={**late, "docker:paused": True})
        assert after["internal_metadata"] == {**vm["internal_metadata"], **verdict, "docker:paused": True}


def test_a_new_life_begins_with_a_health_of_its_own(world):
    vm = world.create()
    put(
        world,
        vm,
        state="running",
        boot_timestamp="2999-01-01T00:00:00.000Z",
        internal_metadata=health("unhealthy", LATER),
    )
    anew = health("starting", EARLIER)
    after = put(world, vm, state="running", boot_timestamp="2999-01-01T00:00:02.000Z", internal_metadata=anew)
    assert after["internal_metadata"]["docker:health"] == anew["docker:health"]


def test_a_new_start_forgets_the_last_end(world):
    vm = world.create()
    world.act(vm, "start")
    world.act(vm, "stop")
    world.act(vm, "start")
    assert not world.vmapi.vm(vm["uuid"]).keys() & {"exit_status", "exit_timestamp"}


def test_a_destroyed_vm_stays_destroyed(world):
    vm = world.create()
    world.http.delete(f"/vms/{vm['uuid']}?sync=true")
    put(world, vm, state="running", boot_timestamp="2999-01-01T00:00:00.000Z")
    assert world.vmapi.vm(vm["uuid"])["state"] == "destroyed"


def test_nothing_new_writes_nothing(world):
    vm = world.create()
    before = world.vmapi.vm(vm["uuid"])
    put(world, vm, state="stopped", zone_state="installed")
    assert world.vmapi.vm(vm["uuid"]) is before


def test_unknown_vm(world):
    answer = world.http.put("/vms/00000000-0000-4000-8000-000000000000", json={"state": "running"})
    assert answer.status_code == 404


def test_many_at_once(world):
    vms = [world.create() for _ in range(2)]
    news = {vm["uuid"]: {"state": "running", "boot_timestamp": iso()} for vm in vms}
    assert world.http.put(f"/vms?server_uuid={world.node.uuid}", json={"vms": news}).status_code == 200
    assert {world.vmapi.vm(vm["uuid"])["state"] for vm in vms} == {"running"}


def test_sync_asks_the_node(world):
    vm = world.create()
    world.node.zones[vm["uuid"]].update(state="running", zone_state="running", boot_timestamp=iso())
    assert world.http.get(f"/vms/{vm['uuid']}").json["state"] == "stopped"
    assert world.http.get(f"/vms/{vm['uuid']}?sync=true").json["state"] == "running"


def test_sync_of_a_vm_its_node_does_not_know(world):
    vm = world.create()
    world.node.failures["machine_load"] = [("VmNotFound", "no such VM")]
    assert world.http.get(f"/vms/{vm['uuid']}?sync=true").json["state"] == "destroyed"


def test_sync_does_not_disturb_a_provisioning_vm(world):
    answer = world.http.post("/vms", json=world.payload())
    path = f"/vms/{answer.json['vm_uuid']}"
    world.node.failures["machine_load"] = [("VmNotFound", "not yet")]
    assert world.http.get(f"{path}?sync=true").json["state"] == "provisioning"
    assert world.job(answer.json["job_uuid"])["execution"] == "succeeded"
    world.node.failures.clear()
    assert world.http.get(f"{path}?sync=true").json["state"] == "stopped"


def test_while_its_node_is_silent_a_vm_is_in_no_known_state(world, monkeypatch):
    vm = world.create()
    with monkeypatch.context() as patch:
        patch.setattr(world.cnapi.servers, "is_running", lambda _: False)
        assert world.http.get(f"/vms/{vm['uuid']}").json["state"] == "unknown"
        assert [known["state"] for known in world.http.get("/vms").json] == ["unknown"]
        assert world.http.get(f"/statuses?uuids={vm['uuid']}").json == {vm["uuid"]: "unknown"}
        world.act(vm, "start")
    assert world.http.get(f"/vms/{vm['uuid']}").json["state"] == "running"


def test_an_update_of_metadata_keeps_what_the_node_wrote_meanwhile(world):
    vm = world.create()
    put(world, vm, internal_metadata={"docker:health": "fresh"})
    seen = {**vm["internal_metadata"], "docker:restartpolicy": "always"}
    world.vmapi.actions.update(vm, {"internal_metadata": seen}, {}, "request")
    world.act(vm, "update", alias="later")
    after = world.vmapi.vm(vm["uuid"])["internal_metadata"]
    assert (after["docker:health"], after["docker:restartpolicy"]) == ("fresh", "always")
    world.act(vm, "update", internal_metadata={"docker:health": "fresh"})
    assert world.vmapi.vm(vm["uuid"])["internal_metadata"] == {"docker:health": "fresh"}


def test_old_news_of_a_life_brings_no_old_metadata(world):
    vm = world.create()
    world.act(vm, "start")
    old = {"state": "stopped", "exit_timestamp": "2020-01-01T00:00:00.000Z"}
    put(world, vm, **old, internal_metadata={"docker:paused": True, "other": 1})
    after = world.vmapi.vm(vm["uuid"])
    assert (after["state"], after["internal_metadata"].get("docker:paused")) == ("running", None)
    assert after["internal_metadata"]["other"] == 1


def test_pause_is_for_running_vms(world):
    vm = world.create()
    assert world.act(vm, "pause")["execution"] == "failed"
    world.act(vm, "start")
    assert [world.act(vm, action)["execution"] for action in ("pause", "unpause")] == ["succeeded"] * 2
    assert [task for task, _ in world.node.tasks[-2:]] == ["machine_pause", "machine_unpause"]

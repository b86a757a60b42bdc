"""What POST /vms and the actions refuse before any job, and what a job refuses."""

from __future__ import annotations

import pytest

ABSENT = "00000000-0000-4000-8000-000000000000"


def errors(answer, status=409, code="ValidationFailed"):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json
    return {(error["field"], error["code"]) for error in answer.json.get("errors", ())}


def test_everything_missing_is_told_at_once(world):
    answer = world.http.post("/vms", json={})
    assert answer.json["message"] == "Invalid VM parameters"
    assert errors(answer) == {
        (field, "MissingParameter") for field in ("owner_uuid", "brand", "networks", "image_uuid", "ram")
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"uuid": "x"}, {"alias": "-a"}, {"alias": "a" * 190}, {"brand": "docker"}, {"image_uuid": 7},
        {"networks": "external"}, {"networks": [7]}, {"networks": [{"primary": True}]}, {"hostname": "a_b!"},
        {"max_swap": 100}, {"quota": -1}, {"docker": "yes"}, {"resolvers": "8.8.8.8"},
        {"tags": {"a": []}}, {"internal_metadata": {"a": {}}}, {"customer_metadata": {"root_pw": "x"}},
        {"filesystems": [{"source": "a"}]}, {"volumes": [{"name": "-"}]}, {"billing_id": ABSENT},
        {"image_uuid": ABSENT}, {"kernel_version": None},
    ],
)  # fmt: skip
def test_wrong_fields(world, wrong):
    (field,) = wrong
    assert field in {name for name, _ in errors(world.http.post("/vms", json=world.payload(**wrong)))}
    assert world.vmapi.table.all() == []


def test_two_primary_networks(world):
    networks = [{"uuid": world.network["uuid"], "primary": True}] * 2
    assert errors(world.http.post("/vms", json=world.payload(networks=networks))) == {("networks", "Invalid")}


def test_inactive_image(world):
    (image,) = world.imgapi.manifests.values()
    image["state"] = "disabled"
    assert errors(world.http.post("/vms", json=world.payload())) == {("image_uuid", "Invalid")}


def test_duplicates(world):
    vm = world.create("web1")
    again = world.payload("web1", uuid=vm["uuid"])
    answer = world.http.post("/vms", json=again)
    assert errors(answer) == {("uuid", "Duplicate"), ("alias", "Duplicate")}
    assert {"field": "alias", "code": "Duplicate", "message": "Already exists for this owner_uuid"} in answer.json[
        "errors"
    ]


def test_the_name_of_a_destroyed_vm_is_free(world):
    vm = world.create("web1")
    world.http.delete(f"/vms/{vm['uuid']}?sync=true")
    world.create("web1")


def test_another_owner_may_use_the_name(world):
    other = ABSENT
    world.create("web1")
    world.create("web1", owner_uuid=other)


def test_unknown_network(world):
    answer = world.http.post("/vms", json=world.payload(networks=[ABSENT]))
    assert errors(answer, code="UnprocessableEntity") == set()
    assert "No such Network or Pool" in answer.json["message"]


def test_nics_of_a_refused_vm_are_given_back(world, monkeypatch):
    real = world.napi.provision_nic
    calls = []

    def full_after_one(*args, **kwargs):
        calls.append(args)
        if len(calls) > 1:
            from datacenter.restify import RestError

            raise RestError(507, "SubnetFull", "no more free IPs")
        return real(*args, **kwargs)

    monkeypatch.setattr(world.napi, "provision_nic", full_after_one)
    payload = world.payload(networks=[world.network["uuid"], world.network["uuid"]])
    answer = world.http.post("/vms", json=payload)
    assert (answer.status_code, answer.json["code"]) == (507, "SubnetFull")
    assert world.napi.nics.of(payload["uuid"]) == []
    assert world.vmapi.vm(payload["uuid"]) is None


def test_no_room(world):
    answer = world.http.post("/vms", json=world.payload(max_physical_memory=99999))
    assert errors(answer, code="NoAllocatableServersError") == set()
    assert answer.json["message"] == "No compute resources available: no servers with enough unreserved RAM"


def test_actions_need_a_name(world):
    vm = world.create()
    assert errors(world.http.post(f"/vms/{vm['uuid']}")) == {("action", "MissingParameter")}
    assert errors(world.http.post(f"/vms/{vm['uuid']}?action=hibernate")) == {("action", "Invalid")}


def test_a_provisioning_vm_takes_no_action(world):
    vm_uuid = world.http.post("/vms", json=world.payload()).json["vm_uuid"]
    answer = world.http.post(f"/vms/{vm_uuid}?action=start")
    assert (answer.status_code, answer.json["code"]) == (409, "UnallocatedVM")


@pytest.mark.parametrize(("action", "code"), [("stop", "VmNotRunning"), ("reboot", "VmNotRunning")])
def test_wrong_state_fails_the_job(world, action, code):
    vm = world.create()
    job = world.act(vm, action)
    assert job["execution"] == "failed"
    error = job["chain_results"][-1]["error"]
    assert error["message"] == f"Cannot {action} a VM from a 'stopped' state"
    assert error["restCode"] == code
    assert world.act(vm, action, idempotent=True)["execution"] == "succeeded"


def test_failed_job_is_the_answer_with_sync(world):
    vm = world.create()
    answer = world.http.post(f"/vms/{vm['uuid']}?action=stop&sync=true")
    assert (answer.status_code, answer.json["message"]) == (409, "Cannot stop a VM from a 'stopped' state")
    job = world.http.get(f"/vms/{vm['uuid']}/jobs?execution=failed").json[0]
    assert world.http.get(f"/jobs/{job['uuid']}/wait").status_code == 409


def test_start_of_a_running_vm(world):
    vm = world.create()
    world.act(vm, "start")
    assert world.act(vm, "start")["execution"] == "failed"
    assert world.act(vm, "start", idempotent="true")["execution"] == "succeeded"


def test_signals(world):
    vm = world.create()
    for signal in (33, "64", "SIG-X", True, 1.5):
        assert errors(world.http.post(f"/vms/{vm['uuid']}?action=kill", json={"signal": signal})) == {
            ("signal", "Invalid")
        }
    world.act(vm, "kill", signal="usr1")
    assert world.node.did("machine_kill")[-1]["signal"] == "USR1"


def test_only_metadata_may_be_changed_while_starting(world):
    vm = world.create()
    wrong = {"update": {"alias": "x"}}
    assert errors(world.http.post(f"/vms/{vm['uuid']}?action=start", json=wrong)) == {("update", "Invalid")}
    world.act(vm, "start", update={"set_internal_metadata": {"docker:linkHosts": "1.2.3.4 db"}})
    assert world.node.did("machine_boot")[-1]["set_internal_metadata"] == {"docker:linkHosts": "1.2.3.4 db"}


def test_rename_to_a_name_in_use(world):
    world.create("web1")
    vm = world.create("web2")
    answer = world.http.post(f"/vms/{vm['uuid']}?action=update", json={"alias": "web1"})
    assert errors(answer) == {("alias", "Duplicate")}


def test_two_renames_at_once_to_one_name(world):
    first, second = world.create("a"), world.create("b")
    assert world.http.post(f"/vms/{first['uuid']}?action=update", json={"alias": "c"}).status_code == 202
    assert world.http.post(f"/vms/{second['uuid']}?action=update", json={"alias": "c"}).status_code == 409


def test_a_failed_rename_frees_the_name(world):
    vm = world.create("a")
    world.node.failures["machine_update"] = [("InternalError", "disk on fire")]
    assert world.act(vm, "update", alias="b")["execution"] == "failed"
    assert world.vmapi.vm(vm["uuid"])["alias"] == "a"
    world.create("b")


def test_growing_beyond_the_server(world):
    vm = world.create()
    assert errors(world.http.post(f"/vms/{vm['uuid']}?action=update", json={"ram": 90000})) == {
        ("ram", "InsufficientCapacity")
    }
    assert world.act(vm, "update", ram=2048)["execution"] == "succeeded"
    assert world.vmapi.vm(vm["uuid"])["max_physical_memory"] == 2048


def test_what_cannot_be_updated(world):
    vm = world.create()
    answer = world.http.post(f"/vms/{vm['uuid']}?action=update", json={"image_uuid": ABSENT})
    assert errors(answer) == {("image_uuid", "Invalid")}

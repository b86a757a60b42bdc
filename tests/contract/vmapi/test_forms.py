"""What VMAPI answers, field by field, as a real one answered the same requests."""

from __future__ import annotations

import json
import re
import uuid

import pytest

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ABSENT = "00000000-0000-4000-8000-000000000000"
ALWAYS = {
    "uuid", "alias", "autoboot", "brand", "billing_id", "cpu_cap", "cpu_shares", "create_timestamp",
    "customer_metadata", "datasets", "destroyed", "firewall_enabled", "internal_metadata", "last_modified",
    "limit_priv", "max_locked_memory", "max_lwps", "max_physical_memory", "max_swap", "nics", "owner_uuid",
    "platform_buildstamp", "quota", "ram", "resolvers", "server_uuid", "snapshots", "state", "tags",
    "zfs_filesystem", "zfs_io_priority", "zone_state", "zonepath", "zpool", "image_uuid",
}  # fmt: skip


def test_ping(world):
    answer = world.http.get("/ping")
    body = answer.json
    assert isinstance(body.pop("pid"), int)
    assert answer.status_code == 200
    assert body == {
        "dataMigrations": {"latestCompletedMigrations": {"vms": 1}},
        "healthy": True,
        "initialization": {"moray": {"status": "BUCKETS_REINDEX_DONE"}},
        "pingErrors": {},
        "status": "OK",
        "services": {"moray": "online", "wfapi": "online"},
    }


def test_manners(world):
    answer = world.http.get("/ping", headers={"x-request-id": "5e5ad68a-9718-42eb-9fe2-76d29f95af8f"})
    assert answer.headers["x-request-id"] == "5e5ad68a-9718-42eb-9fe2-76d29f95af8f"
    assert answer.headers["Server"] == "VMAPI/9.16.0"
    assert answer.headers["x-response-time"].isdecimal()
    assert "Content-MD5" not in answer.headers


def test_unknown_vm(world):
    answer = world.http.get(f"/vms/{ABSENT}")
    assert (answer.status_code, answer.json) == (404, {"code": "ResourceNotFound", "message": "VM not found"})


def test_another_owners_vm_is_not_found(world):
    vm = world.create()
    answer = world.http.get(f"/vms/{vm['uuid']}?owner_uuid={ABSENT}")
    assert (answer.status_code, answer.json["message"]) == (404, "VM not found")
    assert world.http.get(f"/vms/{vm['uuid']}?owner_uuid={world.owner}").status_code == 200


def test_no_uuid(world):
    answer = world.http.get("/vms/web1")
    assert (answer.status_code, answer.json["code"]) == (409, "ValidationFailed")


def test_object(world):
    vm = world.http.get(f"/vms/{world.create('web1')['uuid']}").json
    assert vm.keys() >= ALWAYS
    assert vm["destroyed"] is None
    assert vm["limit_priv"] is None
    assert vm["max_locked_memory"] is None
    assert (vm["datasets"], vm["snapshots"], vm["customer_metadata"]) == ([], [], {})
    assert all(ISO.fullmatch(vm[field]) for field in ("create_timestamp", "last_modified"))
    assert vm["zonepath"] == f"/zones/{vm['uuid']}"
    assert vm["zfs_filesystem"] == f"zones/{vm['uuid']}"
    assert vm["internal_metadata"]["docker:cmd"] == '["sh"]'
    assert not vm.keys() & {"networks", "volumes", "sync", "package", "firewall_rules"}
    assert "pid" not in vm
    assert "exit_status" not in vm


def test_package_gives_the_sizes(world):
    vm, package = world.create(), world.package
    assert vm["quota"] == package["quota"] // 1024
    assert vm["cpu_shares"] == package["fss"]
    assert vm["ram"] == vm["max_physical_memory"] == package["max_physical_memory"]
    for field in ("cpu_cap", "max_lwps", "max_swap", "zfs_io_priority"):
        assert vm[field] == package[field]
    assert "package_name" not in vm


def test_own_sizes_beat_the_packages(world):
    assert world.create(quota=7, max_lwps=55)["quota"] == 7


def test_nic(world):
    (nic,) = world.create()["nics"]
    assert nic["interface"] == "net0"
    assert nic["primary"] is True
    assert nic["network_uuid"] == world.network["uuid"]
    assert nic["belongs_to_type"] == "zone"
    assert nic["cn_uuid"] == world.node.uuid
    assert {"mac", "ip", "netmask", "nic_tag", "vlan_id", "owner_uuid"} <= nic.keys()


def test_resolvers_come_from_the_networks(world):
    assert world.create()["resolvers"] == world.network["resolvers"]
    assert world.create(resolvers=["9.9.9.9"])["resolvers"] == ["9.9.9.9"]


def test_second_nic_may_be_the_primary_one(world):
    fabric = world.napi.ensure_default_fabric(world.owner)
    networks = [{"uuid": fabric["uuid"]}, {"uuid": world.network["uuid"], "primary": True}]
    first, second = world.create(networks=networks)["nics"]
    assert first["interface"] == "net0"
    assert not first.get("primary")
    assert (second["interface"], second["primary"]) == ("net1", True)


def test_anonymous_volumes_lie_in_the_zone(world):
    source = str(uuid.uuid4())
    vm = world.create(filesystems=[{"source": source, "target": "/data", "type": "lofs", "options": []}])
    assert vm["filesystems"][0]["source"] == f"/zones/{vm['uuid']}/volumes/{source}"


def test_placement_wishes_are_kept_in_the_metadata(world):
    assert world.create(affinity=[])["internal_metadata"]["affinity"] == "[]"


def test_create_answers_202(world):
    payload = world.payload()
    answer = world.http.post("/vms", json=payload)
    assert answer.status_code == 202
    assert answer.json.keys() == {"vm_uuid", "job_uuid"}
    assert answer.json["vm_uuid"] == payload["uuid"]
    assert answer.headers["workflow-api"] == world.settings.url("wfapi")
    assert world.http.get(f"/vms/{payload['uuid']}").json["state"] == "provisioning"
    world.job(answer.json["job_uuid"])


def test_create_with_sync_answers_after_the_job(world):
    payload = world.payload()
    answer = world.http.post("/vms?sync=true", json=payload)
    assert answer.status_code == 202
    assert world.vmapi.vm(payload["uuid"])["state"] == "stopped"


@pytest.mark.parametrize("action", ["start", "reboot", "stop", "kill"])
def test_actions_answer_202(world, action):
    vm = world.create()
    answer = world.http.post(f"/vms/{vm['uuid']}?action={action}&idempotent=true&sync=true&timeout=1", json={})
    assert answer.status_code == 202
    assert answer.json["vm_uuid"] == vm["uuid"]
    assert world.http.get(f"/jobs/{answer.json['job_uuid']}").json["name"].startswith(action)


def test_rename(world):
    vm = world.create("web1")
    answer = world.http.post(f"/vms/{vm['uuid']}?action=update&sync=true", json={"alias": "web2"})
    assert answer.status_code == 202
    predicate = {
        "and": [
            {"eq": ["docker", True]},
            {"eq": ["owner_uuid", world.owner]},
            {"ne": ["state", "failed"]},
            {"ne": ["state", "destroyed"]},
            {"or": [{"eq": ["uuid", "web2*"]}, {"eq": ["alias", "web2"]}]},
        ]
    }
    found = world.http.get("/vms", query_string={"predicate": json.dumps(predicate), "offset": "0"})
    assert [one["alias"] for one in found.json] == ["web2"]
    assert found.headers["x-joyent-resource-count"] == "1"


def test_destroyed_vms_stay_listable(world):
    vm = world.create()
    assert world.http.delete(f"/vms/{vm['uuid']}?owner_uuid={world.owner}&sync=true").status_code == 202
    gone = world.http.get(f"/vms/{vm['uuid']}").json
    assert (gone["state"], gone["zone_state"]) == ("destroyed", "destroyed")
    assert ISO.fullmatch(gone["destroyed"])
    assert [one["uuid"] for one in world.http.get("/vms?state=destroyed").json] == [vm["uuid"]]
    assert world.http.get("/vms?state=active").json == []
    again = world.http.delete(f"/vms/{vm['uuid']}?sync=true")
    assert again.status_code == 202


def test_statuses(world):
    vm = world.create()
    answer = world.http.get(f"/statuses?uuids={vm['uuid']},{ABSENT}")
    assert answer.json == {vm["uuid"]: "stopped"}


def test_proc(world):
    vm = world.create()
    refused = world.http.get(f"/vms/{vm['uuid']}/proc")
    assert (refused.status_code, refused.json["code"]) == (409, "VmNotRunning")
    world.act(vm, "start")
    assert world.http.get(f"/vms/{vm['uuid']}/proc").json[0]["psinfo"]["pr_pid"] == 1


def test_job_view(world):
    vm = world.create()
    (job,) = world.http.get(f"/vms/{vm['uuid']}/jobs").json
    assert job.keys() == {"name", "uuid", "execution", "params", "exec_after", "created_at", "timeout", "chain_results"}
    assert job["name"] == "provision-8.2.4"
    assert job["timeout"] == 3810
    assert job["params"]["task"] == "provision"
    assert job["params"]["vm_uuid"] == vm["uuid"]
    assert ISO.fullmatch(job["exec_after"])
    for entry in job["chain_results"]:
        assert entry.keys() == {"result", "error", "name", "started_at", "finished_at"}
        assert entry["error"] == ""
    assert world.http.get(f"/jobs/{job['uuid']}").json == job
    assert world.http.get(f"/jobs/{job['uuid']}/wait").json == job
    assert world.http.get("/jobs?task=provision&execution=succeeded").json == [job]
    assert world.http.get(f"/jobs?vm_uuid={ABSENT}").json == []


def test_unknown_job(world):
    assert world.http.get(f"/jobs/{ABSENT}").status_code == 404
    assert world.http.get(f"/jobs/{ABSENT}/wait").status_code == 404


def test_x_context_is_kept_with_the_job(world):
    vm = world.create()
    headers = {"x-context": '{"caller":{"type":"docker"}}', "x-request-id": "e1"}
    answer = world.http.post(f"/vms/{vm['uuid']}?action=start", json={}, headers=headers)
    params = world.job(answer.json["job_uuid"])["params"]
    assert params["context"] == {"caller": {"type": "docker"}}
    assert params["x-request-id"] == "e1"


def test_polls_of_a_job_have_the_manners_of_all_answers(world):
    (job,) = world.http.get(f"/vms/{world.create()['uuid']}/jobs").json
    poll = world.http.get(f"/jobs/{job['uuid']}", headers={"x-request-id": "r1"})
    other = world.http.get(f"/jobs/{job['uuid']}/wait", headers={"x-request-id": "r1"})
    assert poll.json == other.json
    assert set(poll.headers.keys()) == set(other.headers.keys())
    assert poll.headers["x-request-id"] == "r1"

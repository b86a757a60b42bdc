"""CNAPI's servers, capacity and ping, as a real one answered."""

from __future__ import annotations

import re

import pytest

from datacenter.services.cnapi import servers

ABSENT = "44454c4c-5300-1057-804e-b5c04f445a31"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def http(world):
    return world.cnapi.app.test_client()


def test_ping(http):
    answer = http.get("/ping")
    assert answer.json == {"ready": True, "services": {"workflow": "online", "moray": "online", "amqp": "online"}}
    assert answer.headers["Server"] == "cnapi/1.26.6"


def test_unknown_server(http):
    answer = http.get(f"/servers/{ABSENT}")
    assert (answer.status_code, answer.json) == (
        404,
        {"code": "ResourceNotFound", "message": f"Server {ABSENT} not found"},
    )


def test_no_uuid(http):
    answer = http.get("/servers/headnode")
    assert (answer.status_code, answer.json["code"]) == (409, "InvalidArgument")


def test_unknown_route(http):
    answer = http.get("/nosuch")
    assert (answer.status_code, answer.json) == (404, {"code": "ResourceNotFound", "message": "/nosuch does not exist"})


def test_sysinfo_makes_a_server(empty_world):
    http = empty_world.cnapi.app.test_client()
    sysinfo = {"UUID": ABSENT, "Hostname": "headnode", "Live Image": "20230101T000000Z", "System Type": "SunOS",
               "Setup": "true", "Datacenter Name": "coal", "MiB of Memory": "8192", "CPU Total Cores": 4,
               "Network Interfaces": {}, "SDC Agents": [{"name": "cn-agent", "version": "2.15.0"}],
               "Docker Capabilities": ["stdio-frames"]}  # fmt: skip
    answer = http.post(f"/servers/{ABSENT}/sysinfo", json={"sysinfo": sysinfo})
    assert (answer.status_code, answer.data) == (200, b"")
    server = http.get(f"/servers/{ABSENT}").json
    assert server["sysinfo"] == sysinfo
    assert server["agents"] == sysinfo["SDC Agents"]
    expected = {
        "uuid": ABSENT, "hostname": "headnode", "datacenter": "coal", "ram": 8192, "setup": True, "headnode": False,
        "status": "running", "reserved": False, "reservoir": False, "reservation_ratio": 0.15, "comments": "",
        "rack_identifier": "", "traits": {}, "vms": {}, "current_platform": "20230101T000000Z",
        "boot_platform": "20230101T000000Z", "system_type": "SunOS", "memory_provisionable_bytes": 7301444403,
        "default_console": "serial", "serial": "ttyb", "kernel_flags": {}, "last_heartbeat": None,
    }  # fmt: skip
    assert {key: server[key] for key in expected} == expected
    assert ISO.fullmatch(server["created"])


@pytest.mark.parametrize("sysinfo", [None, "x", []])
def test_bad_sysinfo(http, sysinfo):
    answer = http.post(f"/servers/{ABSENT}/sysinfo", json={"sysinfo": sysinfo})
    assert (answer.status_code, answer.json["code"]) == (500, "InvalidParameters")


def test_a_server_survives_a_new_sysinfo(world, http):
    http.post(f"/servers/{world.node.uuid}", json={"comments": "hi", "uuid": "no"})
    http.post(f"/servers/{world.node.uuid}/sysinfo", json={"sysinfo": world.node.sysinfo(memory=1)})
    server = http.get(f"/servers/{world.node.uuid}").json
    assert (server["comments"], server["ram"], server["uuid"]) == ("hi", 1, world.node.uuid)


def test_list_extras(http):
    plain = http.get("/servers").json[0]
    assert not plain.keys() & {"vms", "sysinfo", "agents", "memory_total_bytes", "unreserved_ram"}
    assert "sysinfo" in http.get("/servers?setup=true&extras=sysinfo").json[0]
    full = http.get("/servers?extras=all").json[0]
    assert full.keys() >= {"vms", "sysinfo", "agents", "memory_total_bytes", "unreserved_ram", "disk_pool_size_bytes"}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [("wrong=1", 409, "InvalidArgument"), ("extras=wrong", 409, "InvalidArgument"), ("limit=0", 400, None),
     ("limit=1001", 400, None), ("limit=x", 400, None)],
)  # fmt: skip
def test_list_is_strict(http, query, status, code):
    answer = http.get(f"/servers?{query}")
    assert answer.status_code == status
    assert code is None or answer.json["code"] == code


def test_list_filters(world, http):
    second = world.add_node()
    uuids = lambda query: [server["uuid"] for server in http.get(f"/servers?{query}").json]  # noqa: E731
    assert uuids("") == [world.node.uuid, second.uuid]
    assert uuids(f"uuids={second.uuid}") == [second.uuid]
    assert uuids("reserved=true") == []
    assert uuids("limit=1&offset=1") == [second.uuid]
    assert http.get("/servers?fields=uuid&limit=1").json == [{"uuid": world.node.uuid}]


def test_silence_is_unknown_and_a_heartbeat_brings_it_back(world, http, monkeypatch):
    monkeypatch.setattr(servers, "SILENCE", -1.0)
    assert http.get(f"/servers/{world.node.uuid}").json["status"] == "unknown"
    monkeypatch.undo()
    answer = http.post(f"/servers/{world.node.uuid}/events/heartbeat", json={})
    assert (answer.status_code, answer.data) == (204, b"")
    server = http.get(f"/servers/{world.node.uuid}").json
    assert server["status"] == "running"
    assert ISO.fullmatch(server["last_heartbeat"])


def test_status_report(world, http):
    body = {"vms": {}, "memory_info": {"availrmem_bytes": 5}, "zpoolStatus": {}}
    assert http.post(f"/servers/{world.node.uuid}/events/status", json=body).status_code == 204
    assert http.get(f"/servers/{world.node.uuid}").json["memory_available_bytes"] == 5


def test_vms_of_a_server(world, http):
    vm = world.create()
    mini = http.get(f"/servers/{world.node.uuid}").json["vms"][vm["uuid"]]
    assert mini.keys() == {"uuid", "owner_uuid", "max_physical_memory", "quota", "cpu_cap", "state", "zone_state",
                           "last_modified", "brand"}  # fmt: skip


def test_capacity(world, http):
    before = http.post("/capacity", json={"servers": [world.node.uuid]}).json["capacities"][world.node.uuid]
    assert before == {"cpu": 1600, "ram": int(8192 * 0.85), "disk": 95 * 1024}
    vm = world.create()
    after = http.post("/capacity", json={}).json["capacities"][world.node.uuid]
    assert before["ram"] - after["ram"] == vm["max_physical_memory"]
    assert before["disk"] - after["disk"] == vm["quota"] * 1024
    assert before["cpu"] - after["cpu"] == vm["cpu_cap"]
    world.http.delete(f"/vms/{vm['uuid']}?sync=true")
    assert http.post("/capacity", json={}).json["capacities"][world.node.uuid] == before


def test_capacity_leaves_reserved_servers_out(empty_world):
    assert empty_world.cnapi.app.test_client().post("/capacity", json={}).json == {"capacities": {}}
    node = empty_world.add_node()
    http = empty_world.cnapi.app.test_client()
    http.post(f"/servers/{node.uuid}", json={"reserved": True})
    assert http.post("/capacity", json={}).json["capacities"] == {}


def test_a_forgotten_server_is_told_so(world, http):
    assert http.delete(f"/servers/{world.node.uuid}").status_code == 204
    assert http.post(f"/servers/{world.node.uuid}/events/heartbeat", json={}).status_code == 404

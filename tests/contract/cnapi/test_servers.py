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
    http.post(f"/servers/{world.node.uuid}", json={"comments": "hi"})
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


def test_bad_lists_are_told_field_by_field(http):
    answer = http.get("/servers?limit=1001")
    assert (answer.status_code, answer.json) == (
        400,
        {
            "code": "InvalidParameters",
            "message": "Request parameters failed validation",
            "errors": [
                {"field": "limit", "code": "Invalid", "message": "limit must be in the range 1-1000 (inclusive)"}
            ],
        },
    )
    answer = http.get("/servers?setup=maybe&uuids=;")
    assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (500, ["setup", "uuids"])


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"uuid": "no"}, 409, "unknown parameters: uuid"),
        ({"reserved": "true"}, 500, "value was not true or false"),
        ({"comments": 5}, 500, "value was not a string"),
        ({"comments": " x"}, 500, "value contains leading or trailing whitespace"),
        ({"traits": []}, 500, "value is not an object. (was: [object Array])"),
        ({"reservation_ratio": "0.1"}, 500, "value was not a number"),
        ({"reservation_ratio": 1.5}, 500, "value was not between 0 and 1"),
        ({"agents": {}}, 500, "value was not an array"),
        ({"next_reboot": "soon"}, 500, "value was not an ISO date"),
        ({"overprovision_ratios": {"money": 1}}, 409, "Invalid key money"),
        ({"overprovision_ratios": {"cpu": "4"}}, 409, "Invalid type for cpu"),
        ({"overprovision_ratios": {"cpu": -1}}, 409, "Invalid value for cpu"),
    ],
)
def test_bad_updates_change_nothing(world, http, change, status, told):
    before = world.cnapi.servers.get(world.node.uuid)
    answer = http.post(f"/servers/{world.node.uuid}", json={"rack_identifier": "r1", **change})
    assert answer.status_code == status
    assert told in (answer.json["errors"][0]["message"] if status == 500 else answer.json["message"])
    assert answer.json["code"] == ("InvalidParameters" if status == 500 else "InvalidArgument")
    assert world.cnapi.servers.get(world.node.uuid) == before


def test_updates(world, http):
    changes = {
        "comments": "second row", "rack_identifier": "r1", "reserved": True, "reservoir": True, "setup": True,
        "traits": {"ssd": True}, "reservation_ratio": 0.5, "overprovision_ratios": {"ram": 2.0},
        "boot_params": {"k": "v"}, "next_reboot": "2099-01-01T00:00:00.000Z", "default_console": "vga",
    }  # fmt: skip
    assert http.post(f"/servers/{world.node.uuid}", json=changes).status_code == 204
    server = http.get(f"/servers/{world.node.uuid}").json
    assert {field: server[field] for field in changes} == changes
    assert server["unreserved_ram"] == 8192 * 0.5 * 2
    assert server["unreserved_cpu"] == 1600, "what is not said is as everywhere"
    assert http.get("/servers?reserved=true&reservoir=true").json[0]["uuid"] == world.node.uuid


def test_a_silent_server_is_what_it_was_said_to_be_doing(world, http, monkeypatch):
    http.post(f"/servers/{world.node.uuid}", json={"transitional_status": "rebooting"})
    assert http.get(f"/servers/{world.node.uuid}").json["status"] == "running"
    monkeypatch.setattr(servers, "SILENCE", -1.0)
    assert http.get(f"/servers/{world.node.uuid}").json["status"] == "rebooting"


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
    gone = http.delete(f"/servers/{world.node.uuid}")
    assert (gone.status_code, gone.data) == (200, b"")
    assert http.post(f"/servers/{world.node.uuid}/events/heartbeat", json={}).status_code == 404

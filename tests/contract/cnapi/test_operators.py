"""What operators ask of whole servers: boot parameters, sysinfo, and work that nodes here refuse."""

from __future__ import annotations

import pytest

ABSENT = "00000000-0000-4000-8000-000000000000"
PLATFORM = "20230101T000000Z"


@pytest.fixture
def http(world):
    return world.cnapi.app.test_client()


def refusal(answer):
    return answer.status_code, answer.json["code"], answer.json["message"]


def test_what_a_server_boots(world, http):
    path, server = f"/boot/{world.node.uuid}", f"/servers/{world.node.uuid}"
    fresh = {
        "platform": PLATFORM,
        "kernel_args": {"hostname": http.get(server).json["hostname"]},
        "kernel_flags": {},
        "boot_modules": [],
        "default_console": "serial",
        "serial": "ttyb",
    }
    assert http.get(path).json == fresh
    args = {"a": "1", "b": "2"}
    answer = http.post(path, json={"kernel_args": args, "kernel_flags": {"-k": "true"}, "serial": "ttya"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert http.post(path, json={"kernel_args": {"a": None, "c": 3}, "platform": "20240101T000000Z"}).status_code == 204
    merged = {**fresh["kernel_args"], "b": "2", "c": 3}
    changed = {"platform": "20240101T000000Z", "kernel_args": merged, "kernel_flags": {"-k": "true"}, "serial": "ttya"}
    assert http.get(path).json == {**fresh, **changed}
    assert http.get(server).json["boot_params"] == {"b": "2", "c": 3}
    assert http.get(server).json["boot_platform"] == "20240101T000000Z"
    module = {"path": "etc/ppt_matches", "type": "base64", "content": "aGk="}
    assert http.put(path, json={"platform": PLATFORM, "boot_modules": [module]}).status_code == 202
    assert http.get(path).json == {**fresh, "boot_modules": [module]}


def test_what_servers_boot_of_which_nobody_said_otherwise(http):
    fresh = http.get("/boot/default").json
    assert (fresh["platform"], fresh["kernel_args"]) == (PLATFORM, {"smt_enabled": True})
    assert http.post("/boot/default", json={"kernel_args": {"a": "1"}}).status_code == 204
    assert http.get("/boot/default").json == {**fresh, "kernel_args": {"smt_enabled": True, "a": "1"}}
    assert http.post("/boot/default", json={"platform": "20240101T000000Z"}).status_code == 204
    assert http.get("/boot/default").json["platform"] == "20240101T000000Z"
    assert http.put("/boot/default", json={}).status_code == 204
    assert http.get("/boot/default").json == fresh


def test_wrong_boot_parameters_change_nothing(world, http):
    path = f"/boot/{world.node.uuid}"
    fresh = http.get(path).json
    for wrong in ({"kernel_args": "x"}, {"platform": 5}, {"boot_modules": {}}, {"kernel_flags": []}):
        for answer in (http.post(path, json=wrong), http.put(path, json=wrong)):
            assert refusal(answer)[:2] == (409, "InvalidArgument")
    assert http.get(path).json == fresh
    for method in ("GET", "PUT", "POST"):
        assert refusal(http.open(f"/boot/{ABSENT}", method=method))[:2] == (404, "ResourceNotFound")
        assert refusal(http.open("/boot/nope", method=method))[:2] == (409, "InvalidArgument")


def test_sysinfo_is_asked_for_anew(world, http, monkeypatch):
    path = f"/servers/{world.node.uuid}"
    before = http.get(path).json
    fresh = {**world.node.sysinfo(), "MiB of Memory": "16384"}
    monkeypatch.setattr(world.node, "sysinfo", lambda: fresh)
    answer = http.post(f"{path}/sysinfo-refresh")
    assert (answer.status_code, answer.json) == (200, {})
    after = http.get(path).json
    assert (before["ram"], after["ram"], after["sysinfo"]) == (8192, 16384, fresh)
    world.node.failures["server_sysinfo"] = [("InternalError", "sysinfo: out of breath")]
    assert refusal(http.post(f"{path}/sysinfo-refresh")) == (500, "InternalError", "sysinfo: out of breath")
    assert http.post(f"/servers/{ABSENT}/sysinfo-refresh").status_code == 404


def test_a_server_is_set_up_and_not_reset(world, http):
    path = f"/servers/{world.node.uuid}"
    assert http.put(f"{path}/setup", json={"hostname": "x"}).status_code == 204
    assert refusal(http.put(f"{path}/factory-reset"))[:2] == (501, "NotImplemented")
    world.create()
    told = "Server may not be reset because it has 1 vms"
    assert refusal(http.put(f"{path}/factory-reset")) == (409, "Conflict", told)


@pytest.mark.parametrize(
    ("method", "work", "word"),
    [
        ("POST", "reboot", "machine"),
        ("POST", "execute", "shell"),
        ("POST", "install-agent", "version"),
        ("POST", "uninstall-agents", "version"),
        ("PUT", "nics", "machine"),
    ],
)
def test_what_nodes_here_do_not_do_is_refused_with_a_reason(world, http, method, work, word):
    status, code, message = refusal(http.open(f"/servers/{world.node.uuid}/{work}", method=method, json={}))
    assert (status, code) == (501, "NotImplemented")
    assert word in message
    assert http.open(f"/servers/{ABSENT}/{work}", method=method, json={}).status_code == 404
    assert http.open(f"/servers/nope/{work}", method=method, json={}).status_code == 409

"""Parameters and fields of operations other than create reach what they are meant for."""

from __future__ import annotations

import pytest

from sdc import registry
from tests.contract.house import house, make_house
from tests.contract.test_options import ABLE
from translators.platforms import ARCHITECTURE

__all__ = ["house", "make_house"]

EXEC = {
    "Cmd": ["id", "-u"],
    "AttachStdin": True,
    "AttachStdout": True,
    "AttachStderr": True,
    "Tty": True,
    "Env": ["A=1"],
    "User": "33:33",
    "WorkingDir": "/srv",
}


def commands(house):
    return [params["command"] for params in house.node.did("docker_exec")]


def test_the_fields_of_an_exec_reach_the_node(make_house):
    house = make_house(ABLE | {"exec-options"})
    made = house.http.post("/containers/up/exec", json={**EXEC, "DetachKeys": "ctrl-x", "ConsoleSize": [40, 100]}).json
    house.http.post(f"/exec/{made['Id']}/start", json={"Detach": True, "ConsoleSize": [24, 80]})
    command = commands(house)[-1]
    assert {key: command[key] for key in EXEC} == EXEC
    assert command["Detach"] is True


@pytest.mark.parametrize(("field", "value"), [("Env", ["A=1"]), ("User", "33"), ("WorkingDir", "/")])
def test_what_a_plain_node_cannot_do_for_an_exec_is_refused(house, field, value):
    answer = house.http.post("/containers/up/exec", json={"Cmd": ["id"], field: value})
    assert (answer.status_code, f"exec with {field} needs" in answer.json["message"]) == (501, True)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"Privileged": True}, 501, "privileged exec is not supported"),
        ({"DetachKeys": "ctrl-"}, 400, "ctrl-"),
        ({"ConsoleSize": "x"}, 400, "ConsoleSize"),
        ({"Cmd": []}, 400, "No exec command specified"),
        ({"Cmd": ["echo", "x" * 131072]}, 400, "exec echo: argument list too long"),
        ({"Cmd": ["echo"], "Env": ["A=" + "x" * 100_000] * 21}, 400, "exec echo: argument list too long"),
    ],
)
def test_what_an_exec_may_not_say(house, fields, status, words):
    answer = house.http.post("/containers/up/exec", json={"Cmd": ["id"], **fields})
    assert (answer.status_code, words in answer.json["message"]) == (status, True), answer.text


def test_the_parameters_of_an_attach_reach_the_node(make_house):
    house = make_house(ABLE | {"attach-before-start"})
    query = {"stdout": "1", "stderr": "0", "logs": "1", "stream": "1", "stdin": "1", "detachKeys": "ctrl-x"}
    house.http.post("/containers/up/attach", query_string=query)
    command = commands(house)[-1]
    asked = {"AttachStdout": True, "AttachStderr": False, "Logs": True, "Stream": True, "AttachStdin": False}
    assert {key: command[key] for key in asked} == asked  # its stdin is not open
    assert house.http.post("/containers/up/attach?detachKeys=ctrl-").status_code == 400


def test_a_tag_is_a_repo_and_a_tag(house):
    assert house.http.post("/images/busybox/tag?repo=mine/box&tag=v1").status_code == 201
    assert "mine/box:v1" in house.http.get("/images/busybox/json").json["RepoTags"]


def test_disk_usage_by_type(house):
    found = house.http.get("/system/df?type=image").json
    assert found["Images"]
    assert found["Containers"] is None
    assert house.http.get("/system/df?type=bogus").status_code == 400


def test_a_login_is_tried_at_its_registry(house, monkeypatch):
    tried = []
    monkeypatch.setattr(registry, "login", lambda server, who: tried.append((server, who.username, who.password)))
    for body in (
        {"username": "jill", "password": "x", "serveraddress": "r.test"},
        {"identitytoken": "t", "serveraddress": "r.test"},
    ):
        assert house.http.post("/auth", json=body).status_code == 200
    assert tried == [("r.test", "jill", "x"), ("r.test", "<token>", "t")]


def test_an_image_comes_from_a_registry_or_an_archive(house):
    answer = house.http.post("/images/create?repo=x")
    assert (answer.status_code, answer.json["message"]) == (400, "fromImage or fromSrc is needed")
    assert house.http.post("/images/create?fromSrc=http://x.test/y.tar").status_code == 501


ELSEWHERE = "%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22s390x%22%7D"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/images/busybox/json?platform={ELSEWHERE}"),
        ("GET", f"/images/busybox/history?platform={ELSEWHERE}"),
        ("GET", f"/images/busybox/get?platform={ELSEWHERE}"),
        ("GET", f"/images/get?names=busybox&platform={ELSEWHERE}"),
        ("POST", f"/images/busybox/push?tag=latest&platform={ELSEWHERE}"),
        ("DELETE", f"/images/busybox?platforms={ELSEWHERE}"),
    ],
)
def test_a_platform_that_is_not_ours_is_refused(house, method, path):
    assert house.http.open(path, method=method).status_code == 501
    ours = ELSEWHERE.replace("s390x", ARCHITECTURE)
    assert house.http.get(f"/images/busybox/json?platform={ours}").status_code == 200


def test_the_table_can_be_asked_for(make_house):
    house = make_house({"linux-options"})
    told = house.http.get("/v1.44/gateway/capabilities").json
    assert told["Capabilities"] == ["linux-options"]
    operations = {operation["Name"]: operation for operation in told["Operations"]}
    assert operations["swarm.init"] == {
        "Name": "swarm.init", "Method": "POST", "Path": "/swarm/init", "Since": "1.24", "Served": False,
        "Status": 503, "Options": [],
    }  # fmt: skip
    options = {option["Name"]: option for option in operations["container.create"]["Options"]}
    assert options["HostConfig.Init"]["Fate"] == "honoured"
    assert options["HostConfig.MemorySwappiness"]["Fate"] == "ignored, with a warning"
    assert options["HostConfig.Privileged"]["Fate"] == "refused"
    assert options["HostConfig.NetworkMode"]["Except"][0]["Status"] == 501

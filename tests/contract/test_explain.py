"""A dry run of create tells everything and makes nothing."""

from __future__ import annotations

import json

import pytest

from tests.contract.house import house, make_house
from tests.contract.test_options import ABLE

__all__ = ["house", "make_house"]

BODY = {
    "Image": "busybox",
    "Cmd": ["sh"],
    "Env": ["SECRET=hunter2"],
    "HostConfig": {"Memory": 300 << 20, "PortBindings": {"80/tcp": [{}]}, "VolumeDriver": "nfs"},
}
LABELLED = BODY | {"Labels": {"gateway.explain": "true"}}


def limited(house, *limits):
    entry = {"datacenter": "emb", "limit": [json.dumps(limit) for limit in limits]}
    house.account_limits((entry,))


def test_it_tells_everything_and_makes_nothing(make_house):
    house = make_house(ABLE)
    limited(house, {"value": 5}, {"value": 9999, "by": "ram"})
    before = house.things()
    told = house.http.post("/gateway/explain?name=web", json=BODY).json
    assert house.things() == before
    assert told["Name"] == "web"
    assert {key: told["Package"][key] for key in ("Name", "Why")} == {
        "Name": "sample-512M", "Why": "the smallest with at least 300m of memory",
    }  # fmt: skip
    assert [package["Name"] for package in told["Package"]["Alternatives"]] == ["sample-256M", "sample-1G", "sample-2G"]
    assert told["Quota"] == [
        {"What": "containers", "Used": 2, "After": 3, "Limit": 5},
        {"What": "memory", "Used": 2048, "After": 2560, "Limit": 9999},
    ]
    assert told["Placement"]["Server"] == house.node.uuid
    assert told["Placement"]["Steps"][0]["Remaining"] == [house.node.uuid]
    assert [(network["Name"], network["Primary"]) for network in told["Networks"]] == [
        ("My-Fabric-Network", False), ("external", True),
    ]  # fmt: skip
    assert [rule["New"] for rule in told["FirewallRules"]] == [False, False, True]
    assert told["Warnings"] == [
        "Memory 300m is rounded up to the package sample-512M.",
        "VolumeDriver is not supported by this data center and has no effect.",
    ]
    assert told["Payload"]["billing_id"] == told["Package"]["Uuid"]
    assert "hunter2" not in json.dumps(told)
    assert "SECRET=(censored)" in told["Payload"]["internal_metadata"]["docker:env"]["Env"]


def test_it_does_what_the_create_then_does(make_house):
    house = make_house(ABLE)
    told = house.http.post("/gateway/explain?name=web", json=BODY).json
    made = house.http.post("/containers/create?name=web", json=BODY).json
    assert made["Warnings"] == told["Warnings"]
    (vm,) = [vm for vm in house.dc.vmapi.vms() if vm["alias"] == "web"]
    assert vm["server_uuid"] == told["Placement"]["Server"]
    assert vm["billing_id"] == told["Package"]["Uuid"]
    assert {nic["network_uuid"] for nic in vm["nics"]} == {network["Uuid"] for network in told["Networks"]}


@pytest.mark.parametrize("value", ["true", "1", "TRUE"])
def test_the_label_answers_with_a_text_for_people(make_house, value):
    house = make_house(ABLE)
    limited(house, {"value": 5})
    before = house.things()
    answer = house.http.post("/containers/create", json=BODY | {"Labels": {"gateway.explain": value}})
    assert answer.status_code == 422
    assert house.things() == before
    lines = answer.json["message"].splitlines()
    assert lines[0].startswith("nothing was created")
    for line in (
        "  package   sample-512M (512 MiB memory, 12 GiB disk): the smallest with at least 300m of memory",
        f"  node      {house.node.uuid}, of 1 with room among 1",
        "  quota     containers: 2 now, 3 with it, limit 5",
        "  network   My-Fabric-Network, external (primary)",
        "  warning   Memory 300m is rounded up to the package sample-512M.",
    ):
        assert line in lines, answer.json["message"]
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("value", ["false", "", "no"])
def test_another_value_of_the_label_is_a_label(house, value):
    answer = house.http.post("/containers/create", json={"Image": "busybox", "Labels": {"gateway.explain": value}})
    assert answer.status_code == 201
    labels = house.http.get(f"/containers/{answer.json['Id']}/json").json["Config"]["Labels"]
    assert labels["gateway.explain"] == value


@pytest.mark.parametrize("path", ["/gateway/explain", "/containers/create"])
@pytest.mark.parametrize(("change", "name", "status", "words"), [
    ({"Image": "nope"}, "", 404, "No such image"), ({"HostConfig": {"Privileged": True}}, "", 501, "privileged"),
    ({}, "up", 409, 'The container name "/up" is already in use'), ({}, "no/good", 400, "only"),
    ({"HostConfig": {"Memory": 1 << 50}}, "", 400, "no package supports"),
])  # fmt: skip
def test_what_refuses_a_create_refuses_its_explanation(make_house, path, change, name, status, words):
    answer = make_house(ABLE).http.post(f"{path}?name={name}", json={**LABELLED, **change})
    assert (answer.status_code, words in answer.json["message"]) == (status, True), answer.text


def test_quotas_hold_for_it_and_are_not_used_up(make_house):
    house = make_house(ABLE)
    limited(house, {"value": 3})
    for _ in range(3):
        assert house.http.post("/gateway/explain", json=BODY).status_code == 200
        assert house.http.post("/containers/create", json=LABELLED).status_code == 422
    assert house.http.post("/containers/create", json=BODY).status_code == 201
    answer = house.http.post("/gateway/explain", json=BODY)
    assert (answer.status_code, "containers: 3 used, limit 3" in answer.json["message"]) == (403, True)


def test_a_data_center_without_room_is_told(make_house):
    house = make_house(ABLE)
    body = BODY | {"Env": ["affinity:container==nosuch"]}
    told = house.http.post("/gateway/explain", json=body).json
    assert told["Placement"]["Server"] is None
    assert "no active containers found matching" in told["Placement"]["Refusal"]
    message = house.http.post("/containers/create", json=LABELLED | body).json["message"]
    assert "node      none: problem creating container: No compute resources available" in message

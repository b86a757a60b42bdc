"""The nics of machines, as customers add and remove them."""

from __future__ import annotations

import pytest

from tests.contract.cloudapi.caller import Caller, wait_for

ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def path(machine):
    return f"/jdoe/machines/{machine['id']}/nics"


@pytest.fixture
def external(dc):
    return dc.napi.networks(name="external")[0]["uuid"]


def ended(dc, machine, task):
    """The last job of a machine, once it has ended."""
    job = dc.wfapi.engine.find({"vm_uuid": machine["id"], "task": task})[0]
    live = dc.wfapi.engine._running.get(job["uuid"])
    if live is not None:
        assert live.ended.wait(10)
    return dc.wfapi.engine.get(job["uuid"])


def bare(mac):
    return mac.replace(":", "")


@pytest.mark.parametrize("form", [lambda uuid: uuid, lambda uuid: {"ipv4_uuid": uuid, "ipv4_count": 1}])
def test_add_get_list_remove(dc, jdoe, machine, path, external, form):
    (first,) = jdoe.get(path).json
    assert (first["state"], first["primary"]) == ("running", True)
    added = jdoe.send("POST", path, network=form(external))
    assert added.status_code == 201, added.json
    assert added.json.keys() == {"mac", "ip", "primary", "gateway", "netmask", "state", "network"}
    assert (added.json["state"], added.json["network"], added.json["primary"]) == ("provisioning", external, False)
    one = f"{path}/{bare(added.json['mac'])}"
    assert added.headers["Location"] == one
    assert ended(dc, machine, "add_nics")["execution"] == "succeeded"
    assert jdoe.get(one).json == {**added.json, "state": "running"}
    listed = jdoe.get(path)
    assert listed.headers["x-resource-count"] == "2"
    assert [nic["mac"] for nic in listed.json] == [first["mac"], added.json["mac"]]
    assert added.json["ip"] in jdoe.get(f"/jdoe/machines/{machine['id']}").json["ips"]
    assert jdoe.send("DELETE", one).status_code == 204
    assert ended(dc, machine, "remove_nics")["execution"] == "succeeded"
    assert jdoe.get(one).status_code == 404
    assert [nic["mac"] for nic in jdoe.get(path).json] == [first["mac"]]


def test_a_primary_nic_of_ones_own_address(dc, jdoe, machine, path, external):
    address = dc.napi.network(external)["provision_end_ip"]
    added = jdoe.send("POST", path, network={"ipv4_uuid": external, "ipv4_ips": [address]}, primary=True)
    assert (added.json["ip"], added.json["primary"]) == (address, True)
    ended(dc, machine, "add_nics")
    assert jdoe.get(f"/jdoe/machines/{machine['id']}").json["primaryIp"] == address


def test_a_network_the_machine_is_on_already(dc, jdoe, path):
    (nic,) = jdoe.get(path).json
    again = jdoe.send("POST", path, network=nic["network"])
    assert (again.status_code, again.headers["Location"]) == (302, f"{path}/{bare(nic['mac'])}")
    assert len(jdoe.get(path).json) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "MissingParameter"), ({"network": "x"}, "InvalidArgument"), ({"network": 7}, "InvalidArgument"),
        ({"network": ABSENT}, "InvalidArgument"), ({"network": {"name": "external"}}, "InvalidArgument"),
        ({"network": "admin"}, "InvalidArgument"),
    ],
)  # fmt: skip
def test_refused(jdoe, path, body, code):
    answer = jdoe.send("POST", path, **body)
    assert (answer.status_code, answer.json["code"]) == (409, code)
    assert len(jdoe.get(path).json) == 1


def test_networks_of_operators_and_of_others(dc, jdoe, path):
    admin = dc.napi.networks(name="admin")[0]["uuid"]
    theirs = dc.napi.ensure_default_fabric(ABSENT)["uuid"]
    for network in (admin, theirs):
        answer = jdoe.send("POST", path, network=network)
        assert (answer.status_code, answer.json["message"]) == (409, "network not found")


def test_nics_of_others(dc, jdoe, machine, path):
    (nic,) = jdoe.get(path).json
    eve = Caller(dc, "eve", "ecdsa-sha256")
    for method, where in (
        ("GET", ""),
        ("POST", ""),
        ("GET", f"/{bare(nic['mac'])}"),
        ("DELETE", f"/{bare(nic['mac'])}"),
    ):
        assert eve.send(method, path.replace("jdoe", "eve") + where).status_code == 404


@pytest.mark.parametrize(("mac", "status"), [("x", 409), ("90b8d0ffffff", 404)])
def test_macs(jdoe, path, mac, status):
    assert jdoe.get(f"{path}/{mac}").status_code == status
    assert jdoe.send("DELETE", f"{path}/{mac}").status_code == status


def test_a_nic_that_cannot_be_added_is_gone_again(dc, jdoe, node, machine, path, external):
    node.failures["machine_update"] = [("InternalError", "no")]
    added = jdoe.send("POST", path, network=external, primary=True)
    assert ended(dc, machine, "add_nics")["execution"] == "failed"
    assert jdoe.get(f"{path}/{bare(added.json['mac'])}").status_code == 404
    (nic,) = jdoe.get(path).json
    assert nic["primary"] is True


def test_a_stopped_machine(dc, jdoe, machine, path, external):
    jdoe.send("POST", f"/jdoe/machines/{machine['id']}", action="stop")
    wait_for(jdoe, machine, "stopped")
    added = jdoe.send("POST", path, network=external)
    ended(dc, machine, "add_nics")
    assert jdoe.get(f"{path}/{bare(added.json['mac'])}").json["state"] == "stopped"

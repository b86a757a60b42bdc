"""add_nics, update_nics, remove_nics: what is refused, what a job does, and what is left when it fails."""

from __future__ import annotations

import pytest

from datacenter.services.cnapi import agent
from datacenter.services.serving import Server

ABSENT = "00000000-0000-4000-8000-000000000000"
MAC = "90:b8:d0:00:00:01"
MESSAGE = "Invalid VM update parameters"


@pytest.fixture
def fabric(world):
    return world.napi.ensure_default_fabric(world.owner)


@pytest.fixture
def vm(world):
    return world.create("web1")


def add(world, vm, *networks, **params):
    job = world.act(vm, "add_nics", networks=list(networks), **params)
    assert job["execution"] == "succeeded", job["chain_results"][-1]
    return world.vmapi.vm(vm["uuid"])


def refused(world, vm, action, **params):
    answer = world.http.post(f"/vms/{vm['uuid']}?action={action}", json=params)
    assert (answer.status_code, answer.json["code"]) == (409, "ValidationFailed"), answer.json
    assert answer.json["message"] == MESSAGE
    (error,) = answer.json["errors"]
    return error["field"], error["code"]


def told(world):
    return world.node.did("machine_update")[-1]


@pytest.mark.parametrize("form", ["text", "list", "uuid", "name", "ipv4_uuid", "count"])
def test_networks_in_every_form(world, vm, fabric, form):
    uuid = fabric["uuid"]
    networks = {
        "text": uuid,
        "list": [uuid],
        "uuid": [{"uuid": uuid}],
        "name": [{"name": fabric["name"]}],
        "ipv4_uuid": [{"ipv4_uuid": uuid}],
        "count": [{"ipv4_uuid": uuid, "ipv4_count": 1}],
    }[form]
    job = world.act(vm, "add_nics", networks=networks)
    assert job["execution"] == "succeeded"
    first, second = world.vmapi.vm(vm["uuid"])["nics"]
    assert first == vm["nics"][0]
    assert (second["interface"], second["network_uuid"]) == ("net1", uuid)
    assert "primary" not in second
    (nic,) = told(world)["add_nics"]
    assert (nic["mac"], nic["ip"], nic["interface"]) == (second["mac"], second["ip"], "net1")


@pytest.mark.parametrize("form", [{"ip": True}, {"ipv4_ips": True}])
def test_an_address_of_ones_choice(world, vm, fabric, form):
    address = fabric["provision_end_ip"]
    network = {"uuid": fabric["uuid"], "ip": address}
    if "ipv4_ips" in form:
        network = {"ipv4_uuid": fabric["uuid"], "ipv4_ips": [address]}
    nic = add(world, vm, network)["nics"][1]
    assert (nic["ip"], nic["ips"]) == (address, [f"{address}/22"])


def test_a_nic_that_napi_has_already(world, vm, fabric):
    made = world.napi.provision_nic(
        fabric["uuid"], owner_uuid=world.owner, belongs_to_uuid=vm["uuid"], cn_uuid=world.node.uuid
    )
    assert world.act(vm, "add_nics", macs=[made["mac"].upper()])["execution"] == "succeeded"
    assert world.vmapi.vm(vm["uuid"])["nics"][1]["mac"] == made["mac"]


def test_the_job(world, vm, fabric):
    answer = world.http.post(f"/vms/{vm['uuid']}?action=add_nics", json={"networks": [fabric["uuid"]]})
    assert answer.status_code == 202
    assert answer.json["vm_uuid"] == vm["uuid"]
    assert answer.headers["workflow-api"] == world.settings.url("wfapi")
    job = world.job(answer.json["job_uuid"])
    assert (job["name"], job["params"]["task"], job["timeout"]) == ("add-nics-7.1.0", "add_nics", 300)
    assert [entry["name"] for entry in job["chain_results"]] == [
        "common.validate_params", "napi.validate_networks", "napi.check_server_nic_tags", "napi.provision_nics",
        "cnapi.acquire_vm_ticket", "cnapi.wait_on_vm_ticket", "common.ensure_vm_state",
        "common.update_network_params", "cnapi.update_vm", "vmapi.put_vm", "fwapi.update", "cnapi.release_vm_ticket",
    ]  # fmt: skip


def test_a_new_primary_nic_takes_the_place_of_the_old(world, vm, fabric):
    first, second = add(world, vm, {"uuid": fabric["uuid"], "primary": True})["nics"]
    assert "primary" not in first
    assert second["primary"] is True
    assert [nic["primary"] for nic in world.napi.nics.of(vm["uuid"])] == [False, True]
    assert told(world)["add_nics"][0]["primary"] is True


def test_resolvers_follow_the_networks_but_not_those_of_ones_own(world, vm, fabric):
    other = world.napi.network(fabric["uuid"])
    world.napi.update_network(other, {"resolvers": ["9.9.9.9"]})
    assert add(world, vm, fabric["uuid"])["resolvers"] == [*world.network["resolvers"], "9.9.9.9"]
    own = world.create("web2", resolvers=["1.1.1.1"])
    assert add(world, own, fabric["uuid"])["resolvers"] == ["1.1.1.1"]


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_napi_says_how_a_nic_is(world, vm, fabric, state):
    if state == "running":
        world.act(vm, "start")
    add(world, vm, fabric["uuid"])
    assert {nic["state"] for nic in world.napi.nics.of(vm["uuid"])} == {state}
    world.act(vm, "stop" if state == "running" else "start")
    assert {nic["state"] for nic in world.napi.nics.of(vm["uuid"])} == {"running", "stopped"} - {state}


def test_the_changefeed_tells_of_nics(world, vm, fabric):
    from datacenter.changefeed import Listener

    items = []
    world.vmapi.changefeed.subscribe(Listener("i", "s", frozenset({("vm", "nics")}), items.append))
    after = add(world, vm, fabric["uuid"])
    assert [item["changeKind"]["subResources"] for item in items] == [["nics"]]
    assert items[0]["resourceObject"] == after


@pytest.mark.parametrize(
    "networks",
    ["external", [7], [{"primary": True}], ["x"], [{"uuid": ABSENT, "ipv4_uuid": ABSENT}], [{"ipv6_uuid": ABSENT}],
     [{"ipv4_uuid": ABSENT, "ipv4_count": 2}], [{"ipv4_uuid": ABSENT, "ipv4_count": 1, "ipv4_ips": ["10.0.0.1"]}],
     [{"ipv4_uuid": ABSENT, "ipv4_ips": ["10.0.0.1", "10.0.0.2"]}], [{"ipv4_uuid": ABSENT, "ipv4_ips": ["x"]}],
     [{"uuid": ABSENT, "primary": True}] * 2, {"uuid": ABSENT}],
)  # fmt: skip
def test_refused_networks(world, vm, networks):
    assert refused(world, vm, "add_nics", networks=networks) == ("networks", "Invalid")
    answer = world.http.post("/vms", json=world.payload(networks=networks))
    assert {error["field"] for error in answer.json["errors"]} == {"networks"}


@pytest.mark.parametrize("action", ["add_nics", "remove_nics"])
@pytest.mark.parametrize(("macs", "code"), [(None, "MissingParameter"), ([], "MissingParameter"), (["x"], "Invalid"),
                                            ([7], "Invalid"), ({}, "MissingParameter"), ("a,b", "Invalid")])  # fmt: skip
def test_refused_macs(world, vm, action, macs, code):
    assert refused(world, vm, action, macs=macs) == ("macs", code)


@pytest.mark.parametrize(
    ("nics", "code"),
    [
        (None, "MissingParameter"), ([], "MissingParameter"), ("a,b", "Invalid"), ([MAC], "Invalid"),
        ([{"primary": True}], "Invalid"), ([{"mac": MAC, "ip": "10.0.0.1"}], "Invalid"),
        ([{"mac": MAC, "primary": True}, {"mac": "90:b8:d0:00:00:02", "primary": True}], "Invalid"),
        ([{"mac": MAC}, {"mac": MAC}], "Invalid"), ([{"mac": MAC, "interface": "eth0"}], "Invalid"),
        ([{"mac": MAC, "interface": "net0"}, {"mac": "90:b8:d0:00:00:02", "interface": "net1"}], "Invalid"),
        ([{"mac": MAC, "allow_ip_spoofing": "yes"}], "Invalid"),
    ],
)  # fmt: skip
def test_refused_updates(world, vm, nics, code):
    assert refused(world, vm, "update_nics", nics=nics) == ("nics", code)


@pytest.mark.parametrize("action", ["add_nics", "remove_nics", "update_nics"])
def test_a_provisioning_vm_takes_none(world, action):
    vm_uuid = world.http.post("/vms", json=world.payload()).json["vm_uuid"]
    answer = world.http.post(f"/vms/{vm_uuid}?action={action}", json={"macs": [MAC], "nics": [{"mac": MAC}]})
    assert (answer.status_code, answer.json["code"]) == (409, "UnallocatedVM")


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"networks": [ABSENT]}, 409, "UnprocessableEntity"),
        ({"networks": [{"name": "nowhere"}]}, 409, "UnprocessableEntity"),
        ({"macs": [MAC]}, 404, "ResourceNotFound"),
    ],
)
def test_unknown_things_fail_the_job(world, vm, params, status, code):
    answer = world.http.post(f"/vms/{vm['uuid']}?action=add_nics&sync=true", json=params)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert world.vmapi.vm(vm["uuid"]) == vm
    assert len(world.napi.nics.of(vm["uuid"])) == 1


def test_nics_of_others_are_never_taken(world, vm):
    (theirs,) = world.create("web2")["nics"]
    for action in ("add_nics", "remove_nics"):
        answer = world.http.post(f"/vms/{vm['uuid']}?action={action}&sync=true", json={"macs": [theirs["mac"]]})
        assert (answer.status_code, answer.json["code"]) == (404, "ResourceNotFound")
    assert world.napi.nics.get(theirs["mac"])["belongs_to_uuid"] == theirs["belongs_to_uuid"]


def test_a_network_the_server_cannot_reach(world, vm):
    world.napi.tags.create({"name": "far", "uuid": ABSENT})
    far = world.napi.create_network(
        {"name": "far", "nic_tag": "far", "subnet": "10.200.0.0/24", "vlan_id": 0, "provision_start_ip": "10.200.0.5",
         "provision_end_ip": "10.200.0.9"}
    )  # fmt: skip
    job = world.act(vm, "add_nics", networks=[far["uuid"]])
    assert job["chain_results"][-1]["name"] == "napi.check_server_nic_tags"
    assert "lacks nic tag far" in job["chain_results"][-1]["error"]["message"]
    assert world.napi.nics.on(far["uuid"]) == []


def test_a_full_network(world, vm, fabric):
    tiny = world.napi.update_network(world.network, {"provision_end_ip": vm["nics"][0]["ip"]})
    answer = world.http.post(
        f"/vms/{vm['uuid']}?action=add_nics&sync=true", json={"networks": [fabric["uuid"], tiny["uuid"]]}
    )
    assert (answer.status_code, answer.json["code"]) == (507, "SubnetFull")
    assert world.napi.nics.on(fabric["uuid"]) == []


@pytest.mark.parametrize("primary", [False, True])
def test_what_the_node_refuses_is_undone(world, vm, fabric, primary):
    world.node.failures["machine_update"] = [("InternalError", "no more interfaces")]
    job = world.act(vm, "add_nics", networks=[{"uuid": fabric["uuid"], "primary": primary}])
    assert job["execution"] == "failed"
    assert job["chain_results"][-1]["error"]["message"] == "no more interfaces"
    assert [entry["error"] for entry in job["onerror_results"]] == ["", ""]
    assert world.vmapi.vm(vm["uuid"])["nics"] == vm["nics"]
    (nic,) = world.napi.nics.of(vm["uuid"])
    assert nic["primary"] is True
    assert told(world)["remove_nics"]
    assert world.vmapi.doomed._nics.all() == []
    assert world.cnapi.tickets.busy(world.node.uuid, vm["uuid"]) is False


def test_the_address_is_kept_until_a_node_that_is_away_has_let_go_of_it(world, vm, fabric, monkeypatch):
    monkeypatch.setattr(agent, "PATIENCE", 0.05)
    world.node.server.stop(timeout=0)
    world.cnapi.servers.agent(world.node.uuid)._idle.clear()
    job = world.act(vm, "add_nics", networks=[fabric["uuid"]])
    assert job["execution"] == "failed"
    (stray,) = world.napi.nics.on(fabric["uuid"])
    node = world.node
    node.server = Server(0, node.answer)
    node.server.start()
    world.cnapi.app.test_client().post(f"/servers/{node.uuid}/sysinfo", json={"sysinfo": node.sysinfo()})
    (job,) = world.wfapi.engine.find({"task": "remove_nics"})
    assert world.job(job["uuid"])["execution"] == "succeeded"
    assert told(world)["remove_nics"] == [stray["mac"]]
    assert world.napi.nics.on(fabric["uuid"]) == []
    assert world.vmapi.doomed._nics.all() == []
    assert world.vmapi.vm(vm["uuid"])["nics"] == vm["nics"]


@pytest.mark.parametrize("got_as_far_as", ["nothing", "napi", "the node", "the record"])
def test_a_job_found_after_a_restart_is_finished(world, vm, fabric, monkeypatch, got_as_far_as):
    monkeypatch.setattr(world.wfapi.engine, "launch", lambda job: job)
    answer = world.http.post(f"/vms/{vm['uuid']}?action=add_nics", json={"networks": [fabric["uuid"]]})
    monkeypatch.undo()
    (provision,) = world.wfapi.engine.get(answer.json["job_uuid"])["params"]["provisions"]
    if got_as_far_as != "nothing":
        made = world.napi.provision_nic(
            fabric["uuid"], owner_uuid=world.owner, belongs_to_uuid=vm["uuid"], cn_uuid=world.node.uuid,
            mac=provision["mac"],
        )  # fmt: skip
    if got_as_far_as == "the record":
        world.vmapi.table.put({**vm, "nics": [*vm["nics"], {**made, "interface": "net1"}]})
    world.wfapi.engine.resume()
    assert world.job(answer.json["job_uuid"])["execution"] == "succeeded"
    _, nic = world.vmapi.vm(vm["uuid"])["nics"]
    assert (nic["mac"], nic["interface"]) == (provision["mac"], "net1")
    assert len(world.napi.nics.of(vm["uuid"])) == 2


def test_jobs_for_one_vm_take_different_interfaces(world, vm, fabric):
    path = f"/vms/{vm['uuid']}?action=add_nics"
    jobs = [world.http.post(path, json={"networks": [fabric["uuid"]]}).json["job_uuid"] for _ in range(3)]
    assert {world.job(job)["execution"] for job in jobs} == {"succeeded"}
    nics = world.vmapi.vm(vm["uuid"])["nics"]
    assert [nic["interface"] for nic in nics] == ["net0", "net1", "net2", "net3"]
    assert len({nic["ip"] for nic in nics}) == 4


def test_remove(world, vm, fabric):
    both = add(world, vm, fabric["uuid"])["nics"]
    job = world.act(vm, "remove_nics", macs=[both[1]["mac"]])
    assert (job["execution"], job["name"], job["params"]["task"]) == ("succeeded", "remove-nics-7.0.6", "remove_nics")
    assert told(world)["remove_nics"] == [both[1]["mac"]]
    assert world.vmapi.vm(vm["uuid"])["nics"] == both[:1]
    assert world.napi.nics.get(both[1]["mac"]) is None


def test_when_the_primary_nic_goes_another_takes_its_place(world, vm, fabric):
    first, second = add(world, vm, fabric["uuid"])["nics"]
    world.act(vm, "remove_nics", macs=first["mac"])
    (left,) = world.vmapi.vm(vm["uuid"])["nics"]
    assert (left["mac"], left["primary"], left["interface"]) == (second["mac"], True, "net1")
    assert world.napi.nics.get(second["mac"])["primary"] is True
    assert told(world)["update_nics"] == [{"mac": second["mac"], "primary": True}]
    third = add(world, vm, world.network["uuid"])["nics"][1]
    assert third["interface"] == "net0"


def test_all_nics_may_go_and_the_next_one_is_primary(world, vm, fabric):
    world.act(vm, "remove_nics", macs=[vm["nics"][0]["mac"]])
    assert world.vmapi.vm(vm["uuid"])["nics"] == []
    (nic,) = add(world, vm, fabric["uuid"])["nics"]
    assert (nic["interface"], nic["primary"]) == ("net0", True)


def test_a_failed_removal_leaves_everything(world, vm, fabric):
    both = add(world, vm, fabric["uuid"])["nics"]
    world.node.failures["machine_update"] = [("InternalError", "busy")]
    assert world.act(vm, "remove_nics", macs=[both[1]["mac"]])["execution"] == "failed"
    assert world.vmapi.vm(vm["uuid"])["nics"] == both
    assert world.napi.nics.get(both[1]["mac"]) is not None


def test_update_moves_primary_and_reorders(world, vm, fabric):
    first, second = add(world, vm, fabric["uuid"])["nics"]
    job = world.act(vm, "update_nics", nics=[{"mac": second["mac"], "primary": True}])
    assert (job["execution"], job["name"]) == ("succeeded", "update-nics-7.0.2")
    nics = world.vmapi.vm(vm["uuid"])["nics"]
    assert [nic.get("primary", False) for nic in nics] == [False, True]
    assert [nic["primary"] for nic in world.napi.nics.of(vm["uuid"])] == [False, True]
    swap = [
        {"mac": first["mac"], "interface": "net1"},
        {"mac": second["mac"], "interface": "net0", "allow_ip_spoofing": True},
    ]
    assert world.act(vm, "update_nics", nics=swap)["execution"] == "succeeded"
    nics = {nic["mac"]: nic for nic in world.vmapi.vm(vm["uuid"])["nics"]}
    assert (nics[first["mac"]]["interface"], nics[second["mac"]]["interface"]) == ("net1", "net0")
    assert world.napi.nics.get(second["mac"])["allow_ip_spoofing"] is True


def test_update_of_a_nic_that_is_not_there(world, vm):
    answer = world.http.post(
        f"/vms/{vm['uuid']}?action=update_nics&sync=true", json={"nics": [{"mac": MAC, "primary": True}]}
    )
    assert (answer.status_code, answer.json["code"]) == (404, "ResourceNotFound")


def test_a_destroyed_vm_gets_none(world, vm, fabric):
    world.http.delete(f"/vms/{vm['uuid']}?sync=true")
    assert world.act(vm, "add_nics", networks=[fabric["uuid"]])["execution"] == "failed"
    assert world.napi.nics.on(fabric["uuid"]) == []

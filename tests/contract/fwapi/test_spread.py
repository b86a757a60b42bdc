"""How rules, and what they ask of VMs, come to the nodes that hold VMs to them."""

from __future__ import annotations

import uuid

import pytest

from datacenter.services.vmapi import record
from tests.contract.conftest import BookNode

FIREWALLER = {"SDC Agents": [{"name": "firewaller", "version": "1.0.0"}]}
TEXT = "FROM any TO all vms ALLOW tcp PORT 80"


class FirewallNode(BookNode):
    """Keeps what it is told as a real node does: by key, or the whole of it."""

    def __init__(self):
        super().__init__()
        self.rules, self.vms = {}, {}

    def run(self, task, params):
        if task != "fw_update":
            return super().run(task, params)
        for kept, kind in ((self.rules, "rules"), (self.vms, "vms")):
            if params["whole"]:
                kept.clear()
            for key in params["gone"][kind]:
                kept.pop(key, None)
            kept.update((doc["uuid"], doc) for doc in params[kind])
        return {}

    @property
    def texts(self):
        return sorted(rule["rule"] for rule in self.rules.values())


@pytest.fixture
def nodes(dc):
    """Nodes come by announcing themselves."""
    made = []

    def announce(node=None, **sysinfo):
        if node is None:
            node = FirewallNode()
            made.append(node)
        told = {**node.sysinfo(), **FIREWALLER, **sysinfo}
        answer = dc.cnapi.app.test_client().post(f"/servers/{node.uuid}/sysinfo", json={"sysinfo": told})
        assert answer.status_code == 200
        settled(dc)
        return node

    yield announce
    for node in made:
        node.server.stop(timeout=0)


@pytest.fixture
def owner(dc):
    return dc.mahi.create_account("jill")["uuid"]


def settled(dc):
    dc.fwapi.spread.settle(10)


def heartbeat(dc, node):
    assert dc.cnapi.app.test_client().post(f"/servers/{node.uuid}/events/heartbeat").status_code == 204
    settled(dc)


def add_rule(dc, owner, text=TEXT, **fields):
    asked = {"owner_uuid": owner, "enabled": True, "rule": text, **fields}
    answer = dc.fwapi.app.test_client().post("/rules", json=asked)
    assert answer.status_code == 202
    settled(dc)
    return answer.json["uuid"]


def put_rule(dc, rule_uuid, **changes):
    assert dc.fwapi.app.test_client().put(f"/rules/{rule_uuid}", json=changes).status_code == 202
    settled(dc)


def add_vm(dc, owner, node, *ips, **fields):
    vm_uuid = str(uuid.uuid4())
    told = {"uuid": vm_uuid, "owner_uuid": owner, "brand": "lx", "state": "running", "server_uuid": node.uuid,
            "nics": [{"ip": ip} for ip in ips], **fields}  # fmt: skip
    vm = dc.vmapi.table.put(record.adopted(told))
    settled(dc)
    return vm


def change_vm(dc, vm, **changes):
    after = dc.vmapi.table.put({**vm, **changes})
    settled(dc)
    return after


def test_a_rule_reaches_every_node_and_leaves_it(dc, nodes, owner):
    first, second = nodes(), nodes()
    rule_uuid = add_rule(dc, owner)
    assert first.texts == second.texts == [TEXT]
    put_rule(dc, rule_uuid, rule="FROM any TO all vms ALLOW tcp PORT 443")
    assert first.texts == second.texts == ["FROM any TO all vms ALLOW tcp PORT 443"]
    put_rule(dc, rule_uuid, enabled=False)
    assert first.texts == second.texts == []
    put_rule(dc, rule_uuid, enabled=True)
    assert len(first.texts) == len(second.texts) == 1
    assert dc.fwapi.app.test_client().delete(f"/rules/{rule_uuid}").status_code == 204
    settled(dc)
    assert first.texts == second.texts == []


def test_a_rule_that_is_off_is_told_to_nobody(dc, nodes, owner):
    node = nodes()
    add_rule(dc, owner, enabled=False)
    assert node.texts == nodes().texts == []


def test_a_node_that_comes_is_told_everything(dc, nodes, owner):
    rule_uuid = add_rule(dc, owner)
    node = nodes()
    assert [(params["whole"], len(params["rules"])) for params in node.did("fw_update")] == [(True, 1)]
    node.rules = {"stale": {}}
    nodes(node)
    assert list(node.rules) == [rule_uuid]


def test_a_node_without_the_agent_is_told_nothing(dc, nodes, owner):
    node = nodes(**{"SDC Agents": [{"name": "cn-agent", "version": "2.15.0"}]})
    add_rule(dc, owner)
    heartbeat(dc, node)
    assert node.did("fw_update") == []


def test_vms_are_told_to_other_nodes_than_their_own(dc, nodes, owner):
    here, there = nodes(), nodes()
    vm = add_vm(dc, owner, here, "10.0.0.5", tags={"role": "db"})
    assert here.vms == {}
    told = there.vms[vm["uuid"]]
    assert (told["owner_uuid"], told["tags"], told["ips"]) == (owner, {"role": "db"}, ["10.0.0.5"])
    count = len(there.tasks)
    change_vm(dc, vm, state="stopped", zone_state="installed", alias="other")
    assert len(there.tasks) == count
    change_vm(dc, vm, tags={"role": "web"})
    assert there.vms[vm["uuid"]]["tags"] == {"role": "web"}
    change_vm(dc, vm, nics=[{"ip": "10.0.0.5"}, {"ip": "10.0.0.6"}])
    assert there.vms[vm["uuid"]]["ips"] == ["10.0.0.5", "10.0.0.6"]
    assert len(nodes().vms) == 1
    change_vm(dc, vm, state="destroyed")
    assert here.vms == there.vms == nodes().vms == {}


def test_a_vm_that_moves_is_told_where_it_was(dc, nodes, owner):
    here, there = nodes(), nodes()
    vm = add_vm(dc, owner, here, "10.0.0.5")
    change_vm(dc, vm, server_uuid=there.uuid)
    assert (list(here.vms), list(there.vms)) == ([vm["uuid"]], [])


def test_a_node_that_could_not_be_told_is_told_everything_when_it_is_heard_of(dc, nodes, owner):
    node = nodes()
    node.failures["fw_update"] = [("InternalError", "out of sorts")]
    add_rule(dc, owner)
    assert node.texts == []
    add_rule(dc, owner, "FROM any TO all vms ALLOW tcp PORT 443")
    assert len(node.did("fw_update")) == 2
    heartbeat(dc, node)
    assert node.did("fw_update")[-1]["whole"] is True
    assert len(node.texts) == 2
    count = len(node.tasks)
    heartbeat(dc, node)
    assert len(node.tasks) == count


def test_what_changes_while_a_node_is_being_told_is_told_after_it(dc, nodes, owner):
    node = nodes()
    node.delays["fw_update"] = 0.05
    http = dc.fwapi.app.test_client()
    made = [http.post("/rules", json={"owner_uuid": owner, "enabled": True, "rule": TEXT}).json for _ in range(4)]
    http.put(f"/rules/{made[0]['uuid']}", json={"enabled": False})
    http.delete(f"/rules/{made[1]['uuid']}")
    settled(dc)
    assert sorted(node.rules) == sorted(rule["uuid"] for rule in made[2:])


def test_services_that_begin_anew_tell_what_they_had_accepted(dc, nodes, owner):
    node = nodes()
    rule_uuid = add_rule(dc, owner)
    node.rules.clear()
    dc.resume()
    settled(dc)
    assert list(node.rules) == [rule_uuid]


def test_a_server_that_cnapi_forgets_is_told_no_more(dc, nodes, owner):
    node = nodes()
    dc.cnapi.servers.delete(node.uuid)
    add_rule(dc, owner)
    assert node.texts == []
    nodes(node)
    assert node.texts == [TEXT]


def test_a_change_that_is_taken_back_is_told_as_it_is(dc, nodes, owner):
    node = nodes()
    rule_uuid = add_rule(dc, owner)
    with pytest.raises(ZeroDivisionError), dc.store.transaction():
        dc.fwapi.delete(rule_uuid)
        raise ZeroDivisionError
    settled(dc)
    assert list(node.rules) == [rule_uuid]

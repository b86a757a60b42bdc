"""What requests cost in a big data center, counted and not timed: how many VMs each of them looks at.

2,000 VMs of 40 accounts are put on record at once; the jobs of ten thousand would take minutes here.
"""

from __future__ import annotations

import json
import uuid
from urllib.parse import quote

import pytest

from datacenter.services.vmapi.record import new_vm
from datacenter.settings import DcSettings
from datacenter.store import Store
from tests.contract.conftest import make_world

ACCOUNTS, EACH = 40, 50
VMS = ACCOUNTS * EACH


class Big:
    """The data center, and the count of VMs that a request looks at."""

    def __init__(self, world) -> None:
        self.world = world
        world.add_node(memory=1 << 24, disk_gib=1 << 20)
        world.add_node(memory=1 << 24, disk_gib=1 << 20)
        self.owners = [str(uuid.uuid4()) for _ in range(ACCOUNTS)]
        with world.store.transaction():
            for number in range(VMS):
                self.put(number)
        self.vm = world.vmapi.table.where("alias", "vm-77")[0]

    def put(self, number: int) -> None:
        owner = self.owners[number % ACCOUNTS]
        payload = self.world.payload(f"vm-{number}", owner_uuid=owner, max_physical_memory=128, quota=1, cpu_cap=10)
        server = self.world.cnapi.servers.get(self.world.nodes[number % 2].uuid)
        state = "destroyed" if number % 10 == 9 else "running"
        made = {**new_vm(payload, [], server, []), "state": state}
        made["create_timestamp"] = f"2026-01-01T{number // 100:02}:00:{number % 60:02}.000Z"
        self.world.vmapi.table.put(made)

    def examined(self, act):
        """What an action gives, and how many VMs were looked at for it."""
        before = self.world.vmapi.table.examined
        answer = act()
        return answer, self.world.vmapi.table.examined - before

    def get(self, path: str):
        return self.examined(lambda: self.world.http.get(path))

    def find(self, *terms: object):
        """As the gateway asks."""
        gone = [{"ne": ["state", "failed"]}, {"ne": ["state", "destroyed"]}]
        mine = [{"eq": ["docker", True]}, {"eq": ["owner_uuid", self.vm["owner_uuid"]]}]
        return self.get(f"/vms?predicate={quote(json.dumps({'and': [*mine, *gone, *terms]}))}")


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    settings = DcSettings(state=tmp_path_factory.mktemp("big"), overprovision_cpu=1e4)
    world = make_world(Store(":memory:"), settings)
    yield Big(world)
    for node in world.nodes:
        node.server.stop(timeout=0)
    world.store.close()


def test_a_list_looks_at_the_accounts_vms(big):
    answer, cost = big.get(f"/vms?owner_uuid={big.vm['owner_uuid']}&state=active")
    assert 0 < len(answer.json) == cost <= EACH
    answer, cost = big.find()
    assert 0 < len(answer.json) == cost <= EACH


def test_a_name_or_a_prefix_finds_its_vm_alone(big):
    answer, cost = big.find({"eq": ["alias", big.vm["alias"]]})
    assert (len(answer.json), cost) == (1, 1)
    answer, cost = big.find({"or": [{"eq": ["uuid", f"{big.vm['uuid'][:13]}*"]}, {"eq": ["alias", "none"]}]})
    assert len(answer.json) == 1
    assert cost <= 3


@pytest.mark.parametrize(
    "query", ["", "?state=active", "?state=running&docker=true", "?owner_uuid={owner}&alias=vm-77"]
)
def test_counting_looks_at_none(big, query):
    plain = big.world.http.get(f"/vms{query.format(owner=big.vm['owner_uuid'])}{'&' if query else '?'}limit=1")
    path = f"/vms{query.format(owner=big.vm['owner_uuid'])}"
    answer, cost = big.examined(lambda: big.world.http.head(path))
    assert answer.headers["x-joyent-resource-count"] == plain.headers["x-joyent-resource-count"]
    assert cost == 0


@pytest.mark.parametrize("sort", ["&sort=create_timestamp.desc", ""])
def test_a_page_looks_at_its_own_vms_and_all_pages_make_the_whole(big, sort):
    seen, marker = [], ""
    while True:
        answer, cost = big.get(f"/vms?state=active&limit=300{sort}{marker}")
        assert cost == len(answer.json)
        seen += answer.json
        if len(answer.json) < 300:
            break
        keys = ("uuid", "create_timestamp") if sort else ("uuid",)
        marker = "&marker=" + quote(json.dumps({key: answer.json[-1][key] for key in keys}))
    assert len({vm["uuid"] for vm in seen}) == len(seen) == VMS * 9 // 10
    order = [(vm["create_timestamp"] if sort else "", vm["uuid"]) for vm in seen]
    assert order == sorted(order, reverse=True)
    offset, _ = big.get(f"/vms?state=active&limit=300&offset=900{sort}")
    assert [vm["uuid"] for vm in offset.json] == [vm["uuid"] for vm in seen[900:1200]]


def test_placement_looks_at_no_vm_without_a_rule_about_vms(big):
    payload = big.world.payload("new", owner_uuid=big.vm["owner_uuid"])
    package = big.world.package
    _, cost = big.examined(lambda: big.world.cnapi.allocate(payload, package, {}, [["external"]]))
    assert cost == 0
    rule = {"key": "container", "operator": "==", "value": big.vm["alias"], "valueType": "exact", "isSoft": False}
    server, cost = big.examined(
        lambda: big.world.cnapi.allocate({**payload, "affinity": [rule]}, package, {}, [["external"]])
    )
    assert server["uuid"] == big.vm["server_uuid"]
    assert cost <= EACH


def test_a_life_looks_at_a_few(big):
    """Create, start, destroy: what is looked at does not depend on how many VMs there are."""
    owner = big.owners[3]
    vm, cost = big.examined(lambda: big.world.create("life", owner_uuid=owner))
    assert cost < 20
    _, cost = big.examined(lambda: big.world.act(vm, "start"))
    assert cost < 20
    _, cost = big.examined(lambda: big.world.http.delete(f"/vms/{vm['uuid']}?sync=true"))
    assert cost < 20


def test_servers_with_capacity_look_at_none(big):
    http = big.world.cnapi.app.test_client()
    answer, cost = big.examined(lambda: http.get("/servers?extras=sysinfo,memory,capacity"))
    assert answer.json[0]["unreserved_ram"] > 0
    assert cost == 0

"""Real containers behind their firewalls: who reaches whom, and how that changes while they run."""

from __future__ import annotations

import os
import socket
import subprocess
import uuid

import pytest

from tests.unit.datacenter.node.node_kit import TaskFailed, nic
from tests.unit.datacenter.node.test_hotplug import second

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

JILL, JACK = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
SERVE = "while :; do echo hello | nc -l -p 7777; done"
REFUSED, LOST = 1, 2
ASK = (
    "import socket, sys\n"
    "try: sys.stdout.write(socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).recv(9).decode())\n"
    "except TimeoutError: sys.exit(2)\n"
    "except ConnectionError: sys.exit(1)\n"
)
"""No program of the test's image tells a dropped packet from a refused one: this one stands in the VM's network."""


class Vm:
    """A running container; its firewall is on unless told otherwise."""

    def __init__(self, node, number, *cmd, owner=JILL, **fields):
        self.node, self.ip = node, f"10.153.240.{number}"
        given = {
            "firewall_enabled": True,
            "owner_uuid": owner,
            "nics": [{**nic(number), "interface": "net0"}],
            **fields,
        }
        self.uuid = node.create(*(cmd or ("sh", "-c", SERVE)), **given)
        node.task("machine_boot", uuid=self.uuid)

    def asks(self, address, port=7777, patience=5.0):
        """What is said, or why not: REFUSED, or LOST for a packet that nobody answers."""
        done = self.inside("python3", "-c", ASK, address, str(port), str(patience))
        return done.stdout or done.returncode

    def reaches(self, other, port=7777):
        """Whether a packet comes through, as somebody listens or as nobody does."""
        return self.asks(other if isinstance(other, str) else other.ip, port, 0.5) != LOST

    def pings(self, address):
        done = self.inside("busybox", "ping", "-c1", "-W1", address)
        return "1 packets received" in done.stdout

    def inside(self, *command):
        pid = self.node.task("machine_load", uuid=self.uuid)["vm"]["pid"]
        argv = ["nsenter", f"--net=/proc/{pid}/ns/net", *command]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def update(self, **changes):
        self.node.task("machine_update", uuid=self.uuid, **changes)


@pytest.fixture
def vms(node):
    """Start VMs by the last number of their address; they are gone after the test, and all rules with them."""
    made = []

    def start(number, *cmd, **fields):
        made.append(Vm(node, number, *cmd, **fields))
        return made[-1]

    yield start
    for vm in made:
        node.task("machine_destroy", uuid=vm.uuid)
    node.task("fw_update", whole=True)


def rule(text, owner=JILL, **fields):
    whose = {"owner_uuid": owner} if owner else {"global": True}
    return {"uuid": str(uuid.uuid4()), "enabled": True, "rule": text, **whose, **fields}


def ruleset(vm):
    """All tables in a VM's namespace, as nft writes them."""
    return vm.inside("nft", "list", "ruleset").stdout


def test_without_rules_nothing_comes_in_and_all_goes_out(node, vms):
    shut, other = vms(31), vms(32, firewall_enabled=False)
    assert not other.reaches(shut)
    assert not other.pings(shut.ip)
    assert host_reaches(other.ip)
    assert not host_reaches(shut.ip)
    assert other.asks(other.ip) == shut.asks(other.ip) == "hello\n"
    assert shut.pings(other.ip)
    assert shut.pings("10.153.240.1")


def host_reaches(address, port=7777):
    try:
        socket.create_connection((address, port), timeout=0.5).close()
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def test_a_container_s_talk_with_itself_is_its_own(vms):
    shut = vms(31)
    assert shut.asks("127.0.0.1") == "hello\n"
    assert shut.asks(shut.ip) == "hello\n"


def test_a_vm_without_firewall_has_no_table(vms):
    assert "tdg_firewall" not in ruleset(vms(31, firewall_enabled=False))
    assert "tdg_firewall" in ruleset(vms(32))


def test_rules_come_change_and_go_while_containers_run(node, vms):
    web, other = vms(31), vms(32)
    given = rule(f"FROM any TO vm {web.uuid} ALLOW tcp PORT 7777")
    node.task("fw_update", rules=[given])
    assert other.asks(web.ip) == "hello\n"
    assert host_reaches(web.ip)
    assert not other.reaches(web, 7778)
    node.task("fw_update", rules=[{**given, "rule": f"FROM any TO vm {web.uuid} ALLOW tcp PORTS 7778, 8000-8010"}])
    assert not other.reaches(web)
    assert other.asks(web.ip, 8005) == REFUSED
    node.task("fw_update", gone={"rules": [given["uuid"]]})
    assert not other.reaches(web, 8005)


def test_connections_outlive_a_change_of_rules(node, vms):
    web = vms(31, "sh", "-c", "nc -l -p 7777 -e cat || nc -lk -p 7777")
    given = rule(f"FROM any TO vm {web.uuid} ALLOW tcp PORT 7777")
    node.task("fw_update", rules=[given])
    with socket.create_connection((web.ip, 7777), timeout=5) as connection:
        node.task("fw_update", gone={"rules": [given["uuid"]]})
        connection.sendall(b"still there\n")
        assert connection.recv(100) == b"still there\n"
    assert not host_reaches(web.ip)


def test_a_tag_lets_in_who_has_it_from_the_moment_that_it_has_it(node, vms):
    node.task("fw_update", rules=[rule("FROM tag friend TO tag role = db ALLOW tcp PORT all")])
    db, first = vms(31, tags={"role": "db"}), vms(32, tags={"friend": True})
    assert first.asks(db.ip) == "hello\n"
    late = vms(33)
    assert not late.reaches(db)
    late.update(set_tags={"friend": "yes"})
    assert late.asks(db.ip) == "hello\n"
    first.update(remove_tags=["friend"])
    assert not first.reaches(db)
    db.update(set_tags={"role": "web"})
    assert not late.reaches(db)


def test_an_address_is_let_in_with_its_vm_and_shut_out_after_it(node, vms):
    node.task("fw_update", rules=[rule("FROM all vms TO all vms ALLOW tcp PORT 7777")])
    web, stranger = vms(31), vms(34, owner=JACK)
    assert not stranger.reaches(web)
    gone = vms(33)
    assert gone.asks(web.ip) == "hello\n"
    node.task("machine_destroy", uuid=gone.uuid)
    assert not vms(33, owner=JACK).reaches(web)
    mover = vms(35)
    more = {**nic(36), "interface": "net1", "primary": None}
    mover.update(add_nics=[second(primary=None), more])
    assert "10.153.240.36" in ruleset(web)
    mover.update(remove_nics=[more["mac"]])
    assert "10.153.240.36" not in ruleset(web)


def test_rules_of_an_account_are_not_about_others_vms(node, vms):
    jills, jacks = vms(31), vms(32, owner=JACK)
    texts = ["FROM any TO all vms ALLOW tcp PORT 7777", f"FROM vm {jills.uuid} TO vm {jacks.uuid} ALLOW tcp PORT 7777"]
    node.task("fw_update", rules=[rule(text) for text in texts])
    assert not jills.reaches(jacks)
    assert jacks.asks(jills.ip) == "hello\n"
    node.task("fw_update", rules=[rule(f"FROM vm {jills.uuid} TO vm {jacks.uuid} ALLOW tcp PORT 7777", owner=None)])
    assert jills.asks(jacks.ip) == "hello\n"


def test_vms_on_other_nodes_are_known_by_what_is_told_of_them(node, vms):
    elsewhere, friend = vms(31, firewall_enabled=False, owner=JACK), str(uuid.uuid4())
    told = {"uuid": friend, "owner_uuid": JILL, "tags": {"friend": True}, "ips": [elsewhere.ip]}
    node.task("fw_update", rules=[rule("FROM tag friend TO all vms ALLOW tcp PORT 7777")], vms=[told])
    web = vms(32)
    assert elsewhere.asks(web.ip) == "hello\n"
    node.task("fw_update", vms=[{**told, "tags": {}}])
    assert not elsewhere.reaches(web)
    node.task("fw_update", vms=[told])
    assert elsewhere.reaches(web)
    node.task("fw_update", gone={"vms": [friend]})
    assert not elsewhere.reaches(web)


def test_icmp_is_let_in_by_type(node, vms):
    web, other = vms(31), vms(32)
    node.task("fw_update", rules=[rule("FROM any TO all vms ALLOW icmp TYPE 8 CODE 0")])
    assert other.pings(web.ip)
    node.task("fw_update", whole=True, rules=[rule("FROM any TO all vms ALLOW icmp TYPE 13")])
    assert not other.pings(web.ip)


def test_what_goes_out_can_be_blocked(node, vms):
    web, other = vms(31, firewall_enabled=False), vms(32)
    node.task("fw_update", rules=[rule(f"FROM vm {other.uuid} TO ip {web.ip} BLOCK tcp PORT 7777")])
    assert not other.reaches(web)
    assert other.reaches(web, 7778)
    node.task("fw_update", rules=[rule(f"FROM vm {other.uuid} TO any ALLOW tcp PORT 7777 PRIORITY 1")])
    assert other.asks(web.ip) == "hello\n"


def test_a_firewall_is_switched_off_and_on(node, vms):
    web, other = vms(31), vms(32)
    web.update(firewall_enabled=False)
    assert other.asks(web.ip) == "hello\n"
    assert "tdg_firewall" not in ruleset(web)
    web.update(firewall_enabled=True)
    assert not other.reaches(web)


def test_rules_outlive_the_agent(node, vms):
    web, other = vms(31, tags={"web": 1}), vms(32, tags={"friend": 1})
    given = rule("FROM tag friend TO tag web ALLOW tcp PORT 7777")
    node.task("fw_update", rules=[given])
    pid = node.task("machine_load", uuid=web.uuid)["vm"]["pid"]
    node.crash()
    assert not host_reaches(web.ip)
    subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "nft", "flush", "ruleset"], check=True)
    assert host_reaches(web.ip)
    node.start()
    assert not host_reaches(web.ip)
    assert other.asks(web.ip) == "hello\n"
    late = vms(33, tags={"friend": 1})
    assert late.asks(web.ip) == "hello\n"
    other.update(remove_tags=["friend"])
    assert not other.reaches(web)
    node.task("machine_reboot", uuid=web.uuid, timeout=0)
    assert late.asks(web.ip) == "hello\n"
    assert not other.reaches(web)


def test_nonsense_is_refused_and_changes_nothing(node, vms):
    web, other = vms(31), vms(32)
    node.task("fw_update", rules=[rule("FROM any TO all vms ALLOW tcp PORT 7777")])
    for broken in (rule("FROM nowhere"), {"uuid": "x", "rule": "FROM any TO all vms ALLOW tcp PORT 1"}):
        with pytest.raises(TaskFailed) as failure:
            node.task("fw_update", whole=True, rules=[broken])
        assert failure.value.code == "InvalidArgument"
    assert other.asks(web.ip) == "hello\n"

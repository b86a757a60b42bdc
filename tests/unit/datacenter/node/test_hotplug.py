"""Interfaces come and go while a container's process runs."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.unit.datacenter.node.node_kit import TaskFailed, nic, until

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

SECOND = "5ec0d000-0000-4000-8000-0000000000b0"


def first(**fields):
    return {**nic(21), "interface": "net0", **fields}


def second(**fields):
    found = {
        **nic(22),
        "interface": "net1",
        "network_uuid": SECOND,
        "ip": "10.153.248.22",
        "gateway": "10.153.248.1",
        **fields,
    }
    return {key: value for key, value in found.items() if value is not None}


def inside(node, vm, *command):
    """What a command prints in the container's network, from outside of it."""
    pid = node.task("machine_load", uuid=vm)["vm"]["pid"]
    done = subprocess.run(
        ["nsenter", f"--net=/proc/{pid}/ns/net", *command], capture_output=True, text=True, check=True
    )
    return done.stdout


def links(node, vm):
    """Interfaces and their addresses."""
    lines = [line.split() for line in inside(node, vm, "ip", "-o", "-4", "addr").splitlines()]
    return {words[1]: words[3] for words in lines if words[1] != "lo"}


def default_route(node, vm):
    return inside(node, vm, "ip", "route", "show", "default").split()[:5]


def heard(address):
    """What a container says to who connects to it."""
    try:
        with socket.create_connection((address, 7777), timeout=2) as client:
            return client.recv(100)
    except OSError:
        return b""


@pytest.fixture
def running(node):
    vm = node.create("sh", "-c", "while :; do echo hello | nc -l -p 7777; done", nics=[first()])
    node.task("machine_boot", uuid=vm)
    yield vm
    node.task("machine_destroy", uuid=vm)


def hosts(node, vm):
    return (node.state / "nodes" / "0" / "zones" / vm / "bundle" / "hosts").read_text()


def test_a_nic_is_plugged_into_a_running_container_and_taken_out_again(node, running):
    node.task("machine_update", uuid=running, add_nics=[second(primary=None)])
    assert links(node, running) == {"eth0": "10.153.240.21/22", "eth1": "10.153.248.22/22"}
    assert default_route(node, running) == ["default", "via", "10.153.240.1", "dev", "eth0"]
    assert second()["mac"] in inside(node, running, "ip", "link", "show", "eth1")
    assert "10.153.248.22\t" in hosts(node, running)
    assert until(lambda: heard("10.153.248.22")) == b"hello\n"
    node.task("machine_update", uuid=running, remove_nics=[second()["mac"]])
    assert links(node, running) == {"eth0": "10.153.240.21/22"}
    assert "10.153.248.22" not in hosts(node, running)
    assert "10.153.240.21\t" in hosts(node, running)


def test_what_the_container_wrote_into_its_hosts_stays(node, running):
    path = node.state / "nodes" / "0" / "zones" / running / "bundle" / "hosts"
    with path.open("a") as file:
        file.write("10.9.9.9\tmine\n")
    node.task("machine_update", uuid=running, add_nics=[second(primary=None)])
    assert "10.9.9.9\tmine\n" in hosts(node, running)


def test_the_default_route_goes_with_the_primary_nic(node, running):
    node.task("machine_update", uuid=running, add_nics=[second()])
    assert default_route(node, running)[2:] == ["10.153.248.1", "dev", "eth1"]
    mine, others = ({"belongs_to_uuid": vm, "mac": first()["mac"], "primary": True} for vm in (running, "elsewhere"))
    node.task("machine_update_nics", nics=[mine, others])
    assert default_route(node, running)[2:] == ["10.153.240.1", "dev", "eth0"]
    mac = second()["mac"]
    node.task("machine_update", uuid=running, remove_nics=[first()["mac"]], update_nics=[{"mac": mac, "primary": True}])
    assert links(node, running) == {"eth1": "10.153.248.22/22"}
    assert default_route(node, running)[2:] == ["10.153.248.1", "dev", "eth1"]


def test_interfaces_change_places(node, running):
    node.task("machine_update", uuid=running, add_nics=[second(primary=None)])
    swap = [{"mac": first()["mac"], "interface": "net1"}, {"mac": second()["mac"], "interface": "net0"}]
    node.task("machine_update", uuid=running, update_nics=swap)
    assert links(node, running) == {"eth1": "10.153.240.21/22", "eth0": "10.153.248.22/22"}
    assert default_route(node, running)[2:] == ["10.153.240.1", "dev", "eth1"]


def test_the_process_goes_on_and_keeps_its_other_interfaces(node, running):
    index = inside(node, running, "ip", "-o", "link", "show", "eth0").split(":")[0]
    pid = node.task("machine_load", uuid=running)["vm"]["pid"]
    node.task("machine_update", uuid=running, add_nics=[second(primary=None)])
    node.task("machine_update", uuid=running, remove_nics=[second()["mac"]])
    assert inside(node, running, "ip", "-o", "link", "show", "eth0").split(":")[0] == index
    assert node.task("machine_load", uuid=running)["vm"]["pid"] == pid


def test_a_task_that_is_sent_again_changes_nothing(node, running):
    for _ in range(2):
        node.task("machine_update", uuid=running, add_nics=[second()])
        assert links(node, running) == {"eth0": "10.153.240.21/22", "eth1": "10.153.248.22/22"}
        assert default_route(node, running)[2:] == ["10.153.248.1", "dev", "eth1"]
    for _ in range(2):
        node.task("machine_update", uuid=running, remove_nics=[second()["mac"]])
        assert links(node, running) == {"eth0": "10.153.240.21/22"}


def test_when_an_interface_cannot_be_had_all_is_as_before(node, running):
    broken = second(ip="10.153.248.23", mac="90:b8:d0:00:00:23", interface="net2", mtu=1)
    with pytest.raises(TaskFailed) as failure:
        node.task("machine_update", uuid=running, add_nics=[second(), broken])
    assert failure.value.code == "InternalError"
    assert links(node, running) == {"eth0": "10.153.240.21/22"}
    assert default_route(node, running)[2:] == ["10.153.240.1", "dev", "eth0"]
    assert "10.153.248" not in hosts(node, running)
    node.task("machine_reboot", uuid=running, timeout=0)
    assert links(node, running) == {"eth0": "10.153.240.21/22"}


def test_a_stopped_container_has_its_nics_when_it_boots(node):
    vm = node.create("sleep", "600", nics=[first()])
    node.task("machine_update", uuid=vm, add_nics=[second()])
    node.task("machine_update", uuid=vm, remove_nics=[first()["mac"]])
    node.task("machine_boot", uuid=vm)
    assert links(node, vm) == {"eth1": "10.153.248.22/22"}
    assert default_route(node, vm)[2:] == ["10.153.248.1", "dev", "eth1"]
    node.task("machine_destroy", uuid=vm)


def test_nics_outlive_the_agent_and_the_next_boot(node, running):
    node.task("machine_update", uuid=running, add_nics=[second(primary=None)])
    node.crash()
    node.start()
    assert links(node, running) == {"eth0": "10.153.240.21/22", "eth1": "10.153.248.22/22"}
    node.task("machine_update", uuid=running, remove_nics=[first()["mac"]])
    node.task("machine_reboot", uuid=running, timeout=0)
    assert links(node, running) == {"eth1": "10.153.248.22/22"}


def test_a_container_without_network_gets_none(node):
    vm = node.create("sleep", "600", linux={"NetworkNone": True})
    node.task("machine_boot", uuid=vm)
    with pytest.raises(TaskFailed) as failure:
        node.task("machine_update", uuid=vm, add_nics=[second()])
    assert failure.value.code == "NotSupported"
    assert links(node, vm) == {}
    node.task("machine_destroy", uuid=vm)


def test_nothing_is_left_on_the_host(node):
    vm = node.create("sleep", "600", nics=[first()])
    node.task("machine_boot", uuid=vm)
    node.task("machine_update", uuid=vm, add_nics=[second()])
    node.task("machine_destroy", uuid=vm)
    instance = (node.state / "datacenter.json").read_text().split('"instance": "')[1][0]
    until(lambda: not [link.name for link in Path("/sys/class/net").glob(f"tv{instance}*")])

"""A container in another one's network."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.unit.datacenter.node.node_kit import NETWORK, TaskFailed, nic

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")]

OWNER = "0c0ffee0-0000-4000-8000-0000000000aa"


@pytest.fixture
def made(node):
    vms = []

    def make(*command, owner=OWNER, **fields):
        vms.append(node.create(*(command or ("sleep", "600")), owner_uuid=owner, **fields))
        return vms[-1]

    yield make
    for vm in reversed(vms):
        node.task("machine_destroy", uuid=vm)


@pytest.fixture
def host(node, made):
    """A running container with a network."""
    vm = made(nics=[nic(61)])
    node.task("machine_boot", uuid=vm)
    return vm


def sharer(made, host, *command, **fields):
    return made(*command, linux={"NetworkContainer": host}, **fields)


def pid(node, vm):
    return node.task("machine_load", uuid=vm)["vm"]["pid"]


def namespace(node, vm):
    return os.readlink(f"/proc/{pid(node, vm)}/ns/net")


def interfaces(node, vm):
    argv = ["nsenter", f"--net=/proc/{pid(node, vm)}/ns/net", "ip", "-o", "link"]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[1].split("@")[0].rstrip(":") for line in lines]


def etc(node, vm, name):
    return (node.state / "nodes" / "0" / "zones" / vm / "bundle" / name).read_text()


def test_both_have_one_network_and_the_same_files(node, made, host):
    other = sharer(made, host, nics=[nic(62)])  # what it has itself is not used
    node.task("machine_boot", uuid=other)
    assert namespace(node, other) == namespace(node, host)
    assert interfaces(node, other) == ["lo", "eth0"]
    assert etc(node, other, "hosts") == etc(node, host, "hosts")
    late = {**nic(63), "interface": "net1", "network_uuid": "5ec0d000-0000-4000-8000-0000000000b0", "primary": False}
    node.task("machine_update", uuid=host, add_nics=[late])
    assert interfaces(node, other) == ["lo", "eth0", "eth1"]
    assert late["ip"] in etc(node, other, "hosts")


def test_a_change_of_one_leaves_the_files_of_both_alone(node, made):
    told = {f"docker:endpoint:{NETWORK}": '{"network": "net"}'}
    host = made(nics=[nic(66)], meta=told)
    node.task("machine_boot", uuid=host)
    other = sharer(made, host)
    node.task("machine_boot", uuid=other)
    node.task("machine_update", uuid=other, alias="renamed", max_physical_memory=256)
    assert (
        etc(node, other, "resolv.conf") == etc(node, host, "resolv.conf") == "nameserver 127.0.0.11\noptions ndots:0\n"
    )


def test_a_third_one_joins_the_second(node, made, host):
    second = sharer(made, host)
    node.task("machine_boot", uuid=second)
    third = sharer(made, second)
    node.task("machine_boot", uuid=third)
    assert namespace(node, third) == namespace(node, host)


def test_addresses_go_with_the_container_that_they_belong_to(node, made, host):
    other = sharer(made, host)
    node.task("machine_boot", uuid=other)
    node.task("machine_shutdown", uuid=host, timeout=0)
    node.task("machine_destroy", uuid=host)
    assert interfaces(node, other) == ["lo"]
    assert node.task("machine_load", uuid=other)["vm"]["state"] == "running"


def test_a_container_that_leaves_takes_nothing_from_the_other(node, made, host):
    other = sharer(made, host, nics=[nic(64)])
    node.task("machine_boot", uuid=other)
    node.task("machine_update", uuid=other, remove_nics=[nic(64)["mac"]])
    node.task("machine_shutdown", uuid=other, timeout=0)
    node.task("machine_boot", uuid=other)  # its own files are not the other one's
    node.task("machine_destroy", uuid=other)
    assert interfaces(node, host) == ["lo", "eth0"]
    assert nic(61)["ip"] in etc(node, host, "hosts")


def test_it_outlives_the_agent(node, made, host):
    other = sharer(made, host)
    node.task("machine_boot", uuid=other)
    node.crash()
    node.start()
    assert namespace(node, other) == namespace(node, host)
    node.task("machine_destroy", uuid=host)
    assert interfaces(node, other) == ["lo"]


def refused(node, vm):
    with pytest.raises(TaskFailed) as failed:
        node.task("machine_boot", uuid=vm)
    assert failed.value.code == "NetworkNotShared"
    assert node.task("machine_load", uuid=vm)["vm"]["state"] == "stopped"
    return failed.value.message


def test_who_does_not_run_shares_nothing(node, made, host):
    other = sharer(made, host)
    node.task("machine_shutdown", uuid=host, timeout=0)
    shown = host.replace("-", "") * 2
    assert f"cannot join network of a non running container: {shown}" in refused(node, other)


def test_other_accounts_networks_are_not_shared(node, made, host):
    refused(node, sharer(made, host, owner="0c0ffee0-0000-4000-8000-0000000000bb"))
    refused(node, sharer(made, "0c0ffee0-0000-4000-8000-0000000000cc"))


def test_it_gets_no_network_of_its_own(node, made, host):
    other = sharer(made, host)
    with pytest.raises(TaskFailed, match="no network of its own"):
        node.task("machine_update", uuid=other, add_nics=[nic(65)])

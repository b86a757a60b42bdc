"""A node of its own for each module that asks for one, and a container that only sleeps."""

from __future__ import annotations

import pytest

from datacenter.node import netlink, syscalls
from tests.unit.datacenter.node.node_kit import Center, TestedNode, free_instance, free_port_base


@pytest.fixture(scope="module")
def center():
    """The services that the node knows."""
    center = Center(free_port_base())
    yield center
    center.close()


@pytest.fixture(scope="module")
def node(center, tmp_path_factory):
    node = TestedNode(tmp_path_factory.mktemp("node"), center.port_base, free_instance())
    try:
        node.start()
        yield node
    finally:
        node.clean_up()


@pytest.fixture(scope="module")
def idle(node):
    """A container that only sleeps, for execs."""
    vm = node.create("sleep", "600", meta={"docker:env": '["COLOUR=green"]'})
    node.task("machine_boot", uuid=vm)
    return vm


@pytest.fixture(scope="module")
def namespace(tmp_path_factory):
    """The file of a network namespace of the module's own."""
    pin = tmp_path_factory.mktemp("net") / "pin"
    netlink.make_namespace(pin)
    yield pin
    syscalls.unmount(pin)

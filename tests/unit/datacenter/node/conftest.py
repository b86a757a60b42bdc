"""A node of its own for each module that asks for one, and a container that only sleeps."""

from __future__ import annotations

import pytest

from tests.unit.datacenter.node.node_kit import Center, TestedNode, free_instance, free_port_base


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    base = free_port_base()
    center = Center(base)
    node = TestedNode(tmp_path_factory.mktemp("node"), base, free_instance())
    try:
        node.start()
        yield node
    finally:
        node.clean_up()
        center.close()


@pytest.fixture(scope="module")
def idle(node):
    """A container that only sleeps, for execs."""
    vm = node.create("sleep", "600", meta={"docker:env": '["COLOUR=green"]'})
    node.task("machine_boot", uuid=vm)
    return vm

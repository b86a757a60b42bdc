"""Addresses into and out of a set, by netlink; nft says what is there afterwards."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from datacenter.node import nft
from datacenter.node.address_sets import AddressSets

pytestmark = [pytest.mark.node, pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")]


@pytest.fixture
def sets(namespace):
    nft.run("table inet t\ndelete table inet t\ntable inet t {\nset s { type ipv4_addr; }\n}\n", namespace)
    sets = AddressSets(namespace, "t")
    yield sets
    sets.close()


@pytest.fixture
def held(namespace):
    """What is in the set."""

    def look():
        argv = ["nsenter", f"--net={namespace}", "nft", "list", "set", "inet", "t", "s"]
        told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return set(re.findall(r"\d+\.\d+\.\d+\.\d+", told))

    return look


def test_addresses_come_and_go(sets, held):
    sets.change("s", {"10.0.0.1", "10.0.0.2"}, set())
    assert held() == {"10.0.0.1", "10.0.0.2"}
    sets.change("s", {"10.0.0.3"}, {"10.0.0.1"})
    assert held() == {"10.0.0.2", "10.0.0.3"}
    sets.change("s", {"10.0.0.3"}, set())
    sets.change("s", set(), {"10.0.0.2", "10.0.0.3"})
    assert held() == set()


@pytest.mark.parametrize(("name", "come", "gone"), [
    ("none", {"10.0.0.1"}, set()),
    ("none", {"10.0.0.1"}, {"10.0.0.2"}),
    ("s", {"10.0.0.1"}, {"10.9.9.9"}),
    ("s", set(), {"10.9.9.9"}),
])  # fmt: skip
def test_what_cannot_be_done_changes_nothing_and_spoils_nothing(sets, held, name, come, gone):
    with pytest.raises(OSError, match="No such file or directory: set"):
        sets.change(name, come, gone)
    assert held() == set()
    sets.change("s", {"10.0.0.7"}, set())
    assert held() == {"10.0.0.7"}


def test_many_at_once(sets, held):
    many = {f"10.0.{number // 250}.{number % 250 + 1}" for number in range(2000)}
    sets.change("s", many, set())
    assert held() == many
    sets.change("s", set(), many)
    assert held() == set()


def test_the_library_has_a_low_descriptor_whatever_is_open(sets, held, namespace):
    """It waits with select(), which ends the process for a number of 1024 or more: an agent with many streams has those."""
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(1500)]
    try:
        nft.run("add element inet t s { 10.0.0.9 }\n", namespace)
        nft.run("add element inet t s { 10.0.0.8 }\n", namespace)
    finally:
        for descriptor in many:
            os.close(descriptor)
    assert held() == {"10.0.0.8", "10.0.0.9"}

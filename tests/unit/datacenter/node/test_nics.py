"""Lists of nics, and what changes them."""

from __future__ import annotations

import pytest

from datacenter.node.nics import by_interface, changed, default_interface


def nic(mac, **fields):
    return {"mac": mac, "gateway": "10.0.0.1", **fields}


@pytest.mark.parametrize(
    ("nics", "names"),
    [
        ([], []),
        ([nic("a"), nic("b")], ["eth0", "eth1"]),
        ([nic("a", interface="net1"), nic("b", interface="net3")], ["eth1", "eth3"]),
    ],
)
def test_interfaces(nics, names):
    assert list(by_interface(nics)) == names


@pytest.mark.parametrize(
    ("nics", "interface"),
    [
        ([], None),
        ([nic("a"), nic("b")], "eth0"),
        ([nic("a"), nic("b", primary=True)], "eth1"),
        ([nic("a", gateway=None), nic("b")], "eth1"),
        ([nic("a", gateway=None, primary=True), nic("b")], "eth1"),
        ([nic("a", gateway=None)], None),
        ([nic("a", interface="net2", primary=True)], "eth2"),
    ],
)
def test_who_has_the_default_route(nics, interface):
    assert default_interface(nics) == interface


@pytest.mark.parametrize(
    ("params", "after"),
    [
        ({}, [nic("a", primary=True), nic("b")]),
        ({"remove_nics": ["a"]}, [nic("b")]),
        ({"remove_nics": ["z"]}, [nic("a", primary=True), nic("b")]),
        ({"add_nics": [nic("c")]}, [nic("a", primary=True), nic("b"), nic("c")]),
        ({"add_nics": [nic("b")]}, [nic("a", primary=True), nic("b")]),
        ({"add_nics": [nic("c", primary=True)]}, [nic("a"), nic("b"), nic("c", primary=True)]),
        ({"update_nics": [{"mac": "b", "primary": True}]}, [nic("a"), nic("b", primary=True)]),
        ({"update_nics": [{"mac": "z", "primary": True}]}, [nic("a", primary=True), nic("b")]),
        (
            {"update_nics": [{"mac": "a", "interface": "net1"}, {"mac": "b", "interface": "net0"}]},
            [nic("a", primary=True, interface="net1"), nic("b", interface="net0")],
        ),
        (
            {"remove_nics": ["a"], "update_nics": [{"mac": "b", "primary": True}]},
            [nic("b", primary=True)],
        ),
    ],
)
def test_changes(params, after):
    before = [nic("a", primary=True), nic("b")]
    assert changed(before, params) == after
    assert before == [nic("a", primary=True), nic("b")]

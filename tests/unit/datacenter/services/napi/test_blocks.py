"""Address blocks of instances and accounts."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacenter.services.napi import blocks

BLOCK = IPv4Network("10.128.0.0/16")


def test_no_two_instances_share_an_address():
    every = [net for i in range(26) for net in (blocks.admin(i), blocks.external(i), *blocks.fabric_blocks(i))]
    assert len(every) == 26 * 6
    assert not any(a.overlaps(b) for a, b in combinations(every, 2))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(17, 25), max_size=16))
def test_free_subnets_are_the_first_that_fit(prefixes):
    used = []
    for prefix in prefixes:
        found = blocks.free_subnet([BLOCK], prefix, used)
        free = (net for net in BLOCK.subnets(new_prefix=prefix) if not any(net.overlaps(other) for other in used))
        assert found == next(free, None)
        used += [found] if found else []


def test_a_full_block_is_followed_by_the_next():
    second = IPv4Network("10.160.0.0/16")
    assert blocks.free_subnet([BLOCK, second], 22, [BLOCK]) == IPv4Network("10.160.0.0/22")
    assert blocks.free_subnet([BLOCK], 22, [BLOCK]) is None


@pytest.mark.parametrize("subnet", ["10.0.0.0/22", "10.0.0.0/24", "10.0.0.0/28", "10.0.0.0/29"])
def test_the_provision_range_lies_between_gateway_and_broadcast(subnet):
    net = IPv4Network(subnet)
    gateway, first, last = map(IPv4Address, blocks.provision_range(net))
    assert gateway == net[1]
    assert gateway < first < last < net.broadcast_address


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 10.1.1.1\nnameserver 127.0.0.53\nsearch a b\n", ["10.1.1.1"]),
        ("# nameserver 1.1.1.1\nnameserver ::1\n", ["8.8.8.8", "8.8.4.4"]),
        (None, ["8.8.8.8", "8.8.4.4"]),
    ],
)
def test_containers_get_resolvers_they_can_reach(tmp_path, text, servers):
    path = tmp_path / "resolv.conf"
    if text is not None:
        path.write_text(text)
    assert blocks.host_resolvers(path) == servers

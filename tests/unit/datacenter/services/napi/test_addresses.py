"""Addresses go out once, without gaps, the longest free last."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from datacenter.services.napi.addresses import AddressSpace


def test_fresh_addresses_come_in_order_around_those_taken():
    space = AddressSpace(10, 14, [11, 13, 99])
    assert [space.take() for _ in range(4)] == [10, 12, 14, None]


def test_returned_addresses_come_back_oldest_first_after_the_fresh_ones():
    space = AddressSpace(10, 13)
    assert [space.take() for _ in range(3)] == [10, 11, 12]
    space.give_back(12)
    space.give_back(10)
    assert [space.take() for _ in range(4)] == [13, 12, 10, None]


def test_a_claimed_address_is_not_given_again():
    space = AddressSpace(10, 12)
    assert space.claim(11)
    assert not space.claim(11)
    assert 11 in space
    assert space.claim(99)
    assert [space.take() for _ in range(3)] == [10, 12, None]
    space.give_back(11)
    assert space.claim(11)
    space.give_back(11)
    assert [space.take(), space.take()] == [11, None]


def test_addresses_outside_the_range_never_go_out():
    space = AddressSpace(10, 10, [9, 11])
    space.give_back(9)
    space.give_back(11)
    assert [space.take(), space.take()] == [10, None]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["take", "claim", "give"]), st.integers(0, 9)), max_size=60))
def test_no_address_is_ever_held_twice_or_lost(steps):
    space, held = AddressSpace(2, 7), set()
    for step, address in steps:
        if step == "take":
            taken = space.take()
            assert taken not in held
            assert (taken is None) == ({2, 3, 4, 5, 6, 7} <= held)
            held |= {taken} - {None}
        elif step == "claim":
            assert space.claim(address) == (address not in held)
            held.add(address)
        elif address in held:
            space.give_back(address)
            held.discard(address)
    while (taken := space.take()) is not None:
        assert taken not in held
        held.add(taken)
    assert set(range(2, 8)) <= held

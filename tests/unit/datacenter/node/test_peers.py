"""Who is in the groups that rules name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from datacenter.node.peers import Group, Peer, Peers, peer_of
from datacenter.node.rulebook import Rulebook
from datacenter.node.rulesets import OwnedRule
from grammars.firewall import Target, parse

VMS = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(4)]


def test_a_vm_s_record_and_what_is_told_of_one_elsewhere():
    nics = [{"ip": "10.0.0.5"}, {"ip": "10.1.0.5"}, {"ip": "fd00::5"}, {"mac": "90:b8:d0:00:00:01"}]
    here = peer_of({"uuid": VMS[0], "owner_uuid": "jill", "tags": {"a": True}, "nics": nics})
    there = peer_of({"uuid": VMS[0], "owner_uuid": "jill", "tags": {"a": True}, "ips": ["10.0.0.5", "10.1.0.5"]})
    assert here == there == Peer(VMS[0], "jill", {"a": True}, frozenset({"10.0.0.5", "10.1.0.5"}))
    assert peer_of({"uuid": VMS[0], "nics": None, "tags": None}).addresses == frozenset()


def test_an_address_of_two_vms_stays_until_the_last_of_them_leaves():
    group = Group(None, Target("all vms"))
    peers = Peers()
    assert peers.members(group) == frozenset()
    (change,) = peers.put(Peer("a", "jill", {}, frozenset({"10.0.0.5"})))
    assert (change.group, change.come, change.gone) == (group, {"10.0.0.5"}, set())
    assert peers.put(Peer("b", "jack", {}, frozenset({"10.0.0.5"}))) == []
    assert peers.drop("a") == []
    (change,) = peers.drop("b")
    assert (change.come, change.gone) == (set(), {"10.0.0.5"})
    assert peers.drop("b") == []


owners = st.sampled_from(["jill", "jack"])
tags = st.dictionaries(st.sampled_from("ab"), st.sampled_from([True, "true", "x", 1]), max_size=2)
addresses = st.frozensets(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]), max_size=2)
peer = st.builds(Peer, st.sampled_from(VMS), owners, tags, addresses)
targets = st.one_of(
    st.just(Target("all vms")),
    st.sampled_from(VMS).map(lambda vm: Target("vm", vm)),
    st.builds(Target, st.just("tag"), st.sampled_from("ab"), st.sampled_from([None, "true", "x", "1"])),
)
groups = st.builds(Group, st.none() | owners, targets)
steps = st.lists(st.one_of(peer, st.sampled_from(VMS)), max_size=12)


@given(steps, st.lists(groups, min_size=1, max_size=4, unique=True))
def test_changes_lead_where_a_fresh_look_does(given_steps, watched):
    peers, alive = Peers(), {}
    held = {group: set(peers.members(group)) for group in watched}
    for step in given_steps:
        if isinstance(step, Peer):
            alive[step.uuid] = step
            changes = peers.put(step)
        else:
            alive.pop(step, None)
            changes = peers.drop(step)
        for change in changes:
            assert not change.come & held[change.group]
            assert change.gone <= held[change.group]
            held[change.group] |= change.come
            held[change.group] -= change.gone
        for group in watched:
            expected = {ip for vm in alive.values() if group.has(vm) for ip in vm.addresses}
            assert held[group] == peers.members(group) == expected


def test_groups_that_nobody_asks_for_are_not_kept_up():
    kept, dropped = Group("jill", Target("tag", "a")), Group("jill", Target("tag", "b"))
    peers = Peers()
    peers.members(kept)
    peers.members(dropped)
    peers.keep({kept})
    changes = peers.put(Peer("a", "jill", {"a": 1, "b": 1}, frozenset({"10.0.0.5"})))
    assert [change.group for change in changes] == [kept]
    assert peers.members(dropped) == {"10.0.0.5"}


TEXTS = st.sampled_from([
    f"FROM any TO vm {VMS[0]} ALLOW tcp PORT 80",
    f"FROM vm {VMS[1]} TO (vm {VMS[0]} OR vm {VMS[2]}) BLOCK tcp PORT 80",
    f"FROM vm {VMS[3]} TO tag a BLOCK udp PORT 53",
    "FROM tag a = x TO tag b ALLOW icmp TYPE 8",
    "FROM all vms TO any BLOCK tcp PORT 25",
])  # fmt: skip
owned = st.builds(OwnedRule, st.none() | owners, TEXTS.map(parse))
changes = st.lists(st.tuples(st.sampled_from("rstuv"), st.none() | owned), max_size=12)


@given(changes, peer)
def test_the_rules_about_a_vm_are_found_without_looking_at_all(given_changes, vm):
    book, every = Rulebook(), {}
    for uuid, rule in given_changes:
        if rule is None:
            book.drop(uuid)
            every.pop(uuid, None)
        else:
            book.put(uuid, rule)
            every[uuid] = rule
    expected = [rule for rule in every.values() if rule.inwards(vm) or rule.outwards(vm)]
    assert sorted(map(str, book.about(vm))) == sorted(map(str, expected))
    assert {uuid: book.get(uuid) for uuid in "rstuv"} == {uuid: every.get(uuid) for uuid in "rstuv"}

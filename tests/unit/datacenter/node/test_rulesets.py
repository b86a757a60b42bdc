"""What Triton's rules say, and what the lines made of them do to a packet."""

from __future__ import annotations

import operator
import os
import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node import nft
from datacenter.node.peers import Group, Peer
from datacenter.node.rulesets import NONE, TABLE, OwnedRule, ruleset
from grammars.firewall import IcmpType, Ports, Rule, Target, parse

ME, OTHER = "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11", "930896af-bf8c-48d4-885c-6573a94b1853"
JILL, JACK = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
VM = Peer(ME, JILL, {"sdc_docker": True, "role": "db"}, frozenset({"10.0.0.5"}))
MEMBERS = {
    Group(JILL, Target("tag", "sdc_docker")): {"10.0.0.5", "10.0.0.6"},
    Group(JILL, Target("vm", OTHER)): {"10.0.0.7"},
    Group(JILL, Target("all vms")): {"10.0.0.5", "10.0.0.6", "10.0.0.7"},
    Group(None, Target("all vms")): {"10.0.0.5", "10.0.0.6", "10.0.0.7", "10.9.9.9"},
}


def members(group):
    return MEMBERS.get(group, set())


def lines(*texts, owner=JILL):
    made = ruleset(VM, [OwnedRule(owner, parse(text)) for text in texts])
    return list(made.incoming), list(made.outgoing)


TAGGED = Group(JILL, Target("tag", "sdc_docker")).name
FRIEND = Group(JILL, Target("vm", OTHER)).name


@pytest.mark.parametrize(("text", "incoming"), [
    (f"FROM any TO vm {ME} ALLOW tcp PORT 80", ["tcp dport 80 accept"]),
    (f"FROM any TO vm {ME} ALLOW tcp (PORT 80 AND PORT 443)", ["tcp dport { 80, 443 } accept"]),
    ("FROM any TO tag role = db ALLOW udp PORTS 53, 8000-8010", ["udp dport { 53, 8000-8010 } accept"]),
    ("FROM any TO tag role = web ALLOW udp PORT 53", []),
    ("FROM any TO all vms ALLOW tcp PORTS 80-90, 85-100, 101", ["tcp dport 80-101 accept"]),
    ("FROM any TO all vms ALLOW tcp PORT all", ["meta l4proto 6 accept"]),
    ("FROM tag sdc_docker TO tag sdc_docker ALLOW udp PORT all", [f"ip saddr @{TAGGED} meta l4proto 17 accept"]),
    ("FROM any TO all vms ALLOW icmp TYPE all", ["meta l4proto 1 accept"]),
    ("FROM any TO all vms ALLOW icmp (TYPE 8 CODE 0 AND TYPE 3 AND TYPE 4)",
     ["icmp type { 3, 4 } accept", "icmp type 8 icmp code 0 accept"]),
    ("FROM any TO all vms ALLOW icmp6 TYPE 128", ["icmpv6 type 128 accept"]),
    ("FROM any TO all vms ALLOW esp", ["meta l4proto 50 accept"]),
    ("FROM (ip 10.1.1.1 OR subnet 10.1.0.0/16 OR subnet 10.2.0.0/16) TO all vms ALLOW ah",
     ["ip saddr { 10.1.0.0/16, 10.2.0.0/16 } meta l4proto 51 accept"]),
    (f"FROM (ip 10.1.1.1 OR ip fd00::1 OR vm {OTHER}) TO all vms ALLOW tcp PORT 22",
     ["ip saddr 10.1.1.1 tcp dport 22 accept", "ip6 saddr fd00::1 tcp dport 22 accept",
      f"ip saddr @{FRIEND} tcp dport 22 accept"]),
    (f"FROM (ip 10.1.1.1 OR ip fd00::1 OR vm {OTHER}) TO all vms ALLOW icmp6 TYPE 128",
     ["ip6 saddr fd00::1 icmpv6 type 128 accept"]),
    (f"FROM (ip 10.1.1.1 OR ip fd00::1) TO vm {ME} ALLOW icmp TYPE 8", ["ip saddr 10.1.1.1 icmp type 8 accept"]),
    ("FROM any TO all vms BLOCK tcp PORT 80", []),
])  # fmt: skip
def test_what_a_rule_lets_in(text, incoming):
    assert lines(text) == (incoming, [])


@pytest.mark.parametrize(("text", "outgoing"), [
    ("FROM all vms TO any BLOCK tcp PORT 25", ["tcp dport 25 drop"]),
    (f"FROM vm {ME} TO ip 8.8.8.8 BLOCK udp PORT 53", ["ip daddr 8.8.8.8 udp dport 53 drop"]),
    (f"FROM tag role TO vm {OTHER} BLOCK icmp TYPE 8", [f"ip daddr @{FRIEND} icmp type 8 drop"]),
    ("FROM all vms TO any ALLOW tcp PORT 25", []),
])  # fmt: skip
def test_what_a_rule_keeps_in(text, outgoing):
    assert lines(text) == ([], outgoing)


def test_rules_are_about_their_owner_s_vms_alone():
    text = "FROM all vms TO all vms ALLOW tcp PORT 80"
    assert lines(text, owner=JACK) == ([], [])
    mine, everybody_s = (Group(owner, Target("all vms")).name for owner in (JILL, None))
    assert lines(text)[0] == [f"ip saddr @{mine} tcp dport 80 accept"]
    assert lines(text, owner=None)[0] == [f"ip saddr @{everybody_s} tcp dport 80 accept"]
    assert mine != everybody_s


def test_the_one_that_departs_from_the_default_wins_unless_priorities_say_otherwise():
    allow, block = "FROM any TO all vms ALLOW tcp PORT 80", "FROM any TO all vms BLOCK tcp PORT 80"
    assert lines(block, allow)[0] == ["tcp dport 80 accept"]
    assert lines(allow, f"{block} PRIORITY 1")[0] == ["tcp dport 80 drop", "tcp dport 80 accept"]
    allow, block = "FROM all vms TO any ALLOW tcp PORT 25", "FROM all vms TO any BLOCK tcp PORT all"
    assert lines(allow, block)[1] == ["meta l4proto 6 drop"]
    assert lines(block, f"{allow} PRIORITY 7")[1] == ["tcp dport 25 accept", "meta l4proto 6 drop"]


# what becomes of a packet: the rules asked, and the lines


@dataclass(frozen=True)
class Packet:
    """A packet that opens something new; ``other`` is whom it comes from, or goes to."""

    other: str
    protocol: str
    port: int
    kind: int
    code: int


def said_of(packet, rule, others):
    """Whether a rule means a packet, by its own words."""
    there = ip_address(packet.other)
    names = any(
        other.kind == "any"
        or (other.kind in ("ip", "subnet") and there in ip_network(other.name))
        or packet.other in members(Group(JILL, other))
        for other in others
    )
    matches = not rule.matches or any(
        packet.port in match
        if isinstance(match, Ports)
        else match.type == packet.kind and match.code in (None, packet.code)
        for match in rule.matches
    )
    return names and matches and rule.protocol == packet.protocol


def decided(packet, rules, side):
    """What the manual says becomes of a packet."""
    default = "block" if side == "in" else "allow"
    mine, others = ("destinations", "sources") if side == "in" else ("sources", "destinations")
    about = [rule for rule in rules if any(Group(JILL, t).has(VM) for t in getattr(rule, mine))]
    hits = [rule for rule in about if said_of(packet, rule, getattr(rule, others))]
    if not hits:
        return default
    highest = max(rule.priority or 0 for rule in hits)
    actions = {rule.action for rule in hits if (rule.priority or 0) == highest}
    return default if actions == {default} else ({"allow", "block"} - {default}).pop()


NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmp6": "58", "ah": "51", "esp": "50"}
SETS = {f"@{group.name}": addresses for group, addresses in MEMBERS.items()}
PART = re.compile(
    r"(ip6? [sd]addr|meta l4proto|icmp(?:v6)? type|icmp(?:v6)? code|tcp dport|udp dport) (\{[^}]*\}|\S+) ", re.ASCII
)


def met(packet, what, values):
    """Whether a packet is as one part of a line wants it."""
    protocol = {"icmp6": "icmpv6"}.get(packet.protocol, packet.protocol)
    if what.endswith("addr"):
        there, family = ip_address(packet.other), 6 if what.startswith("ip6") else 4
        if values[0].startswith("@"):
            return packet.other in SETS.get(values[0], ())
        return there.version == family and any(there in ip_network(value) for value in values)
    if what == "meta l4proto":
        return values == [NUMBERS[packet.protocol]]
    number = {"dport": packet.port, "type": packet.kind, "code": packet.code}[what.split()[1]]
    spans = [value.partition("-") for value in values]
    return what.split()[0] == protocol and any(int(low) <= number <= int(high or low) for low, _, high in spans)


def verdict(packet, made, default):
    """What the first line that fits says."""
    for line in made:
        parts = PART.findall(line)
        rest = PART.sub("", line)
        assert rest in ("accept", "drop"), line
        if all(met(packet, what, values.strip("{} ").split(", ")) for what, values in parts):
            return {"accept": "allow", "drop": "block"}[rest]
    return default


ADDRESSES = ["10.0.0.6", "10.0.0.7", "10.9.9.9", "8.8.8.8", "fd00::1"]
groups = st.sampled_from([Target("tag", "sdc_docker"), Target("vm", OTHER), Target("vm", ME), Target("tag", "x", "y")])
places = st.one_of(
    st.sampled_from(ADDRESSES).map(lambda ip: Target("ip", ip)),
    st.sampled_from(["10.0.0.0/8", "10.0.0.0/29", "fd00::/64", "0.0.0.0/0"]).map(lambda net: Target("subnet", net)),
)
sides = st.one_of(
    st.sampled_from([(Target("any"),), (Target("all vms"),)]),
    st.lists(groups | places, min_size=1, max_size=4).map(tuple),
)
small = st.integers(1, 12)
spans = st.builds(lambda a, b: Ports(min(a, b), max(a, b)), small, small)
protocols = st.one_of(
    st.tuples(st.sampled_from(["tcp", "udp"]), st.lists(spans, max_size=4).map(tuple)),
    st.tuples(
        st.sampled_from(["icmp", "icmp6"]),
        st.lists(st.builds(IcmpType, small, st.none() | small), max_size=4).map(tuple),
    ),
    st.tuples(st.sampled_from(["ah", "esp"]), st.just(())),
)


@st.composite
def rules(draw):
    """A rule in its normal form."""
    protocol, matches = draw(protocols)
    sources, destinations = draw(sides), draw(sides)
    action, priority = draw(st.sampled_from(["allow", "block"])), draw(st.none() | st.integers(0, 3))
    if not any(target.kind in ("vm", "tag", "all vms") for target in (*sources, *destinations)):
        destinations = (Target("all vms"),)
    return parse(str(Rule(sources, destinations, action, protocol, matches, priority)))


packets = st.builds(Packet, st.sampled_from(ADDRESSES), st.sampled_from([*NUMBERS]), small, small, small).filter(
    lambda packet: {"icmp": ".", "icmp6": ":"}.get(packet.protocol, "") in packet.other  # each has an IP of its own
)


@given(st.lists(rules(), max_size=5), st.lists(packets, min_size=1, max_size=8))
def test_the_lines_do_what_the_rules_say(given_rules, given_packets):
    made = ruleset(VM, [OwnedRule(JILL, rule) for rule in given_rules])
    for packet in given_packets:
        assert verdict(packet, made.incoming, "block") == decided(packet, given_rules, "in")
        assert verdict(packet, made.outgoing, "allow") == decided(packet, given_rules, "out")


@given(st.lists(rules(), max_size=5))
def test_every_set_that_is_looked_into_is_made(given_rules):
    made = ruleset(VM, [OwnedRule(JILL, rule) for rule in given_rules])
    named = set(re.findall(r"@(\w+)", "\n".join([*made.incoming, *made.outgoing])))
    assert named == {group.name for group in made.groups}


@pytest.mark.node
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
class TestTheKernel:
    @given(st.lists(rules(), min_size=1, max_size=8))
    def test_takes_every_table(self, namespace, given_rules):
        made = ruleset(VM, [OwnedRule(JILL, rule) for rule in given_rules])
        nft.run(made.script(members, anew=True), namespace)

    def test_has_a_table_or_none(self, namespace):
        nft.run(ruleset(VM, []).script(members, anew=True), namespace)
        for _ in range(2):
            nft.run(NONE, namespace)
        with pytest.raises(OSError, match="No such file or directory"):
            nft.run(f"delete table inet {TABLE}", namespace)


def test_names_of_sets_tell_groups_apart():
    everything = [
        Target("tag", "a"),
        Target("tag", "a", "b"),
        Target("tag", 'a" = "b'),
        Target("vm", ME),
        Target("all vms"),
    ]
    found = [Group(owner, target).name for owner in (JILL, JACK, None) for target in everything]
    assert len(set(found)) == len(found)
    assert all(map(operator.methodcaller("isidentifier"), found))

"""The firewall rule grammar: normal form, round trip, and what is refused."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grammars.firewall import MAX_TARGETS, IcmpType, Ports, Rule, RuleError, Target, parse

VM = "eaf3405d-97a6-4bd6-9d96-92b0253a3220"

NORMAL_FORMS = [
    (f"FROM any to vm {VM} ALLOW tcp (port 80)", f"FROM any TO vm {VM} ALLOW tcp PORT 80"),
    (f"from ANY to VM {VM.upper()} allow TCP port 80", f"FROM any TO vm {VM} ALLOW tcp PORT 80"),
    (
        "FROM tag sdc_docker TO tag sdc_docker ALLOW tcp PORT all",
        'FROM tag "sdc_docker" TO tag "sdc_docker" ALLOW tcp PORT all',
    ),
    (
        'FROM tag "role" = "www" TO all vms ALLOW tcp (PORT 443 AND PORT 80)',
        'FROM tag "role" = "www" TO all vms ALLOW tcp (PORT 80 AND PORT 443)',
    ),
    ("FROM tag role=www TO all vms ALLOW udp PORT 53", 'FROM tag "role" = "www" TO all vms ALLOW udp PORT 53'),
    (
        "FROM any TO all vms ALLOW tcp PORTS 443-500,80, 80",
        "FROM any TO all vms ALLOW tcp PORTS 80, 443-500",
    ),
    ("FROM any TO all vms ALLOW tcp PORTS 80, 22", "FROM any TO all vms ALLOW tcp (PORT 22 AND PORT 80)"),
    ("FROM any TO all vms ALLOW tcp PORTS 1 - 4", "FROM any TO all vms ALLOW tcp PORTS 1-4"),
    (
        "FROM (subnet 10.1.0.0/16 OR ip 10.0.0.1 OR ip 10.0.0.1) TO tag a BLOCK icmp (type 8 code 0 AND type 3)",
        'FROM (ip 10.0.0.1 OR subnet 10.1.0.0/16) TO tag "a" BLOCK icmp (TYPE 3 AND TYPE 8 CODE 0)',
    ),
    ("FROM any TO all vms ALLOW icmp6 TYPE ALL", "FROM any TO all vms ALLOW icmp6 TYPE all"),
    ("FROM ip fd00::1 TO all vms BLOCK esp PRIORITY 7", "FROM ip fd00::1 TO all vms BLOCK esp PRIORITY 7"),
    (r'FROM tag "a\"b\\\u0041\q" TO any BLOCK ah', r'FROM tag "a\"b\\Aq" TO any BLOCK ah'),
]


@pytest.mark.parametrize(("text", "normal"), NORMAL_FORMS)
def test_rules_are_written_in_their_normal_form(text, normal):
    assert str(parse(text)) == normal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "FROM nowhere",
            "Error at character 4: 'nowhere', expected: '(', 'all', 'any', 'ip', 'subnet', 'vm', 'tag', found: word",
        ),
        ("", "Error at character 0: end of string, expected: 'FROM'"),
        ("FROM any TO any ALLOW tcp PORT 80", "rule does not affect VMs"),
        ("FROM ip 10.0.0.1 TO subnet 10.0.0.0/8 ALLOW tcp PORT 80", "rule does not affect VMs"),
        ("FROM any TO all vms ALLOW tcp PORT 0", "port must be between 1 and 65535"),
        ("FROM any TO all vms ALLOW tcp PORT 65536", "port must be between 1 and 65535"),
        ("FROM any TO all vms ALLOW tcp PORTS 9-8", "port range is invalid"),
        ("FROM any TO all vms ALLOW tcp", "expected: '(', 'PORT'"),
        ("FROM any TO all vms ALLOW icmp TYPE 256", "icmp type must be between 0 and 255"),
        ("FROM any TO all vms ALLOW ah PRIORITY 101", "priority must be between 0 and 100"),
        ("FROM any TO all vms ALLOW ah ah", "expected: 'end of string'"),
        ("FROM ip 300.0.0.1 TO all vms ALLOW ah", "IP address is invalid"),
        ("FROM subnet 10.0.0.1/8 TO all vms ALLOW ah", "subnet is invalid"),
        ("FROM any TO vm 1234 ALLOW ah", "UUID is invalid"),
        ('FROM any TO "all" vms ALLOW ah', "found: string"),
        ('FROM any TO tag "a ALLOW ah', "unterminated string"),
        ("FROM (tag a OR tag b TO any ALLOW ah", "expected: 'OR', ')'"),
        (r'FROM any TO tag "\ud800" ALLOW ah', "half a surrogate pair"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(text, message):
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_at_most_24_targets_and_ports():
    tags = " OR ".join(f"tag t{number}" for number in range(MAX_TARGETS))
    ports = " AND ".join(f"PORT {number}" for number in range(1, 25))
    assert len(parse(f"FROM ({tags}) TO any ALLOW tcp ({ports})").matches) == 24
    with pytest.raises(RuleError, match="24 targets"):
        parse(f"FROM ({tags} OR tag more) TO any ALLOW tcp ({ports})")
    with pytest.raises(RuleError, match="24 ports"):
        parse(f"FROM ({tags}) TO any ALLOW tcp ({ports} AND PORT 99)")


@pytest.mark.parametrize(
    ("text", "tags", "touched"),
    [
        (f"FROM any TO vm {VM} ALLOW ah", {}, True),
        ("FROM any TO vm 00000000-0000-4000-8000-000000000000 ALLOW ah", {}, False),
        ("FROM all vms TO any BLOCK ah", {}, True),
        ("FROM any TO tag role ALLOW ah", {"role": "db"}, True),
        ("FROM any TO tag role = db ALLOW ah", {"role": "db"}, True),
        ("FROM any TO tag role = db ALLOW ah", {"role": "www"}, False),
        ("FROM tag on = true TO any ALLOW ah", {"on": True}, True),
        ("FROM tag n = 5 TO any ALLOW ah", {"n": 5}, True),
        ("FROM tag other TO any ALLOW ah", {"role": "db"}, False),
    ],
)
def test_which_vms_a_rule_touches(text, tags, touched):
    assert parse(text).touches(VM, tags) is touched


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
vm_targets = st.one_of(
    st.builds(lambda n: Target("vm", str(uuid.UUID(int=n))), st.integers(0, 2**128 - 1)),
    st.builds(Target, st.just("tag"), texts, st.none() | texts),
)
net_targets = st.one_of(
    st.builds(lambda ip: Target("ip", str(ip)), st.ip_addresses()),
    st.builds(lambda n: Target("subnet", f"10.{n}.0.0/16"), st.integers(0, 255)),
)
ports = st.builds(lambda a, b: Ports(min(a, b), max(a, b)), st.integers(1, 65535), st.integers(1, 65535))
icmp = st.builds(IcmpType, st.integers(0, 255), st.none() | st.integers(0, 255))
side = st.lists(st.one_of(vm_targets, net_targets), min_size=1, max_size=5)
protocols = st.one_of(
    st.tuples(st.sampled_from(["tcp", "udp"]), st.lists(ports, max_size=5)),
    st.tuples(st.sampled_from(["icmp", "icmp6"]), st.lists(icmp, max_size=5)),
    st.tuples(st.sampled_from(["ah", "esp"]), st.just([])),
)


@settings(deadline=None)
@given(
    st.one_of(side, st.just([Target("any")])),
    st.one_of(st.lists(vm_targets, min_size=1, max_size=5), st.just([Target("all vms")])),
    st.sampled_from(["allow", "block"]),
    protocols,
    st.none() | st.integers(0, 100),
)
def test_every_rule_is_read_back_as_written(sources, destinations, action, protocol, priority):
    written = str(Rule(tuple(sources), tuple(destinations), action, protocol[0], tuple(protocol[1]), priority))
    rule = parse(written)
    assert set(rule.sources) == set(sources)
    assert set(rule.destinations) == set(destinations)
    assert set(rule.matches) == set(protocol[1])
    assert (rule.action, rule.protocol, rule.priority) == (action, protocol[0], priority)
    assert parse(str(rule)) == rule
    assert str(parse(str(rule))) == str(rule)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_a_rule_error(text):
    try:
        rule = parse(f"FROM any TO all vms ALLOW {text}")
    except RuleError:
        return
    assert parse(str(rule)) == rule

"""Queries and answers as bytes."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node.names.answers import Query

KNOWN = {
    "web": ["10.0.0.5"],
    "few": ["10.0.0.5", "10.0.0.6", "10.0.0.7"],
    "many": [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(1000)],
}
ADDRESSES = {"10.0.0.5": "web.front", "10.0.0.8": f"{'x' * 64}.front", "10.0.0.9": "web..front"}


def asked(name, kind="A", *, tcp=False, **options):
    """What is answered to a question; None when somebody else has to be asked."""
    query = dns.message.make_query(name, kind, **options)
    data = Query(query.to_wire(), tcp=tcp).answer(lambda name: KNOWN.get(name, []), lambda ip: ADDRESSES.get(ip, ""))
    if data is None:
        return None
    reply = dns.message.from_wire(data)
    assert query.is_response(reply)
    assert reply.rcode() == dns.rcode.NOERROR
    return reply


def values(reply):
    return sorted(str(item) for rrset in reply.answer for item in rrset)


@pytest.mark.parametrize("kind", ["A", "ANY"])
def test_a_known_name_has_its_address(kind):
    reply = asked("web.", kind)
    assert values(reply) == ["10.0.0.5"]
    assert reply.flags & dns.flags.RA


@pytest.mark.parametrize("kind", ["AAAA", "MX", "SRV", "TXT", "HTTPS"])
def test_a_known_name_has_nothing_else_and_nobody_else_is_asked(kind):
    assert values(asked("web.", kind)) == []


@pytest.mark.parametrize("name", ["example.com.", "unknown.", "."])
def test_other_names_are_for_somebody_else(name):
    assert asked(name) is None


def test_an_address_has_its_name():
    assert values(asked("5.0.0.10.in-addr.arpa.", "PTR")) == ["web.front."]


@pytest.mark.parametrize("last", [8, 9])
def test_a_name_that_dns_cannot_say_is_not_said(last):
    assert asked(f"{last}.0.0.10.in-addr.arpa.", "PTR") is None


@pytest.mark.parametrize(
    "name", ["6.0.0.10.in-addr.arpa.", "in-addr.arpa.", "1.ip6.arpa.", "web.", "x.0.0.10.in-addr.arpa."]
)
def test_other_addresses_are_for_somebody_else(name):
    assert asked(name, "PTR") is None


def test_the_order_of_addresses_changes():
    first = {str(asked("few.").answer[0][0]) for _ in range(40)}
    assert len(first) > 1


def test_an_answer_too_long_for_udp_says_so():
    assert asked("many.").flags & dns.flags.TC
    assert len(values(asked("many."))) == 30
    whole = asked("many.", tcp=True)
    assert len(values(whole)) == 1000
    assert not whole.flags & dns.flags.TC
    assert len(values(asked("many.", use_edns=0, payload=1232))) == 74


def test_other_classes_and_operations_are_for_somebody_else():
    assert asked("web.", rdclass="CH") is None
    query = dns.message.make_query("web.", "A")
    query.set_opcode(2)
    assert Query(query.to_wire(), tcp=False).answer(lambda _: ["10.0.0.5"], lambda _: "") is None


def test_nobody_knows_is_a_failure_of_this_query():
    query = dns.message.make_query("example.com.", "A")
    reply = dns.message.from_wire(Query(query.to_wire(), tcp=False).failure())
    assert query.is_response(reply)
    assert reply.rcode() == dns.rcode.SERVFAIL


def test_only_answers_to_the_query_match():
    query = dns.message.make_query("example.com.", "A")
    mine = Query(query.to_wire(), tcp=False)
    assert mine.matches(dns.message.make_response(query).to_wire())
    assert not mine.matches(query.to_wire())
    query.id ^= 1
    assert not mine.matches(dns.message.make_response(query).to_wire())
    assert not mine.matches(b"")


@given(st.binary(max_size=600))
def test_any_bytes_are_a_query_or_a_value_error(data):
    try:
        query = Query(data, tcp=False)
    except ValueError:
        return
    query.answer(lambda _: ["10.0.0.5"], lambda _: "web.front")


@given(st.binary(min_size=0, max_size=80))
def test_a_query_with_a_strange_question_is_no_error(tail):
    head = bytes.fromhex("123401000001000000000000")
    try:
        query = Query(head + tail, tcp=False)
    except ValueError:
        return
    query.answer(lambda _: ["10.0.0.5"], lambda _: "web.front")

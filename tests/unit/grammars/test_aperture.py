"""Rules of policies: how they are read, what they allow, and what is refused before it can do harm."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars.aperture import MAX_DEPTH, allows, parse
from grammars.apertypes import RuleError, compiled

NOW = datetime(2026, 11, 27, 15, 30, tzinfo=UTC)  # a Friday
CONTEXT = {"sourceip": "10.1.2.3", "date": NOW, "time": NOW, "day": NOW, "method": "get", "tag_role": "www", "size": 7}


def names(*exact, regex=()):
    return {"exact": dict.fromkeys(exact, True), "regex": list(regex)}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("CAN getmachine", {"effect": True, "actions": names("getmachine")}),
        ("can not read", {"effect": False, "actions": names("read")}),
        ("Fred can read foo", {"principals": names("Fred"), "effect": True, "actions": names("read"), "resources": names("foo")}),
        ("CAN a and b", {"effect": True, "actions": names("a", "b")}),
        ("CAN a, b and c", {"effect": True, "actions": names("a", "b", "c")}),
        ("CAN a, b, and c", {"effect": True, "actions": names("a", "b", "c")}),
        ("CAN a, b, c, and d x", {"effect": True, "actions": names("a", "b", "c", "d"), "resources": names("x")}),
        ("Can *", {"effect": True, "actions": 1}),
        ("All can everything anything", {"principals": 1, "effect": True, "actions": 1, "resources": 1}),
        ("CAN read foo, bar*, and /b[a]*z/i::regex", {"effect": True, "actions": names("read"), "resources": names("foo", regex=["/bar.*/", "/b[a]*z/i"])}),
        ("CAN \\*x.js*", {"effect": True, "actions": names(regex=[r"/\*x\.js.*/"])}),
        ('CAN "and" "a b"', {"effect": True, "actions": names("and"), "resources": names("a b")}),
        ("CAN read /foo/bar", {"effect": True, "actions": names("read"), "resources": names("/foo/bar")}),
        ("CAN a IF sourceip = 10.0.0.0/8", {"effect": True, "actions": names("a"), "conditions": ["=", {"name": "sourceip"}, "10.0.0.0/8"]}),
        ("CAN a when sourceip::ip IN (10.0.0.1, 10.0.0.2)", {"effect": True, "actions": names("a"), "conditions": ["in", {"name": "sourceip", "type": "ip"}, ["10.0.0.1", "10.0.0.2"]]}),
        (
            "CAN a where x::number = 1 and y::string like /b/ or not (z::number > 2)",
            {"effect": True, "actions": names("a"), "conditions": [
                "or",
                ["and", ["=", {"name": "x", "type": "number"}, "1"], ["like", {"name": "y", "type": "string"}, "/b/"]],
                ["not", [">", {"name": "z", "type": "number"}, "2"]],
            ]},
        ),
    ],
)  # fmt: skip
def test_rules_are_read(text, rule):
    assert parse(text) == rule


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a name, found the end"),
        ("read", "expected CAN, found the end"),
        ("CAN", "expected a name, found the end"),
        ("CAN a, b", "expected AND, found the end"),
        ("CAN a and and", "expected a name, found 'and'"),
        ("CAN a b c", "expected END, found 'c'"),
        ("CAN a IF", "expected a value, found the end"),
        ("CAN a IF sourceip in 1.1.1.1", "expected (, found '1.1.1.1'"),
        ("CAN a IF sourceip = nowhere", 'unable to validate value "nowhere" as type "ip"'),
        ("CAN a IF sourceip > 1.1.1.1", 'unsupported operation ">" on type "ip"'),
        ("CAN a IF colour = red", 'no type for "colour"'),
        ("CAN a IF colour::hue = red", 'unknown type "hue"'),
        ("CAN a IF day = 8", 'unable to validate value "8" as type "day"'),
        ("CAN a IF (day = 1", "expected ), found the end"),
        ("CAN : a", "cannot read ': a'"),
        ("CAN /a(/::regex", "'/a(/' is no regular expression: missing ), unterminated subpattern at position 1"),
        ("CAN a IF x::string like b", "'b' is no regular expression"),
        ("CAN " + "a" * 3000, "a rule has at most 2048 characters"),
        ("CAN a IF " + "NOT " * (MAX_DEPTH + 2) + "day = 1", f"conditions are nested deeper than {MAX_DEPTH}"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_reason(text, told):
    with pytest.raises(RuleError) as error:
        parse(text)
    assert str(error.value) == told


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("CAN getmachine", True),
        ("CAN GetMachine", False),
        ("CAN get*", True),
        ("CAN /^list/::regex", False),
        ("CAN /^GET.*ine$/i::regex", True),
        ("CAN NOT getmachine", False),
        ("CAN getmachine /jdoe/machines/*", True),
        ("CAN getmachine /jdoe/images", False),
        ("CAN getmachine * WHEN sourceip = 10.0.0.0/8 AND day = Friday", True),
        ("CAN getmachine WHEN sourceip in (192.168.0.0/16, 10.1.2.3)", True),
        ("CAN getmachine WHEN NOT sourceip = 10.0.0.0/8", False),
        ("CAN getmachine WHEN day in (Monday, 5)", True),
        ("CAN getmachine WHEN time > 09:00:00 AND time < 17:00", True),
        ("CAN getmachine WHEN time >= 2026-01-01T16:00:00Z", False),
        ("CAN getmachine WHEN date < 2026-11-28", True),
        ('CAN getmachine WHEN date < "Fri, 27 Nov 2026 15:00:00 GMT"', False),
        ("CAN getmachine WHEN method = post OR tag_role::string = www", True),
        ("CAN getmachine WHEN tag_role::string like /^W/i", True),
        ("CAN getmachine WHEN size::number >= 7", True),
        ("CAN getmachine WHEN size::number < 7", False),
    ],
)
def test_what_rules_allow(text, allowed):
    assert allows(parse(text), "getmachine", "/jdoe/machines/1", CONTEXT) is allowed


def test_addresses_in_either_family_and_several_of_them():
    rule = parse("CAN a IF ip = 10.0.0.0/8")
    assert allows(rule, "a", "", {"ip": ["192.168.0.1", "10.9.9.9"]})
    assert allows(rule, "a", "", {"ip": "::ffff:10.1.1.1"})
    assert not allows(rule, "a", "", {"ip": "::1"})


def test_a_condition_on_what_the_request_does_not_tell_cannot_be_weighed():
    with pytest.raises(RuleError, match='missing condition in context: "tag_role"'):
        allows(parse("CAN a IF tag_role::string = www"), "a", "", {})


@pytest.mark.parametrize("literal", ["/(a+)+$/", "/(a|a)*b/", "/a*a*a*b/", "/(.*){9}/", "/" + "a?" * 9 + "/"])
def test_regular_expressions_that_could_take_for_ever_are_refused(literal):
    with pytest.raises(RuleError, match="could take too long"):
        compiled(literal)


def test_names_may_have_many_stars_as_they_cost_nothing():
    rule = parse("CAN *a*b\\**c*d.e* /jdoe/*/*")
    assert allows(rule, "xaxb*xcxd.ex", "/jdoe/machines/1", {})
    assert not allows(rule, "xaxbxcxd.ex", "/jdoe/machines/1", {})
    assert not allows(rule, "xaxb*xcxdxex", "/jdoe/machines/1", {})
    assert not allows(rule, "xaxb*xcxd.ex", "/jdoe/machines", {})
    assert not compiled("/" + ".*a" * 1000 + "/").search("b" * 100_000)


def test_a_text_that_is_too_long_to_match_is_no_match():
    rule = parse("CAN a IF user-agent like /^curl.*x/")
    assert allows(rule, "a", "", {"user-agent": "curl/8 x"})
    with pytest.raises(RuleError, match="too long to match"):
        allows(rule, "a", "", {"user-agent": "curl" + "x" * 300})


def test_ordinary_regular_expressions_are_not():
    assert compiled("/2013-0[1-6]-[0-3][0-9].log/").search("2013-05-31.log")
    assert compiled("/Ashl(y|ey|i|ie)/").search("Ashley")
    assert compiled("/fred(dy)?/i").search("FREDDY")
    assert compiled(r"/^\/jdoe\/machines\/[^\/]+$/").search("/jdoe/machines/1")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        rule = parse(text)
    except RuleError:
        return
    assert isinstance(rule["effect"], bool)


@given(
    st.lists(
        st.sampled_from(
            [
                "can",
                "not",
                "and",
                "a",
                "b*",
                ",",
                "(",
                ")",
                "if",
                "x::number",
                "=",
                "1",
                "in",
                '"q"',
                "/r/::regex",
                "or",
            ]
        ),
        max_size=14,
    )
)
def test_any_words_are_read_or_refused(words):
    try:
        parse(" ".join(words))
    except RuleError:
        return

"""Affinity expressions: the table that Swarm and Triton agree on, and what holds for all of them."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars.affinity import Affinity, AffinityError, parse

UUID = "3f57ffe8-47da-11e5-aba2-2bd3b9ce4a33"
LONG_ID = "3f57ffe847da11e5aba22bd3b9ce4a33" * 2


@pytest.mark.parametrize(
    ("expression", "key", "operator", "value", "value_type", "soft"),
    [
        ("role==database", "role", "==", "database", "exact", False),
        ("role!=database", "role", "!=", "database", "exact", False),
        ("role==~database", "role", "==", "database", "exact", True),
        ("role!=~database", "role", "!=", "database", "exact", True),
        ("container==shard-*", "container", "==", "shard-*", "glob", False),
        ("container==*-a", "container", "==", "*-a", "glob", False),
        ("container!=~shard-*", "container", "!=", "shard-*", "glob", True),
        ("container==/ard-[ab]$/", "container", "==", "/ard-[ab]$/", "re", False),
        ("container==~/^web.*/", "container", "==", "/^web.*/", "re", True),
        ("container==/a*/", "container", "==", "/a*/", "re", False),
        ("container==//", "container", "==", "//", "exact", False),
        ("container==/a", "container", "==", "/a", "exact", False),
        (f"container=={UUID}", "container", "==", UUID, "exact", False),
        (f"container=={LONG_ID}", "container", "==", LONG_ID, "exact", False),
        (f"container=={LONG_ID[:12]}", "container", "==", LONG_ID[:12], "exact", False),
        ("com.example.role==a b:c/d", "com.example.role", "==", "a b:c/d", "exact", False),
        ("_KEY-1==V", "_KEY-1", "==", "V", "exact", False),
    ],
)
def test_what_is_understood(expression, key, operator, value, value_type, soft):
    found = parse(expression)
    assert (found.key, found.operator, found.value, found.value_type, found.soft) == (
        key,
        operator,
        value,
        value_type,
        soft,
    )
    assert found.payload() == {
        "key": key,
        "operator": operator,
        "value": value,
        "valueType": value_type,
        "isSoft": soft,
    }


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("container=~foo", 'could not find operator in filter expression: expected one of ==, !=: "container=~foo"'),
        ("", 'could not find operator in filter expression: expected one of ==, !=: ""'),
        ("container==", "invalid value in filter expression"),
        ("container==~", "invalid value in filter expression"),
        ("container==~~x", "invalid value in filter expression"),
        ("container==/a!/", "invalid value in filter expression"),
        ("container==caf\u00e9", "invalid value in filter expression"),
        ("container==a;b", "invalid value in filter expression"),
        ("==foo", "invalid key in filter expression"),
        ("a==foo", "invalid key in filter expression"),
        ("1role==foo", "invalid key in filter expression"),
        ("ro le==foo", "invalid key in filter expression"),
        ("role\n==foo", "invalid key in filter expression"),
        ("role!=a==b", "invalid key in filter expression"),
        ("\u017frole==foo", "invalid key in filter expression"),
    ],
)
def test_what_is_refused(expression, message):
    with pytest.raises(AffinityError) as raised:
        parse(expression)
    assert str(raised.value).startswith(message)


keys = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9\-_.]+\Z")
values = st.text(string.ascii_letters + string.digits + "-:_ .*/()?+[]\\^$|", min_size=1)


@given(st.builds(Affinity, key=keys, operator=st.sampled_from(["==", "!="]), value=values, soft=st.booleans()))
def test_what_is_written_is_read_back(affinity):
    assert parse(str(affinity)) == affinity


@given(st.text())
def test_any_text_is_read_back_or_refused_with_itself_in_the_message(text):
    try:
        understood = str(parse(text))
    except AffinityError as error:
        understood = str(error)
    assert text in understood

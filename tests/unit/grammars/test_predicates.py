from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars import predicates
from grammars.predicates import PredicateError

VM = {
    "uuid": "4a1b2c3d-96d1-4c1e-8c0a-5f0f2a8a7e11",
    "alias": "web",
    "docker": True,
    "ram": 1024,
    "state": "running",
    "destroyed": None,
    "create_timestamp": "2025-03-01T10:00:00.000Z",
}


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        ({"eq": ["alias", "web"]}, True),
        ({"eq": ["alias", "we*"]}, False),
        ({"eq": ["uuid", "4a1b2c3d*"]}, True),
        ({"eq": ["uuid", "4a1b2c3d"]}, False),
        ({"eq": ["uuid", "*"]}, True),
        ({"eq": ["docker", True]}, True),
        ({"eq": ["docker", "true"]}, True),
        ({"eq": ["docker", "yes"]}, False),
        ({"ne": ["docker", True]}, False),
        ({"ne": ["nothing", "x"]}, True),
        ({"eq": ["nothing", "x"]}, False),
        ({"eq": ["destroyed", "x"]}, False),
        ({"eq": ["ram", "1024"]}, True),
        ({"eq": ["ram", "much"]}, False),
        ({"lt": ["ram", 2048]}, True),
        ({"le": ["ram", 1024]}, True),
        ({"gt": ["ram", "1000"]}, True),
        ({"ge": ["ram", 1025]}, False),
        ({"gt": ["ram", "much"]}, False),
        ({"gt": ["nothing", 1]}, False),
        ({"gt": ["create_timestamp", "2025-01-01"]}, True),
        ({"and": [{"eq": ["alias", "web"]}, {"ne": ["state", "failed"]}]}, True),
        ({"and": [{"eq": ["alias", "web"]}, {"eq": ["state", "failed"]}]}, False),
        ({"or": [{"eq": ["alias", "db"]}, {"eq": ["state", "running"]}]}, True),
    ],
)
def test_matches(predicate, expected):
    assert predicates.parse(json.dumps(predicate)).matches(VM) is expected


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "[]", "{}", "1", '{"eq": ["a", "b"], "ne": ["a", "b"]}', '{"eq": ["a"]}', '{"eq": [1, 2]}',
        '{"eq": ["a", {}]}', '{"eq": ["a", null]}', '{"like": ["a", "b"]}', '{"and": [{"eq": ["a", "b"]}]}',
        '{"and": {"eq": ["a", "b"]}}', '{"and": ["a", "b"]}',
    ],
)  # fmt: skip
def test_refused(text):
    with pytest.raises(PredicateError):
        predicates.parse(text)


def test_depth_is_bounded():
    deep = {"eq": ["a", "b"]}
    for _ in range(100):
        deep = {"and": [deep, deep]} if len(json.dumps(deep)) < 10_000 else {"and": [deep, {"eq": ["a", "b"]}]}
    with pytest.raises(PredicateError, match="nested"):
        predicates.build(deep)


def test_fields():
    predicate = predicates.build({"and": [{"eq": ["a", 1]}, {"or": [{"eq": ["b", 1]}, {"ne": ["a", 2]}]}]})
    assert predicates.fields(predicate) == {"a", "b"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_anything_is_a_predicate_or_refused(decoded):
    try:
        predicate = predicates.build(decoded)
    except PredicateError:
        return
    assert predicate.matches(VM) in {True, False}

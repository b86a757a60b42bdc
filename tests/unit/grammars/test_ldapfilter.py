"""LDAP filters: what they match, round trip, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grammars.ldapfilter import And, Compare, FilterError, Match, Not, Or, attribute_filter, parse

PACKAGE = {
    "uuid": "7b17343c-94af-6266-e0e8-893a3b9993d0",
    "name": "sample-1G",
    "active": True,
    "max_physical_memory": 1024,
    "owner_uuids": ["a", "b"],
    "starred": "a*b",
}


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("(active=true)", True),
        ("active=true", True),
        ("(active=TRUE)", False),
        ("(name=sample-*)", True),
        ("(name=*-1G)", True),
        ("(name=s*e*G)", True),
        ("(name=sample-{\\2a})", False),
        ("(starred=a\\2ab)", True),
        ("(name=sample-\\2a)", False),
        ("(uuid=7b17343c-*)", True),
        ("(missing=*)", False),
        ("(!(missing=*))", True),
        ("(owner_uuids=*)", True),
        ("(owner_uuids=b)", True),
        ("(owner_uuids=c)", False),
        ("(max_physical_memory>=1024)", True),
        ("(max_physical_memory>=1025)", False),
        ("(max_physical_memory<=200000)", True),
        ("(max_physical_memory>=x)", False),
        ("(name>=sample)", True),
        ("(missing>=1)", False),
        ("(&)", True),
        ("(|)", False),
        ("(&(active=true)(|(owner_uuids=a)(!(owner_uuids=*)))(name=sample-*))", True),
        ("(&(active=true)(|(owner_uuids=z)(!(owner_uuids=*)))(name=sample-*))", False),
    ],
)
def test_matching(text, matched):
    assert parse(text).matches(PACKAGE) is matched


@pytest.mark.parametrize(
    "text", ["", "(", "()", "(a)", "(=b)", "(a=b", "(a=b))", "(&(a=b)", "(!)", "(!(a=b)(c=d))", "(" * 5000, "(a=(b)"]
)
def test_what_is_no_filter_is_refused(text):
    with pytest.raises(FilterError):
        parse(text)


def test_deep_nesting_is_refused():
    with pytest.raises(FilterError, match="deeply"):
        parse("(!" * 200 + "(a=b)" + ")" * 200)


def test_a_search_term_takes_wildcards_and_escapes():
    assert attribute_filter("name", "a*\\2a") == Match("name", ("a", "*"))


names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
values = st.text(max_size=6)
filters = st.recursive(
    st.one_of(
        st.builds(Match, names, st.lists(values, min_size=1, max_size=4).map(tuple)),
        st.builds(Compare, names, st.sampled_from([">=", "<="]), values),
    ),
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(filters)
def test_every_filter_is_read_back_as_written(wanted):
    assert parse(str(wanted)) == wanted

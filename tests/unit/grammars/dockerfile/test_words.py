"""Variables, quotes and escapes. Facts: moby's shell parser and its test table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars.dockerfile import DockerfileError
from grammars.dockerfile.words import exec_form, expand, expand_words, name_values, split

VARIABLES = {"PWD": "/home", "EMPTY": "", "W": "a b", "X": "1"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("hello", "hello"),
        ("he'll'o", "hello"),
        ("he'llo\\'", "hello\\"),
        ("hell\\'o", "hell'o"),
        ("hell\\\\'o'", "hell\\o"),
        ('"hell\\"o"', 'hell"o'),
        ('"hell\'o"', "hell'o"),
        ("'hell\"o'", 'hell"o'),
        ('"a\\b"', "a\\b"),
        ("$PWD", "/home"),
        ("'$PWD'", "$PWD"),
        ('"$PWD"', "/home"),
        ("\\$PWD", "$PWD"),
        ("hello$", "hello$"),
        ("hello$PWDx", "hello"),
        ("hello${PWD}x", "hello/homex"),
        ("$NONE", ""),
        ("${X:-y}", "1"),
        ("${NONE:-y}", "y"),
        ("${EMPTY:-y}", "y"),
        ("${EMPTY-y}", ""),
        ("${X:+y}", "y"),
        ("${NONE+y}", ""),
        ("${EMPTY+y}", "y"),
        ("${NONE:-${PWD}/x}", "/home/x"),
        ("${NONE:-$W}", "a b"),
        ("${X:?must be}", "1"),
        ("'he'$PWD\"l$X\"", "he/homel1"),
    ],
)
def test_a_text_is_expanded(text, value):
    assert expand(text, VARIABLES) == value


def test_the_escape_may_be_another():
    assert expand("c:\\x `$PWD", VARIABLES, "`") == "c:\\x $PWD"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("$W c", ["a", "b", "c"]),
        ('"$W" c', ["a b", "c"]),
        ("$EMPTY", []),
        ('"" x', ["", "x"]),
        ("${NONE:-8 9}", ["8", "9"]),
    ],
)
def test_a_text_is_split_after_it_was_expanded(text, words):
    assert expand_words(text, VARIABLES) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${X", "unsupported modifier"),
        ("${X:-y", "missing"),
        ("${}", "bad substitution"),
        ("${X!y}", "unsupported modifier"),
        ("${NONE:?is needed}", "NONE: is needed"),
        ("'open", "single-quote"),
        ('"open', "double-quote"),
    ],
)
def test_a_bad_text_is_refused(text, words):
    with pytest.raises(DockerfileError, match=words):
        expand(text, VARIABLES)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=b", [("a", "b")]),
        ('a="b c" d=e\\ f', [("a", '"b c"'), ("d", "e\\ f")]),
        ("a the rest  of it", [("a", "the rest  of it")]),
        ("a==b", [("a", "=b")]),
    ],
)
def test_pairs_are_read_in_both_forms(text, pairs):
    assert name_values("ENV", text) == pairs


@pytest.mark.parametrize(("text", "words"), [("a", "must have two"), ("a=b c", "can't find ="), ("", "at least one")])
def test_bad_pairs_are_refused(text, words):
    with pytest.raises(DockerfileError, match=words):
        name_values("ENV", text)


def test_the_exec_form_is_a_json_list_of_texts_and_nothing_else():
    assert exec_form('["a", "b"]') == ["a", "b"]
    assert exec_form("[]") == []
    for text in ("a", "[a]", '["a", 1]', '["a"', '{"a": 1}', "[" * 50_000):
        assert exec_form(text) is None


@given(st.text(), st.dictionaries(st.sampled_from(["A", "B1", "C_"]), st.text(max_size=5)))
def test_any_text_is_expanded_or_refused(text, variables):
    for work in (expand, expand_words):
        try:
            work(text, variables)
        except DockerfileError:
            continue
    split(text)


@given(st.text(alphabet=st.sampled_from("abc /.-_=:1é")))
def test_a_text_without_special_characters_stays(text):
    assert expand(text, {}) == text
    assert expand_words(text, {}) == text.split()


@pytest.mark.parametrize("text", ["a-" * 300_000, '"' + "a" * 600_000 + '"', "${a}" * 100_000, "$a " * 100_000])
def test_long_texts_take_no_longer_than_they_are_long(text):
    """When each character cost what was before it, these held everybody up for minutes."""
    assert expand(text, {"a": "1"}) == text.replace("${a}", "1").replace("$a", "1").replace('"', "")
    assert "".join(expand_words(text, {"a": "1"})) == expand(text, {"a": "1"}).replace(" ", "")


def test_substitutions_are_not_nested_without_end():
    assert expand("${a:-" * 30 + "x" + "}" * 30, {}) == "x"
    with pytest.raises(DockerfileError, match="nested deeper"):
        expand("${a:-" * 100_000, {})

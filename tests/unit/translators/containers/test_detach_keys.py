from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidParameter
from translators.containers.detach_keys import DEFAULT, KeyWatch, parse


@pytest.mark.parametrize(
    ("text", "keys"),
    [("", DEFAULT), ("ctrl-p,ctrl-q", DEFAULT), ("ctrl-x", b"\x18"), ("a,ctrl-@,ctrl-_", b"a\x00\x1f"), ("q", b"q")],
)
def test_keys_are_read(text, keys):
    assert parse(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-pp", "xy", "ctrl-1", ",", "ctrl-P"])
def test_other_texts_are_refused(text):
    with pytest.raises(InvalidParameter, match="Invalid detach keys"):
        parse(text)


def test_half_a_sequence_is_held_back_until_it_is_clear():
    watch = KeyWatch(DEFAULT)
    assert watch.feed(b"ab\x10") == (b"ab", False)
    assert watch.feed(b"c") == (b"\x10c", False)
    assert watch.feed(b"\x10") == (b"", False)
    assert watch.feed(b"\x11rest") == (b"", True)


@given(st.binary(max_size=40), st.lists(st.integers(1, 5)))
def test_what_is_typed_comes_through_however_it_is_cut(data, cuts):
    keys = b"\x10\x11"
    watch, out, at, detached = KeyWatch(keys), b"", 0, False
    for size in [*cuts, len(data) + 1]:
        passed, detached = watch.feed(data[at : at + size])
        out += passed
        at += size
        if detached:
            break
    if keys in data:
        assert detached
        assert out == data[: data.index(keys)]
    else:
        assert data.startswith(out)
        assert len(data) - len(out) < len(keys)

from __future__ import annotations

import time

import pytest

from gateway.errors import InvalidParameter
from translators.prune_filters import moment, until, wants


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1700000000", 1700000000),
        ("1700000000.5", 1700000000.5),
        ("2023-11-14T22:13:20Z", 1700000000),
        ("2023-11-14T23:13:20+01:00", 1700000000),
        ("2023-11-14T22:13:20", 1700000000),
        ("2023-11-14", 1699920000),
    ],
)
def test_moments(text, seconds):
    assert moment(text) == seconds


def test_spans_end_now():
    assert moment("1h30m") == pytest.approx(time.time() - 5400, abs=5)
    assert until({"until": ["500ms"]}) == pytest.approx(time.time(), abs=5)
    assert until({}) is None


@pytest.mark.parametrize("values", [["yesterday"], [""], ["1x"], ["1h", "2h"], ["1" * 500_000 + "x"], ["1h" * 9 + "1"]])
def test_what_is_no_moment(values):
    with pytest.raises(InvalidParameter):
        until({"until": values})


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"label": ["a"]}, True),
        ({"label": ["a=1", "b"]}, True),
        ({"label": ["a=2"]}, False),
        ({"label": ["c"]}, False),
        ({"label!": ["c"]}, True),
        ({"label!": ["c", "a"]}, False),
        ({"label": ["b"], "label!": ["a=1"]}, False),
    ],
)
def test_labels(filters, wanted):
    assert wants({"a": "1", "b": ""}, filters) is wanted

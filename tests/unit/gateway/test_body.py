from __future__ import annotations

import msgspec
import pytest

from gateway.body import decode
from gateway.errors import InvalidParameter


class Inner(msgspec.Struct):
    Memory: int = 0
    Names: list[str] | None = None


class Outer(msgspec.Struct):
    Image: str = ""
    HostConfig: Inner = msgspec.field(default_factory=Inner)
    Many: list[Inner] = msgspec.field(default_factory=list)
    Named: dict[str, Inner] = msgspec.field(default_factory=dict)
    Labels: dict[str, str] | None = None


def test_keys_are_read_in_any_case_at_any_depth():
    data = (
        b'{"image":"x","hostconfig":{"MEMORY":1},"many":[{"memory":2}],"named":{"Key":{"memory":3}},"labels":{"A":"b"}}'
    )
    assert decode(data, Outer) == Outer("x", Inner(1), [Inner(2)], {"Key": Inner(3)}, {"A": "b"})


def test_null_is_absent():
    assert decode(b'{"Image":null,"HostConfig":null,"Labels":null}', Outer) == Outer()


def test_unknown_keys_are_ignored():
    assert decode(b'{"Nonsense":[1,{"x":null}]}', Outer) == Outer()


def test_without_a_model_everything_stays():
    assert decode(b'{"a":null}') == {"a": None}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"HostConfig":{"Memory":"much"}}', r"\$\.HostConfig\.Memory"),
        (b'{"Image":1}', r"\$\.Image"),
        (b"[1]", "invalid request body"),
        (b"{nonsense", "invalid JSON"),
        (b"", "EOF"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_named(data, words):
    with pytest.raises(InvalidParameter, match=words):
        decode(data, Outer)

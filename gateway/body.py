"""Request bodies the way Go reads them: keys in any case, null for absent, unknown keys ignored.

A typed body is a msgspec Struct; a value of the wrong type is refused with the path of the field.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any

import msgspec

from gateway.errors import InvalidParameter


def decode(data: bytes, model: Any = None) -> Any:
    """Decode a JSON body, into ``model`` when given. Raises InvalidParameter with the path of what is wrong."""
    if not data.strip():
        raise InvalidParameter("got EOF while reading request body")
    try:
        raw = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"invalid JSON: {error}") from error
    except RecursionError as error:
        raise InvalidParameter("invalid JSON: it is nested too deeply") from error
    if model is None:
        return raw
    try:
        return msgspec.convert(fold(raw, model), model)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"invalid request body: {error}") from error


def fold(raw: Any, model: Any) -> Any:
    """Rename keys to the model's spelling and drop nulls, through nested models, lists and maps."""
    if isinstance(raw, dict):
        fields = _fields(model)
        if fields is None:
            inner = _inner(model)
            return {key: fold(value, inner) for key, value in raw.items()} if inner is not None else raw
        folded: dict[str, Any] = {}
        for key, value in raw.items():
            known = fields.get(key.lower())
            if known is not None and value is not None:
                folded[known[0]] = fold(value, known[1])
        return folded
    if isinstance(raw, list):
        inner = _inner(model)
        return [fold(value, inner) for value in raw] if inner is not None else raw
    return raw


@cache
def _fields(model: Any) -> dict[str, tuple[str, Any]] | None:
    """Lower-cased key -> (key as the model spells it, type), for a Struct or an optional Struct."""
    for candidate in _alternatives(model):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            hints = typing.get_type_hints(candidate)
            names = zip(candidate.__struct_fields__, candidate.__struct_encode_fields__, strict=True)
            return {encoded.lower(): (encoded, hints[name]) for name, encoded in names}
    return None


@cache
def _inner(model: Any) -> Any:
    """The element type of a list, or the value type of a map, when it holds Structs somewhere; else None."""
    for candidate in _alternatives(model):
        arguments = typing.get_args(candidate)
        if typing.get_origin(candidate) in (list, dict, tuple) and arguments:
            element = arguments[-1]
            if _fields(element) is not None or _inner(element) is not None:
                return element
    return None


def _alternatives(model: Any) -> tuple[Any, ...]:
    return typing.get_args(model) if typing.get_origin(model) in (types.UnionType, typing.Union) else (model,)

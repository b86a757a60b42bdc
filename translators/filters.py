"""The ``filters`` query parameter, in both forms that clients send."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import msgspec
import re2

from gateway.errors import InvalidParameter

Filters = dict[str, list[str]]

_MOST_MEMORY = 1 << 19
"""Bytes that one expression may take; larger ones match nothing."""


def parse_filters(text: str, accepted: Collection[str]) -> Filters:
    """Read ``{"label": ["a"]}`` or ``{"label": {"a": true}}``; the values of one key are alternatives.

    Null is what Go writes for none. Raises InvalidParameter for anything else and for a key that is not accepted.
    """
    if not text:
        return {}
    try:
        raw = msgspec.json.decode(text, type=dict[str, list[str] | dict[str, bool] | None] | None) or {}
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidParameter(f"invalid filters: {error}") from error
    for key in raw:
        if key not in accepted:
            raise InvalidParameter(f"invalid filter '{key}'")
    return {key: list(values) for key, values in raw.items() if values}


def truth(filters: Filters, key: str) -> bool | None:
    """Read a yes-or-no filter; None when it is not there. Raises InvalidParameter for other values."""
    values = set(filters.get(key, ()))
    if not values:
        return None
    if values <= {"1", "true", "True"}:
        return True
    if values <= {"0", "false", "False"}:
        return False
    raise InvalidParameter(f"invalid filter '{key}=[{' '.join(sorted(values))}]'")


def matches(text: str, wanted: str) -> bool:
    """Whether a text is, or somewhere matches the expression, that a filter wants; what is none matches nothing.

    Expressions are Go's, by its own engine: its time grows with the text alone, where that of Python's would let one
    client hold up all the others.
    """
    if text == wanted:
        return True
    expression = _expression(wanted)
    return expression is not None and expression.search(text) is not None


@lru_cache(maxsize=128)
def _expression(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    try:
        return re2.compile(text, options)
    except re2.error:
        return None

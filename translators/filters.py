"""The ``filters`` query parameter, in both forms that clients send."""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from gateway.errors import InvalidParameter

Filters = dict[str, list[str]]


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
    """Whether a text is, or somewhere matches the expression, that a filter wants."""
    try:
        return text == wanted or re.search(wanted, text) is not None
    except re.error:
        return False

"""The filters that all prunes share: ``until``, ``label`` and ``label!``."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.errors import InvalidParameter
from translators.filters import Filters

COMMON = frozenset({"until", "label", "label!"})
_NUMBER = r"(?:\d{1,18}(?:\.\d{1,18})?)"  # bounded, or reading a long one would take its length squared
_EPOCH = re.compile(_NUMBER, re.ASCII)
_SPAN = re.compile(rf"({_NUMBER})(h|ms|m|s)", re.ASCII)
_SPANS = re.compile(rf"(?:{_SPAN.pattern})+", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def until(filters: Filters) -> float | None:
    """Return ``until`` in epoch seconds: what is younger is kept. Raises InvalidParameter."""
    values = filters.get("until", [])
    if not values:
        return None
    if len(values) > 1:
        raise InvalidParameter("more than one until filter specified")
    return moment(values[0])


def moment(text: str) -> float:
    """Read epoch seconds, a time or a day (UTC unless told), or a span of time ago (``1h30m``)."""
    if _EPOCH.fullmatch(text):
        return float(text)
    if _SPANS.fullmatch(text):
        return time.time() - sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text))
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise InvalidParameter(f"invalid filter 'until={text}'") from error


def wants(labels: Mapping[str, str], filters: Filters) -> bool:
    """Whether all of ``label`` are there and none of ``label!`` is."""
    return all(_has(labels, wanted) for wanted in filters.get("label", ())) and not any(
        _has(labels, unwanted) for unwanted in filters.get("label!", ())
    )


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)

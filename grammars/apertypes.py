"""Types of the conditions in Aperture's rules: which operators each knows, and how it compares.

``date``, ``time``, ``day`` (all UTC), ``ip`` (addresses and ranges), ``number`` and ``string``. A condition names
its type (``tag_role::string = www``) or has a well-known name (``sourceip``, ``day`` ...).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

WELL_KNOWN: Mapping[str, str] = {
    "datacenter": "string",
    "date": "date",
    "day": "day",
    "ip": "ip",
    "method": "string",
    "requestip": "ip",
    "sourceip": "ip",
    "tag": "string",
    "time": "time",
    "user-agent": "string",
}
"""Types of condition names that need not say their type."""

MOST_QUANTIFIERS, MOST_UNBOUNDED, MOST_MATCHED = 8, 2, 256

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_PIECES = re.compile(r"\\.|\[(?:[^\]\\]|\\.)*\]|(\)?)([*+?]|\{\d*(,?)\d*\})")
_ESCAPED = re.compile(r"\\(.)")
_IN_ORDER = re.compile(r"(?:\.\*|\\[^a-zA-Z0-9]|[^\\.*+?()\[\]{}|^$])*")
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "g": re.NOFLAG}

Reader = Callable[[Any], Any]


class RuleError(ValueError):
    """A rule that cannot be read, or a condition that cannot be weighed; the message says why."""


def check(op: str, lhs: Mapping[str, str], value: str) -> None:
    """Make sure that a condition's type knows the operator and can read the value. Raises RuleError."""
    kind = _kind(lhs)
    if op == "like" and kind == "string":
        compiled(value)
        return
    if op not in _operators(kind):
        raise RuleError(f'unsupported operation "{op}" on type "{kind}"')
    _read(kind, value)


def compare(op: str, lhs: Mapping[str, str], actual: Any, wanted: str) -> bool:
    """Whether a value of the request stands to the rule's as the operator says. Raises RuleError."""
    kind = _kind(lhs)
    check(op, lhs, wanted)
    if op == "like":
        return compiled(wanted).search(str(actual))
    if kind == "ip":
        return _within(actual, wanted)
    return bool(_operators(kind)[op](_read(kind, actual), _read(kind, wanted)))


@dataclass(frozen=True, slots=True)
class InOrder:
    """Texts that must come one after the other, anything between them: what ``a*b*c`` means. As quick as it is long."""

    parts: tuple[str, ...]

    def search(self, text: str) -> bool:
        at = 0
        for part in self.parts:
            found = text.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return True


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression that is quick on texts that are short. Raises RuleError on others."""

    pattern: re.Pattern[str]

    def search(self, text: str) -> bool:
        if len(text) > MOST_MATCHED:
            raise RuleError(f"a text of {len(text)} characters is too long to match")
        return self.pattern.search(text) is not None


@lru_cache(maxsize=512)
def compiled(literal: str) -> InOrder | Expression:
    """A regular expression from ``/body/flags``. Raises RuleError, also when matching could take very long.

    Who writes a policy decides what is matched when others call, so only what is quick is taken: few
    quantifiers, and none on a group but ``?``. Names with stars are matched without any, so may have many.
    """
    body, slash, flags = literal.removeprefix("/").rpartition("/")
    if not literal.startswith("/") or not slash or not set(flags) <= _FLAGS.keys():
        raise RuleError(f"{literal!r} is no regular expression")
    if not flags and _IN_ORDER.fullmatch(body):
        return InOrder(tuple(_ESCAPED.sub(r"\1", part) for part in body.split(".*")))
    quantifiers = [piece for piece in _PIECES.finditer(body) if piece[2]]
    unbounded = [piece for piece in quantifiers if piece[2] in "*+" or piece[3]]
    groups = [piece for piece in quantifiers if piece[1] and piece[2] != "?"]
    if groups or len(quantifiers) > MOST_QUANTIFIERS or len(unbounded) > MOST_UNBOUNDED:
        raise RuleError(f"{literal!r} could take too long to match")
    flag = re.ASCII
    for name in flags:
        flag |= _FLAGS[name]
    try:
        return Expression(re.compile(body, flag))
    except re.error as error:
        raise RuleError(f"{literal!r} is no regular expression: {error}") from error


def _kind(lhs: Mapping[str, str]) -> str:
    kind = lhs.get("type") or WELL_KNOWN.get(lhs["name"])
    if kind is None:
        raise RuleError(f'no type for "{lhs["name"]}"')
    if kind not in _READERS:
        raise RuleError(f'unknown type "{kind}"')
    return kind


def _operators(kind: str) -> Mapping[str, Callable[[Any, Any], bool]]:
    equal: dict[str, Callable[[Any, Any], bool]] = {"=": operator.eq}
    if kind == "ip":
        return equal
    return {**equal, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


def _read(kind: str, value: Any) -> Any:
    try:
        return _READERS[kind](value)
    except (TypeError, ValueError) as error:
        raise RuleError(f'unable to validate value "{value}" as type "{kind}"') from error


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = parsedate_to_datetime(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(value: Any) -> int:
    """Seconds since midnight, UTC."""
    clock = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if clock:
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
    moment = _moment(value).astimezone(UTC)
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _day(value: Any) -> int:
    """1 for Monday to 7 for Sunday."""
    if isinstance(value, str) and value.isdecimal():
        number = int(value)
        if not 1 <= number <= 7:
            raise ValueError("days are numbered from 1 to 7")
        return number
    if isinstance(value, str) and value[:3].lower() in _DAYS and value.isalpha():
        return _DAYS.index(value[:3].lower()) + 1
    return _moment(value).astimezone(UTC).isoweekday()


def _network(value: Any) -> Any:
    return ip_network(str(value), strict=False)


def _within(actual: Any, wanted: str) -> bool:
    """Whether an address, or any of several, lies in a range."""
    network = _read("ip", wanted)
    for text in actual if isinstance(actual, list | tuple) else [actual]:
        try:
            address = ip_address(text)
        except ValueError as error:
            raise RuleError(f'unable to validate value "{text}" as type "ip"') from error
        mapped = getattr(address, "ipv4_mapped", None)
        if address in network or (mapped and mapped in network):
            return True
    return False


_READERS: Mapping[str, Reader] = {
    "date": _moment,
    "day": _day,
    "ip": _network,
    "number": float,
    "string": str,
    "time": _time,
}

"""LDAP search filters as PAPI takes them: parse, match against JSON documents, write out again.

The subset of RFC 4515 that Triton's services use: and, or, not, equality, presence, wildcards, >= and <=.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 32
"""Nesting beyond which a filter is refused; real ones stay below five."""

_ITEM = re.compile(r"([A-Za-z][\w.;-]*)(>=|<=|=)([^()]*)")
_ESCAPE = re.compile(r"\\([0-9A-Fa-f]{2})")


class FilterError(ValueError):
    """A text that is no LDAP filter."""


@dataclass(frozen=True, slots=True)
class And:
    """All parts match; ``(&)`` matches everything."""

    parts: tuple[Filter, ...]

    def matches(self, document: Mapping[str, Any]) -> bool:
        return all(part.matches(document) for part in self.parts)

    def __str__(self) -> str:
        return f"(&{''.join(map(str, self.parts))})"


@dataclass(frozen=True, slots=True)
class Or:
    """Any part matches; ``(|)`` matches nothing."""

    parts: tuple[Filter, ...]

    def matches(self, document: Mapping[str, Any]) -> bool:
        return any(part.matches(document) for part in self.parts)

    def __str__(self) -> str:
        return f"(|{''.join(map(str, self.parts))})"


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter

    def matches(self, document: Mapping[str, Any]) -> bool:
        return not self.part.matches(document)

    def __str__(self) -> str:
        return f"(!{self.part})"


@dataclass(frozen=True, slots=True)
class Match:
    """An attribute against a value with wildcards.

    ``pieces`` are the stretches between the stars: one piece is plain equality, two empty ones are
    presence. An array matches when any of its elements does.
    """

    attribute: str
    pieces: tuple[str, ...]

    def matches(self, document: Mapping[str, Any]) -> bool:
        values = _values(document, self.attribute)
        if len(self.pieces) == 1:
            return self.pieces[0] in map(_text, values)
        pattern = re.compile(".*".join(map(re.escape, self.pieces)), re.DOTALL)
        return any(pattern.fullmatch(_text(value)) for value in values)

    def __str__(self) -> str:
        return f"({self.attribute}={'*'.join(map(_escape, self.pieces))})"


@dataclass(frozen=True, slots=True)
class Compare:
    """``>=`` or ``<=``: by number where both sides are numbers, else by text."""

    attribute: str
    operator: str
    value: str

    def matches(self, document: Mapping[str, Any]) -> bool:
        return any(self._holds(value) for value in _values(document, self.attribute))

    def _holds(self, value: Any) -> bool:
        left: Any = _text(value)
        right: Any = self.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                left, right = value, float(self.value)
            except ValueError:
                return False
        return bool(left >= right if self.operator == ">=" else left <= right)

    def __str__(self) -> str:
        return f"({self.attribute}{self.operator}{_escape(self.value)})"


Filter = And | Or | Not | Match | Compare


def parse(text: str) -> Filter:
    """Read a filter; the outermost parentheses may be missing. Raises FilterError."""
    text = text.strip()
    if not text.startswith("("):
        text = f"({text})"
    found, end = _parse(text, 0, 0)
    if end != len(text):
        raise FilterError(f"unexpected text after the filter: {text[end:]!r}")
    return found


def attribute_filter(attribute: str, value: str) -> Match:
    r"""The filter of one ``attribute=value`` search term: ``*`` is a wildcard, ``\2a`` a star."""
    return Match(attribute, tuple(_unescape(piece) for piece in value.split("*")))


def _parse(text: str, at: int, depth: int) -> tuple[Filter, int]:
    if depth > MAX_DEPTH:
        raise FilterError("filter is nested too deeply")
    if not text.startswith("(", at):
        raise FilterError(f"expected '(' at character {at}")
    kind = text[at + 1 : at + 2]
    if kind in ("&", "|", "!") and kind:
        parts, at = _parse_parts(text, at + 2, depth)
        if kind == "&":
            return And(parts), at
        if kind == "|":
            return Or(parts), at
        if len(parts) != 1:
            raise FilterError("'!' takes exactly one filter")
        return Not(parts[0]), at
    item = _ITEM.match(text, at + 1)
    if item is None or not text.startswith(")", item.end()):
        raise FilterError(f"expected 'attribute=value)' at character {at + 1}")
    attribute, operator, value = item.groups()
    if operator == "=":
        return attribute_filter(attribute, value), item.end() + 1
    return Compare(attribute, operator, _unescape(value)), item.end() + 1


def _parse_parts(text: str, at: int, depth: int) -> tuple[tuple[Filter, ...], int]:
    parts = []
    while text.startswith("(", at):
        part, at = _parse(text, at, depth + 1)
        parts.append(part)
    if not text.startswith(")", at):
        raise FilterError(f"expected ')' at character {at}")
    return tuple(parts), at + 1


def _values(document: Mapping[str, Any], attribute: str) -> list[Any]:
    value = document.get(attribute)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _escape(value: str) -> str:
    return "".join(f"\\{ord(char):02x}" if char in "\\*()\0" else char for char in value)


def _unescape(value: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), value)

"""VMAPI's JSON predicates: ``{"and": [{"eq": ["docker", true]}, {"ne": ["state", "failed"]}]}``.

One key per object. ``eq ne lt le gt ge`` take ``[field, constant]``; ``and or`` take at least two predicates.
A constant of ``eq`` on ``uuid`` that ends in ``*`` matches by prefix: short ids are resolved that way.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 32
"""Nesting beyond which a predicate is refused; real ones stay below five."""

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


class PredicateError(ValueError):
    """A text that is no predicate; the message says why."""


@dataclass(frozen=True, slots=True)
class Compare:
    """One field against one constant; a field that is absent only ever satisfies ``ne``."""

    op: str
    field: str
    constant: Any

    def matches(self, document: Mapping[str, Any]) -> bool:
        value = document.get(self.field)
        if self.op in {"eq", "ne"}:
            return self._equals(value) is (self.op == "eq")
        if value is None or isinstance(value, bool):
            return False
        try:
            return _ORDER[self.op](value, _like(value, self.constant))
        except (TypeError, ValueError):
            return False

    @property
    def prefix(self) -> str | None:
        """What the field must begin with, when this is a prefix match."""
        if self.op == "eq" and self.field == "uuid" and isinstance(self.constant, str) and self.constant[-1:] == "*":
            return self.constant[:-1]
        return None

    def _equals(self, value: Any) -> bool:
        prefix = self.prefix
        if prefix is not None:
            return isinstance(value, str) and value.startswith(prefix)
        try:
            return value is not None and bool(value == _like(value, self.constant))
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Every:
    parts: tuple[Predicate, ...]

    def matches(self, document: Mapping[str, Any]) -> bool:
        return all(part.matches(document) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    parts: tuple[Predicate, ...]

    def matches(self, document: Mapping[str, Any]) -> bool:
        return any(part.matches(document) for part in self.parts)


Predicate = Compare | Every | Some


def _like(value: Any, constant: Any) -> Any:
    """Bring a constant to the type of the value: query strings carry numbers and booleans as text."""
    if isinstance(value, bool):
        return constant if isinstance(constant, bool) else str(constant) == "true"
    if isinstance(value, (int, float)) and isinstance(constant, str):
        return float(constant)
    if isinstance(value, str) and isinstance(constant, (int, float)) and not isinstance(constant, bool):
        return str(constant)
    return constant


def parse(text: str) -> Predicate:
    """Read a predicate from its JSON text. Raises PredicateError."""
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PredicateError("Could not parse JSON predicate") from error
    return build(decoded)


def build(decoded: Any, depth: int = 0) -> Predicate:
    """Make a predicate of decoded JSON. Raises PredicateError."""
    if depth > MAX_DEPTH:
        raise PredicateError("predicate is nested too deeply")
    if not isinstance(decoded, dict) or len(decoded) != 1:
        raise PredicateError("a predicate is an object with exactly one key")
    ((op, operands),) = decoded.items()
    if not isinstance(operands, list):
        raise PredicateError(f"{op}: operands must be an array")
    if op in {"and", "or"}:
        if len(operands) < 2:
            raise PredicateError(f"{op}: at least two predicates are needed")
        parts = tuple(build(part, depth + 1) for part in operands)
        return Every(parts) if op == "and" else Some(parts)
    if op not in {"eq", "ne", *_ORDER}:
        raise PredicateError(f"unknown operator: {op}")
    if len(operands) != 2 or not isinstance(operands[0], str):
        raise PredicateError(f"{op}: operands must be a field name and a constant")
    if isinstance(operands[1], (dict, list)) or operands[1] is None:
        raise PredicateError(f"{op}: the constant must be a string, a number or a boolean")
    return Compare(op, operands[0], operands[1])


def fields(predicate: Predicate) -> set[str]:
    """The names of all fields a predicate looks at."""
    if isinstance(predicate, Compare):
        return {predicate.field}
    return set().union(*(fields(part) for part in predicate.parts))

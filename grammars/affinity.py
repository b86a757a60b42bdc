"""Affinity expressions: where a container should run, relative to others.

``container==web*``, ``role!=~database``, ``name==/^shard-[ab]$/``: a key, ``==`` or ``!=``, an optional ``~`` that
makes it a wish instead of a demand, and a value that is a plain word, a glob or a regular expression. The key
``container`` is about names and ids; any other key is about labels. Facts: the affinity filters of Docker Swarm
(standalone) as Triton took them over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

OPERATORS = ("==", "!=")

_KEY = re.compile(r"[a-z_][a-z0-9\-_.]+", re.IGNORECASE | re.ASCII)
_VALUE = re.compile(r"[-a-z0-9:_\s.*/()?+\[\]\\^$|]+", re.IGNORECASE | re.ASCII)


class AffinityError(ValueError):
    """Not an affinity expression; the message says which part is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affinity:
    """One expression. ``value`` of a regular expression keeps its slashes."""

    key: str
    operator: Literal["==", "!="]
    value: str
    soft: bool = False

    @property
    def value_type(self) -> Literal["exact", "glob", "re"]:
        if len(self.value) >= 3 and self.value.startswith("/") and self.value.endswith("/"):
            return "re"
        return "glob" if "*" in self.value else "exact"

    def payload(self) -> dict[str, str | bool]:
        """The form VMAPI takes in ``affinity``."""
        return {
            "key": self.key,
            "operator": self.operator,
            "value": self.value,
            "valueType": self.value_type,
            "isSoft": self.soft,
        }

    def __str__(self) -> str:
        return f"{self.key}{self.operator}{'~' if self.soft else ''}{self.value}"


def parse(expression: str) -> Affinity:
    """Read one expression. Raises AffinityError.

    The first ``==`` is the operator wherever it stands; only without one is ``!=`` looked for.
    """
    for operator in OPERATORS:
        key, found, value = expression.partition(operator)
        if found:
            break
    else:
        raise AffinityError(
            f'could not find operator in filter expression: expected one of {", ".join(OPERATORS)}: "{expression}"'
        )
    if not _KEY.fullmatch(key):
        raise AffinityError(f'invalid key in filter expression: "{key}": "{expression}"')
    soft = value.startswith("~")
    value = value[1:] if soft else value
    if not _VALUE.fullmatch(value):
        raise AffinityError(f'invalid value in filter expression: "{value}": "{expression}"')
    return Affinity(key=key, operator="==" if operator == "==" else "!=", value=value, soft=soft)

"""Evaluate affinity rules: which servers the account's own VMs allow a new one to go to.

A rule is ``{key, operator, value, valueType, isSoft}``. The key ``container`` (or ``instance``) names VMs by
alias, uuid, docker id or a prefix of it; any other key names a docker label or a plain tag.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Doc = dict[str, Any]

NAME_KEYS = frozenset({"container", "instance"})
MIN_SHORT_ID = 12
MAX_REPEATS = 3
"""Repetitions that a regular expression may have: a tenant's pattern must not keep the data center busy."""
_REPEAT = re.compile(r"[*+{]")
_REPEATED_GROUP = re.compile(r"\)[*+{]")


class AffinityError(ValueError):
    """A hard rule that nothing can satisfy; the message is the sentence for the caller."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule against the servers of the VMs it names."""

    key: str
    operator: str
    value: str
    value_type: str
    soft: bool

    @classmethod
    def read(cls, payload: Any) -> Rule:
        """Take a rule in the form of a provisioning payload. Raises ValueError."""
        payload = payload if isinstance(payload, dict) else {}
        key, operator, value = payload.get("key"), payload.get("operator"), payload.get("value")
        if (
            not isinstance(key, str)
            or not key
            or operator not in {"==", "!="}
            or not isinstance(value, (str, bool, int))
        ):
            raise ValueError("an affinity rule needs key, operator (== or !=) and value")
        kind = payload.get("valueType", "exact")
        if kind not in {"exact", "glob", "re"}:
            raise ValueError(f"unknown valueType: {kind}")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        rule = cls(key, operator, text, kind, payload.get("isSoft") is True)
        rule.matcher()
        return rule

    def __str__(self) -> str:
        return f"{self.key}{self.operator}{'~' if self.soft else ''}{self.value}"

    @property
    def near(self) -> bool:
        return self.operator == "=="

    def matcher(self) -> Callable[[str], bool]:
        """A test for one text. Raises ValueError when the value is no regular expression."""
        if self.value_type == "glob":
            pattern = re.compile(fnmatch.translate(self.value))
            return lambda text: pattern.match(text) is not None
        if self.value_type == "re":
            if _is_costly(self.value):
                raise ValueError(f"regular expression is too costly: {self.value}")
            try:
                pattern = re.compile(self.value.removeprefix("/").removesuffix("/"))
            except re.error as error:
                raise ValueError(f"invalid regular expression: {self.value}") from error
            return lambda text: pattern.search(text) is not None
        return lambda text: text == self.value

    def names(self, vm: Doc, test: Callable[[str], bool]) -> bool:
        """Whether the rule, whose matcher is ``test``, names this VM."""
        if self.key in NAME_KEYS:
            docker_id = str((vm.get("internal_metadata") or {}).get("docker:id") or vm["uuid"].replace("-", ""))
            if any(test(name) for name in (vm.get("alias") or "", vm["uuid"], docker_id, docker_id[:12])):
                return True
            exact = self.value_type == "exact" and len(self.value) >= MIN_SHORT_ID
            return exact and docker_id.startswith(self.value.lower())
        tags = vm.get("tags") or {}
        value = tags.get(f"docker:label:{self.key}", tags.get(self.key))
        if value is None:
            return False
        return test(str(value).lower() if isinstance(value, bool) else str(value))

    def nothing_found(self) -> str:
        """What to say when a hard ``==`` names no VM."""
        what = f'"{self.value}"' if self.key in NAME_KEYS else f'tag "{self.key}={self.value}"'
        return f'no active containers found matching {what} for affinity "{self}"'

    def servers(self, vms: Iterable[Doc]) -> set[str]:
        """The servers of the VMs that the rule names."""
        test = self.matcher()
        return {vm["server_uuid"] for vm in vms if vm.get("server_uuid") and self.names(vm, test)}


def _is_costly(pattern: str) -> bool:
    """Whether matching may take time beyond all measure: repetitions of repetitions, or many in a row."""
    return _REPEATED_GROUP.search(pattern) is not None or len(_REPEAT.findall(pattern)) > MAX_REPEATS


def hard(rules: list[Rule], vms: list[Doc], candidates: set[str]) -> set[str]:
    """The candidates that every hard rule allows. Raises AffinityError when a rule names nothing to be near to."""
    for rule in rules:
        if rule.soft:
            continue
        servers = rule.servers(vms)
        if rule.near and not servers:
            raise AffinityError(rule.nothing_found())
        candidates = candidates & servers if rule.near else candidates - servers
    return candidates


def preference(rules: list[Rule], vms: list[Doc]) -> Callable[[str], int]:
    """Score a server by the soft rules it keeps. Beside hard rules soft ones are ignored, as Triton does."""
    soft = [] if any(not rule.soft for rule in rules) else rules
    sided = [(rule.near, rule.servers(vms)) for rule in soft]
    return lambda server: sum((server in servers) is near for near, servers in sided)

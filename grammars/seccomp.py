"""Seccomp profiles in Docker's notation (JSON): read, and checked for what a shared node can carry out.

A profile never gives a container more than the node's own: it is intersected with that. What cannot be intersected
faithfully is an error here, so that both sides refuse the same.
Facts: the OCI runtime specification, ``linux.seccomp``; Docker's profile format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PERMISSIVE = frozenset({"SCMP_ACT_ALLOW", "SCMP_ACT_LOG"})
RESTRICTIVE = frozenset({
    "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
})  # fmt: skip
OPERATORS = frozenset(f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"))
NEW_NAMESPACES = 0x7E020000
"""clone(2)'s CLONE_NEW* flags."""
PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)
AF_VSOCK = 40
FIRST_ARGUMENT: Mapping[str, frozenset[tuple[str, int, int]]] = {
    "clone": frozenset({("SCMP_CMP_MASKED_EQ", NEW_NAMESPACES, 0)}),
    "socket": frozenset({("SCMP_CMP_NE", AF_VSOCK, 0)}),
    "personality": frozenset(("SCMP_CMP_EQ", value, 0) for value in PERSONALITIES),
}
"""System calls that nodes allow by their first argument: operator, value and second value."""
MOST_RULES = 2000


class ProfileError(ValueError):
    """A profile that is none, or that cannot be carried out; the message says why."""


@dataclass(frozen=True, slots=True)
class Condition:
    index: int
    value: int
    value_two: int
    operator: str

    @property
    def first(self) -> tuple[str, int, int]:
        return (self.operator, self.value, self.value_two)


@dataclass(frozen=True, slots=True)
class Rule:
    names: tuple[str, ...]
    action: str
    errno: int | None
    conditions: tuple[Condition, ...]
    includes: Mapping[str, Any]
    excludes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Profile:
    default_action: str
    default_errno: int | None
    rules: tuple[Rule, ...]

    @property
    def allows_by_default(self) -> bool:
        return self.default_action in PERMISSIVE


def parse(text: str) -> Profile:
    """Read a profile. Raises ProfileError."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProfileError("it is no JSON") from error
    if not isinstance(raw, dict):
        raise ProfileError("it is no JSON object")
    if raw.get("listenerPath"):
        raise ProfileError("listenerPath is not possible here")
    default = raw.get("defaultAction")
    _check_action(default)
    entries = raw.get("syscalls") or []
    if not isinstance(entries, list) or len(entries) > MOST_RULES:
        raise ProfileError(f"syscalls is not a list of up to {MOST_RULES} rules")
    profile = Profile(str(default), _errno(raw.get("defaultErrnoRet")), tuple(_rule(entry) for entry in entries))
    for rule in profile.rules:
        _check_rule(profile, rule)
    return profile


def _check_action(action: object) -> None:
    if not isinstance(action, str) or action not in PERMISSIVE | RESTRICTIVE:
        raise ProfileError(f"the action {action} is unknown or not possible here")


def _errno(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 4096:
        raise ProfileError(f"errnoRet {value} is no error number")
    return value


def _rule(entry: object) -> Rule:
    if not isinstance(entry, dict):
        raise ProfileError("a rule is no JSON object")
    named = entry.get("names") or ([entry["name"]] if entry.get("name") else [])
    if not isinstance(named, list) or not named or not all(isinstance(n, str) and 0 < len(n) < 64 for n in named):
        raise ProfileError("a rule names no system calls")
    _check_action(entry.get("action"))
    args = entry.get("args") or []
    parts = [entry.get(key) or {} for key in ("includes", "excludes")]
    if not isinstance(args, list) or not all(isinstance(part, dict) for part in parts):
        raise ProfileError("args is no list, or includes and excludes are no objects")
    for part in parts:
        words = [part.get(key) or [] for key in ("arches", "caps")]
        if not all(isinstance(word, list) and all(isinstance(each, str) for each in word) for word in words):
            raise ProfileError("arches and caps are no lists of names")
    conditions = tuple(_condition(item) for item in args)
    return Rule(tuple(named), entry["action"], _errno(entry.get("errnoRet")), conditions, parts[0], parts[1])


def _condition(item: object) -> Condition:
    if not isinstance(item, dict) or str(item.get("op")) not in OPERATORS:
        raise ProfileError("an argument has no operator")
    numbers = [item.get(key) or 0 for key in ("index", "value", "valueTwo")]
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 64 for n in numbers) or numbers[0] > 5:
        raise ProfileError("an argument's index and values are no numbers")
    return Condition(numbers[0], numbers[1], numbers[2], item["op"])


def _check_rule(profile: Profile, rule: Rule) -> None:
    if rule.action in RESTRICTIVE:
        if profile.allows_by_default and rule.conditions:
            raise ProfileError(
                f"{rule.names[0]} is denied by its arguments: "
                "a profile that allows by default may only deny whole calls"
            )
        return
    for name in rule.names:
        known = FIRST_ARGUMENT.get(name)
        if known is None:
            continue
        for condition in rule.conditions:
            if condition.index == 0 and condition.first not in known:
                raise ProfileError(f"{name} is allowed by a first argument other than in Docker's own profile")


def applies(rule: Rule, *, architecture: str, capabilities: frozenset[str]) -> bool:
    """Whether a rule holds for a container: ``architecture`` is Docker's word (amd64), capabilities have CAP_."""
    for part, wanted in ((rule.includes, True), (rule.excludes, False)):
        arches, caps = part.get("arches") or (), set(part.get("caps") or ())
        if wanted and ((arches and architecture not in arches) or not caps <= capabilities):
            return False
        if not wanted and (architecture in arches or caps & capabilities):
            return False
    return True

"""The system calls a container may make: an allow-list as OCI ``linux.seccomp``, like Docker's default profile.

What is not on the list fails with EPERM, so that programs see it as a missing right: mounts, kernel modules,
keyrings, BPF, perf, io_uring, other namespaces, clocks, swap, reboot.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from grammars.seccomp import AF_VSOCK, NEW_NAMESPACES, PERMISSIVE, PERSONALITIES, Profile, Rule, applies

Json = dict[str, Any]

EPERM, ENOSYS = 1, 38
DOCKER_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}


class _Lists(msgspec.Struct):
    always: list[str]
    by_machine: dict[str, list[str]]
    by_capability: dict[str, list[str]]


@cache
def _lists() -> _Lists:
    data = files(__package__).joinpath("seccomp.json").read_bytes()
    return msgspec.json.decode(data, type=_Lists)


def profile(capabilities: Iterable[str]) -> Json:
    """OCI ``linux.seccomp`` for a container with these capabilities (``CAP_`` names)."""
    return _profile(tuple(sorted(capabilities)), platform.machine())


@cache
def _profile(capabilities: tuple[str, ...], machine: str) -> Json:
    lists = _lists()
    names = lists.always + lists.by_machine.get(machine, [])
    for capability in capabilities:
        names = names + lists.by_capability.get(capability, [])
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "architectures": ARCHITECTURES.get(machine, []),
        "syscalls": [
            {"names": names, "action": "SCMP_ACT_ALLOW"},
            _when("clone", 0, NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ"),
            # its flags are behind a pointer no filter can read; libc falls back to clone
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},
            _when("socket", 0, AF_VSOCK, "SCMP_CMP_NE"),
            *(_when("personality", 0, value, "SCMP_CMP_EQ") for value in PERSONALITIES),
        ],
    }


def _when(name: str, index: int, value: int, comparison: str) -> Json:
    argument: Json = {"index": index, "value": value, "op": comparison}
    if comparison == "SCMP_CMP_MASKED_EQ":
        argument["valueTwo"] = 0
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument]}


def narrowed(asked: Profile, capabilities: Iterable[str]) -> Json:
    """OCI ``linux.seccomp`` for a container that asked for less: both its profile and the node's own hold.

    What the node allows by arguments alone stays so; ``grammars.seccomp`` refuses profiles for which that is not
    the intersection.
    """
    capabilities = frozenset(capabilities)
    ours = profile(capabilities)
    architecture = DOCKER_MACHINES.get(platform.machine(), platform.machine())
    rules = [rule for rule in asked.rules if applies(rule, architecture=architecture, capabilities=capabilities)]
    if asked.allows_by_default:
        return {**ours, "syscalls": _without_denied(ours["syscalls"], rules, asked.default_action)}
    result = {**ours, "defaultAction": asked.default_action, "syscalls": _only_allowed(ours["syscalls"], rules)}
    result.pop("defaultErrnoRet")
    if asked.default_action == "SCMP_ACT_ERRNO":
        result["defaultErrnoRet"] = asked.default_errno or EPERM
    return result


def _without_denied(ours: list[Json], rules: list[Rule], default: str) -> list[Json]:
    """The node's rules less the calls that are denied, which get an action of their own."""
    denied = {name: rule for rule in rules if rule.action not in PERMISSIVE for name in rule.names}
    kept = []
    for entry in ours:
        names = [name for name in entry["names"] if name not in denied]
        action = default if entry["action"] == "SCMP_ACT_ALLOW" else entry["action"]
        if names:
            kept.append({**entry, "names": names, "action": action})
    return kept + [_action(rule, [name]) for name, rule in denied.items()]


def _only_allowed(ours: list[Json], rules: list[Rule]) -> list[Json]:
    """The rules that are asked for, as far as the node allows the same; what they deny they may deny."""
    plain = {
        name for entry in ours if entry["action"] == "SCMP_ACT_ALLOW" and "args" not in entry for name in entry["names"]
    }
    bound: dict[str, list[Json]] = {}
    for entry in ours:
        if "args" in entry:
            bound.setdefault(entry["names"][0], []).extend(entry["args"])
    kept = []
    for rule in rules:
        if rule.action not in PERMISSIVE:
            kept.append({**_action(rule, list(rule.names)), **_conditions(rule)})
            continue
        names = [name for name in rule.names if name in plain]
        if names:
            kept.append({**_action(rule, names), **_conditions(rule)})
        for name in sorted(set(rule.names) & bound.keys()):
            first = any(condition.index == 0 for condition in rule.conditions)
            own = _conditions(rule).get("args", [])
            conditions = [own] if first else [[argument, *own] for argument in bound[name]]
            kept += [{**_action(rule, [name]), "args": args} for args in conditions]
    return kept


def _action(rule: Rule, names: list[str]) -> Json:
    found: Json = {"names": names, "action": rule.action}
    if rule.action == "SCMP_ACT_ERRNO":
        found["errnoRet"] = rule.errno or EPERM
    return found


def _conditions(rule: Rule) -> Json:
    args = [
        {"index": each.index, "value": each.value, "op": each.operator}
        | ({"valueTwo": each.value_two} if each.operator == "SCMP_CMP_MASKED_EQ" else {})
        for each in rule.conditions
    ]
    return {"args": args} if args else {}

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

Json = dict[str, Any]

EPERM, ENOSYS = 1, 38
NEW_NAMESPACES = 0x7E020000
"""clone(2)'s CLONE_NEW* flags."""
PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)
AF_VSOCK = 40
"""Sockets to the hypervisor."""
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

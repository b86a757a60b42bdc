"""The kernel's table of mounts: what is mounted where, and what a descriptor is on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PSEUDO = frozenset((
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
    "fusectl", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
))  # fmt: skip
"""File systems that are the kernel's own doors and no files."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mount: its number, where it is, and the kind of its file system."""

    number: int
    at: str
    kind: str


def table() -> list[Mounted]:
    """All mounts of this process's namespace. Facts: proc(5), mountinfo."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, source = line.partition(" - ")
        number, _, _, _, at, *_ = fields.split(" ")
        found.append(Mounted(int(number), _plain(at), source.split(" ", 1)[0]))
    return found


def mount_of(fd: int) -> int:
    """The number of the mount that a descriptor is on."""
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("mnt_id:")).split()[1])


def _plain(path: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), path)

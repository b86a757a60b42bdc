"""Linux capabilities of a container: Docker's default set and what may be added to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from datacenter.node.tasks import TaskError

DEFAULT = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip
ADDABLE = (
    *DEFAULT, "IPC_LOCK", "IPC_OWNER", "LEASE", "LINUX_IMMUTABLE", "NET_ADMIN", "NET_BROADCAST", "SYS_NICE",
    "SYS_PACCT", "SYS_PTRACE", "SYS_RESOURCE", "SYS_TTY_CONFIG",
)  # fmt: skip
HOST_WIDE = (
    "AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "MAC_ADMIN",
    "MAC_OVERRIDE", "PERFMON", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_RAWIO", "SYS_TIME", "WAKE_ALARM",
)  # fmt: skip
"""Capabilities that reach out of the container; the host is shared by tenants, so nobody gets them."""


BY_NUMBER = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
"""The kernel's numbers. Facts: linux/capability.h."""


def own() -> frozenset[str]:
    """What this process may give away: its bounding set."""
    lines = Path("/proc/self/status").read_text().splitlines()
    mask = int(next(line for line in lines if line.startswith("CapBnd:")).split()[1], 16)
    return frozenset(name for number, name in enumerate(BY_NUMBER) if mask >> number & 1)


def effective(
    add: Iterable[str], drop: Iterable[str], *, host_wide: bool = False, ours: frozenset[str] | None = None
) -> list[str]:
    """The capabilities left after Docker's CapAdd and CapDrop, sorted, with ``CAP_``.

    ALL adds everything a container may have and the node has itself (``ours``; None: all). Raises TaskError
    InvalidArgument for an unknown name and NotSupported for one that the node has not, or that reaches out of the
    container, unless this node gives those: ``host_wide``.
    """
    added = {_name(item) for item in add}
    dropped = {_name(item) for item in drop}
    forbidden = [] if host_wide else sorted(added & set(HOST_WIDE))
    if forbidden:
        raise TaskError("NotSupported", f"capability {forbidden[0]} is not given to containers on this node")
    lacking = sorted(added - {"ALL"} - (added if ours is None else ours))
    if lacking:
        raise TaskError("NotSupported", f"this node has not the capability {lacking[0]} itself")
    if "ALL" in added:
        names = {*ADDABLE, *(HOST_WIDE if host_wide else ())} - dropped
    elif "ALL" in dropped:
        names = added
    else:
        names = set(DEFAULT) - dropped | added
    return [f"CAP_{name}" for name in sorted(names if ours is None else names & ours)]


def _name(text: str) -> str:
    name = text.upper().removeprefix("CAP_")
    if name != "ALL" and name not in ADDABLE and name not in HOST_WIDE:
        raise TaskError("InvalidArgument", f'unknown capability: "{text}"')
    return name

"""A container's processes in the words of SmartOS's psinfo."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from datacenter.node import cgroups

TICKS = os.sysconf("SC_CLK_TCK")
_TTY_MAJORS = range(136, 144)


def processes(group: str) -> list[dict[str, Any]]:
    """All processes of a cgroup, numbered as the container sees them; init is 1 and its parent 0."""
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    found = []
    inner: dict[int, int] = {}
    for pid in sorted(cgroups.pids(group)):
        try:
            status = _status(pid)
            inner[pid] = int(status["NSpid"].split()[-1])
            found.append((pid, status, Path(f"/proc/{pid}/stat").read_text(), _arguments(pid)))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return [_info(inner, boot, seen) for seen in found]


def _info(inner: dict[int, int], boot: float, seen: tuple[int, dict[str, str], str, str]) -> dict[str, Any]:
    pid, status, stat, args = seen
    fields = stat.rpartition(")")[2].split()  # field 3 of proc(5) is the first
    started = boot + int(fields[19]) / TICKS
    busy = (int(fields[11]) + int(fields[12])) / TICKS
    elapsed = max(time.time() - started, 0.01)
    name = status["Name"]
    return {
        "pid": inner[pid],
        "psinfo": {
            "pr_pid": inner[pid],
            "pr_ppid": inner.get(int(status["PPid"]), 0),
            "pr_euid": int(status["Uid"].split()[1]),
            "pr_egid": int(status["Gid"].split()[1]),
            "pr_pctcpu": round(min(busy / elapsed * 100, 100.0), 1),
            "pr_start": [int(started), int(started % 1 * 1e9)],
            "pr_time": [int(busy), int(busy % 1 * 1e9)],
            "pr_ttydev": _terminal(int(fields[4])),
            "pr_fname": name,
            "pr_psargs": args or f"[{name}]",
            "pr_nlwp": int(status.get("Threads", "1")),
        },
    }


def _terminal(device: int) -> str:
    """``pts/N``, ``console``, or ``?`` without one."""
    major, minor = device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00
    if major in _TTY_MAJORS:
        return f"pts/{minor}"
    return "console" if device else "?"


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _arguments(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")

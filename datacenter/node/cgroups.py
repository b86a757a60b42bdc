"""Read and clear the containers' cgroups, whichever cgroup version the host has."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
UNIFIED = ROOT / "unified"
KILL_LIMIT = 5.0


def is_v2() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def has_swap_accounting() -> bool:
    if is_v2():
        return True  # memory.swap.max is simply missing on hosts without swap, and runtimes know it
    return (ROOT / "memory" / "memory.memsw.limit_in_bytes").exists()


def features() -> frozenset[str]:
    """Which limits the kernel's cgroups carry out here, by the names of Docker capabilities."""
    return _features_v2() if is_v2() else _features_v1()


def _features_v1() -> frozenset[str]:
    files = {
        "memory-reservation": ("memory", "memory.soft_limit_in_bytes"),
        "memory-swappiness": ("memory", "memory.swappiness"),
        "oom-kill-disable": ("memory", "memory.oom_control"),
        "cpuset-mems": ("cpuset", "cpuset.mems"),
        "blkio-throttle": ("blkio", "blkio.throttle.read_bps_device"),
        "blkio-weight": ("blkio", "blkio.weight"),  # runtimes know no other scheduler's file in this hierarchy
    }
    return frozenset(name for name, (controller, file) in files.items() if (ROOT / controller / file).exists())


def _features_v2() -> frozenset[str]:
    controllers = set((ROOT / "cgroup.controllers").read_text().split())
    names = {"memory": ("memory-reservation",), "cpuset": ("cpuset-mems",), "io": ("blkio-throttle",)}
    found = {name for controller in controllers for name in names.get(controller, ())}
    if any(any(ROOT.glob(pattern)) for pattern in ("*/io.weight", "*/io.bfq.weight")):
        found.add("blkio-weight")
    return frozenset(found)


def folder(group: str, controller: str) -> Path:
    """Where a cgroup's files of one controller are; ``group`` begins with a slash."""
    return Path(f"{ROOT}{group}") if is_v2() else Path(f"{ROOT}/{controller}{group}")


def was_oom_killed(group: str) -> bool:
    """Whether the kernel killed a process of the group for want of memory. False once the group is gone."""
    name = "memory.events" if is_v2() else "memory.oom_control"
    try:
        lines = (folder(group, "memory") / name).read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in lines)


def pids(group: str) -> list[int]:
    """The processes of a group and the groups below it, as the host numbers them."""
    found: list[int] = []
    for file in folder(group, "pids").glob("**/cgroup.procs"):
        try:
            found += [int(line) for line in file.read_text().split()]
        except OSError:
            continue  # the group went while we looked
    return found


def kill_all(group: str) -> None:
    """Kill every process of a group and the groups below it, frozen ones too, and wait a moment for their end."""
    _thaw(group)
    deadline = time.monotonic() + KILL_LIMIT
    while (found := pids(group)) and time.monotonic() < deadline:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def _thaw(group: str) -> None:
    """Let what is frozen in a group and the groups below it go on: in the older hierarchy it could not even die."""
    name, word = ("cgroup.freeze", "0") if is_v2() else ("freezer.state", "THAWED")
    for file in folder(group, "freezer").glob(f"**/{name}"):
        try:
            file.write_text(word)
        except OSError:
            continue  # the group went while we looked


def remove_empty(group: str) -> None:
    """Remove a group and those below it, in every hierarchy, as far as they are empty."""
    tops = [ROOT] if is_v2() else [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
    for top in tops:
        base = Path(f"{top}{group}")
        for path in [*sorted(base.glob("**/"), reverse=True), base]:
            try:
                path.rmdir()
            except OSError:
                continue  # gone, or still in use


def sweep(group: str) -> None:
    """Remove what a runtime wrote for a group where the v2 tree of a hybrid host would be.

    With that out of sight (see ``home``) it is a folder like any other, which nobody else empties.
    """
    shutil.rmtree(f"{UNIFIED}{group}", ignore_errors=True)


def exist(beginning: str) -> bool:
    """Whether any hierarchy has a group whose path begins so."""
    return any(ROOT.glob(f"{beginning[1:]}*")) or any(ROOT.glob(f"*{beginning}*"))


def nudge() -> None:
    """Move this process to the cgroup it is in. Blocks for a kernel's grace period: run it in a thread.

    The first move of any process into a cgroup waits for an RCU grace period, 10 to 20 ms; moves right after it
    don't. Begun while a container is prepared, this takes the wait off the runtime's way.
    """
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, group = line.split(":", 2)
        top = ROOT if number == "0" else ROOT / controllers.split(",")[0]
        try:
            (Path(f"{top}{group}") / "cgroup.procs").write_text(str(os.getpid()))
        except OSError:
            continue  # not mounted there: any other hierarchy will do
        return

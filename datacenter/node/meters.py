"""Read what a container uses, in the words of Docker's stats, whichever cgroup version the host has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datacenter.node import cgroups

Json = dict[str, Any]
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_NET_FIELDS = (
    ("rx_bytes", 0), ("rx_packets", 1), ("rx_errors", 2), ("rx_dropped", 3),
    ("tx_bytes", 8), ("tx_packets", 9), ("tx_errors", 10), ("tx_dropped", 11),
)  # fmt: skip
"""Columns of /proc/net/dev."""
_BLKIO_UNKNOWN = (
    "io_queue_recursive", "io_service_time_recursive", "io_wait_time_recursive", "io_merged_recursive",
    "io_time_recursive", "sectors_recursive",
)  # fmt: skip


def cpu(group: str) -> Json:
    """``cpu_stats``: nanoseconds of the container, and of the whole machine, idle time included."""
    usage = _cpu_v2(cgroups.folder(group, "cpu")) if cgroups.is_v2() else _cpu_v1(group)
    return {**usage, "system_cpu_usage": _system_ns(), "online_cpus": os.cpu_count() or 1}


def _cpu_v2(folder: Path) -> Json:
    stat = _pairs(folder / "cpu.stat")
    return {
        "cpu_usage": {
            "total_usage": stat.get("usage_usec", 0) * 1000,
            "usage_in_kernelmode": stat.get("system_usec", 0) * 1000,
            "usage_in_usermode": stat.get("user_usec", 0) * 1000,
        },
        "throttling_data": {
            "periods": stat.get("nr_periods", 0),
            "throttled_periods": stat.get("nr_throttled", 0),
            "throttled_time": stat.get("throttled_usec", 0) * 1000,
        },
    }


def _cpu_v1(group: str) -> Json:
    account, limits = cgroups.folder(group, "cpuacct"), _pairs(cgroups.folder(group, "cpu") / "cpu.stat")
    modes = _pairs(account / "cpuacct.stat")
    return {
        "cpu_usage": {
            "total_usage": _number(account / "cpuacct.usage"),
            "percpu_usage": [int(word) for word in _text(account / "cpuacct.usage_percpu").split()],
            "usage_in_kernelmode": modes.get("system", 0) * _TICK_NS,
            "usage_in_usermode": modes.get("user", 0) * _TICK_NS,
        },
        "throttling_data": {
            "periods": limits.get("nr_periods", 0),
            "throttled_periods": limits.get("nr_throttled", 0),
            "throttled_time": limits.get("throttled_time", 0),
        },
    }


def _system_ns() -> int:
    """What all processors did since boot: user, nice, system, idle, iowait, irq, softirq, steal."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(word) for word in words[1:9]) * _TICK_NS


def memory(group: str) -> Json:
    """``memory_stats`` in bytes. Without a limit of its own the container has the machine's memory."""
    folder = cgroups.folder(group, "memory")
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found: Json = {"stats": _pairs(folder / "memory.stat")}
    if cgroups.is_v2():
        limit = _text(folder / "memory.max")
        found["usage"] = _number(folder / "memory.current")
        failures = _pairs(folder / "memory.events").get("oom", 0)
    else:
        limit = _text(folder / "memory.limit_in_bytes")
        found["usage"] = _number(folder / "memory.usage_in_bytes")
        found["max_usage"] = _number(folder / "memory.max_usage_in_bytes")
        failures = _number(folder / "memory.failcnt")
    found["limit"] = min(int(limit), machine) if limit.isdecimal() else machine
    return {**found, "failcnt": failures} if failures else found


def pids(group: str) -> Json:
    """``pids_stats``; no ``limit`` where there is none."""
    folder = cgroups.folder(group, "pids")
    limit = _text(folder / "pids.max")
    found = {"current": _number(folder / "pids.current")}
    return {**found, "limit": int(limit)} if limit.isdecimal() else found


def blkio(group: str) -> Json:
    """``blkio_stats``; null is what the kernel does not count."""
    rest: Json = dict.fromkeys(_BLKIO_UNKNOWN)
    if cgroups.is_v2():
        entries = list(_io_v2(cgroups.folder(group, "io") / "io.stat"))
        return {"io_service_bytes_recursive": entries, "io_serviced_recursive": None, **rest}
    folder = cgroups.folder(group, "blkio")
    return {
        "io_service_bytes_recursive": list(_io_v1(folder / "blkio.throttle.io_service_bytes_recursive")),
        "io_serviced_recursive": list(_io_v1(folder / "blkio.throttle.io_serviced_recursive")),
        **rest,
    }


def _io_v1(path: Path) -> Iterator[Json]:
    for line in _text(path).splitlines():
        words = line.split()
        if len(words) == 3:  # the last line is the sum of all devices
            yield _io_entry(words[0], words[1].lower(), int(words[2]))


def _io_v2(path: Path) -> Iterator[Json]:
    for line in _text(path).splitlines():
        device, *words = line.split()
        counts = dict(word.partition("=")[::2] for word in words)
        for name, kind in (("read", "rbytes"), ("write", "wbytes")):
            yield _io_entry(device, name, int(counts.get(kind, 0)))


def _io_entry(device: str, kind: str, value: int) -> Json:
    major, _, minor = device.partition(":")
    return {"major": int(major), "minor": int(minor), "op": kind, "value": value}


def networks(pid: int) -> Json:
    """``networks``: the counters of each interface in a process's network namespace, lo left out."""
    found: Json = {}
    for line in _text(Path(f"/proc/{pid}/net/dev")).splitlines()[2:]:
        name, _, counters = line.partition(":")
        if name.strip() != "lo":
            numbers = counters.split()
            found[name.strip()] = {field: int(numbers[column]) for field, column in _NET_FIELDS}
    return found


def _text(path: Path) -> str:
    """A file's text; "" when the controller is not there, or the container has just ended."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isdecimal() else 0


def _pairs(path: Path) -> dict[str, int]:
    """Lines of ``name number``."""
    words = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdecimal()}

"""Limits: from the package's words (MiB, percent, lwps) or ``docker:linux`` to OCI resources and rlimits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datacenter.node.devices import device_numbers
from datacenter.node.tasks import TaskError

MIB = 1 << 20
PERIOD_US = 100_000
DEFAULT_NOFILE = 1 << 20  # what dockerd gives, clamped to what this process may give

THROTTLES = {
    "BlkioDeviceReadBps": "throttleReadBpsDevice",
    "BlkioDeviceWriteBps": "throttleWriteBpsDevice",
    "BlkioDeviceReadIOps": "throttleReadIOPSDevice",
    "BlkioDeviceWriteIOps": "throttleWriteIOPSDevice",
}
"""Docker's word -> OCI's."""

Json = dict[str, Any]
Limits = Mapping[str, tuple[int, int]]
"""Our own rlimits by Linux name without RLIMIT_, soft and hard; -1 is unlimited."""


def resources(vm: Json, linux: Json, *, swap_accounting: bool) -> Json:
    """OCI ``linux.resources``. Keys of ``docker:linux`` win over the package's.

    Raises TaskError NotSupported for a throttled device that this machine has not.
    """
    found: Json = {"devices": [{"allow": False, "access": "rwm"}], "memory": _memory(vm, linux, swap_accounting)}
    found["blockIO"] = _block_io(linux)
    cpu = _cpu(vm, linux)
    if cpu:
        found["cpu"] = cpu
    pids = linux.get("PidsLimit") or vm.get("max_lwps")
    if pids and pids > 0:
        found["pids"] = {"limit": pids}
    return {key: value for key, value in found.items() if value}


def _memory(vm: Json, linux: Json, swap_accounting: bool) -> Json:
    limit = linux.get("MemoryBytes") or (vm.get("max_physical_memory") or 0) * MIB
    if limit <= 0:
        return {}
    memory: Json = {"limit": limit}
    total = linux.get("MemorySwapBytes") or (vm.get("max_swap") or 0) * MIB
    if swap_accounting and total:
        memory["swap"] = total if total < 0 else max(total, limit)
    if linux.get("MemoryReservation"):
        memory["reservation"] = min(linux["MemoryReservation"], limit)
    if linux.get("MemorySwappiness") is not None:
        memory["swappiness"] = linux["MemorySwappiness"]
    if linux.get("OomKillDisable"):
        memory["disableOOMKiller"] = True
    return memory


def _block_io(linux: Json) -> Json:
    """Weights and throttles; Docker names devices by path, the kernel by number."""
    found: Json = {"weight": linux["BlkioWeight"]} if linux.get("BlkioWeight") else {}
    weights = [_device(item, "weight", item.get("Weight", 0)) for item in linux.get("BlkioWeightDevice") or []]
    if weights:
        found["weightDevice"] = weights
    for name, key in THROTTLES.items():
        rates = [_device(item, "rate", item.get("Rate", 0)) for item in linux.get(name) or []]
        if rates:
            found[key] = rates
    return found


def _device(item: Json, name: str, value: int) -> Json:
    major, minor = device_numbers(str(item.get("Path", "")))
    return {"major": major, "minor": minor, name: value}


def _cpu(vm: Json, linux: Json) -> Json:
    cpu: Json = {}
    if linux.get("CpuQuota", 0) > 0:
        cpu = {"quota": linux["CpuQuota"], "period": linux.get("CpuPeriod") or PERIOD_US}
    elif linux.get("NanoCpus", 0) > 0:
        cpu = {"quota": max(1000, linux["NanoCpus"] * PERIOD_US // 1_000_000_000), "period": PERIOD_US}
    elif vm.get("cpu_cap"):
        cpu = {"quota": int(vm["cpu_cap"] * PERIOD_US / 100), "period": PERIOD_US}
    if linux.get("CpuShares"):
        cpu["shares"] = max(2, linux["CpuShares"])
    if linux.get("CpusetCpus"):
        cpu["cpus"] = linux["CpusetCpus"]
    if linux.get("CpusetMems"):
        cpu["mems"] = linux["CpusetMems"]
    return cpu


def rlimits(linux: Json, ours: Limits) -> list[Json]:
    """OCI ``process.rlimits``: the wanted ones, nofile always, none above our own hard limit.

    Raises TaskError InvalidArgument for an unknown name.
    """
    wanted: dict[str, tuple[int, int]] = {"NOFILE": (DEFAULT_NOFILE, DEFAULT_NOFILE)}
    for item in linux.get("Ulimits") or []:
        name = str(item.get("Name", "")).upper()
        if name not in ours:
            raise TaskError("InvalidArgument", f"invalid ulimit type: {item.get('Name')}")
        wanted[name] = (int(item.get("Soft", 0)), int(item.get("Hard", 0)))
    found = []
    for name, (soft, hard) in wanted.items():
        top = ours[name][1]
        clamped = _lower(hard, top)
        found.append({"type": f"RLIMIT_{name}", "soft": _lower(soft, clamped), "hard": clamped})
    return [{**item, "soft": _unsigned(item["soft"]), "hard": _unsigned(item["hard"])} for item in found]


def _lower(wanted: int, top: int) -> int:
    if top < 0:
        return wanted
    return top if wanted < 0 else min(wanted, top)


def _unsigned(value: Any) -> int:
    return int(value) if value >= 0 else (1 << 64) - 1

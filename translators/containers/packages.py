"""Names of packages, for the label that shows them."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from grammars.sizes import cpu_percent
from sdc.errors import SdcError
from sdc.papi import Papi
from translators.containers.model import HostConfig

Vm = dict[str, Any]
Package = dict[str, Any]
Json = dict[str, Any]

_MIB = 1 << 20

FRESH_SECONDS = 60.0
UNKNOWN = "<unknown>"


class PackageNames:
    """Package names by uuid, a minute old at most. A package that PAPI does not tell is unknown, and no error."""

    def __init__(self, papi: Papi) -> None:
        self._papi = papi
        self._names: dict[str, tuple[float, str]] = {}

    def name(self, uuid: str) -> str:
        read_at, name = self._names.get(uuid, (-FRESH_SECONDS, UNKNOWN))
        if time.monotonic() - read_at < FRESH_SECONDS:
            return name
        try:
            name = str(self._papi.get_package(uuid)["name"])
        except SdcError:
            pass  # a name learnt before is as good as ever
        self._names[uuid] = (time.monotonic(), name)
        return name


@cache
def _names(papi: Papi) -> PackageNames:
    return PackageNames(papi)


def package_name(call: Call, vm: Vm) -> str | None:
    """Return the name of a VM's package; None when it has none.

    SDC: PAPI GET /packages/:uuid
    """
    uuid = vm.get("billing_id")
    return _names(call.services.papi).name(uuid) if uuid else None


def size_warnings(host: HostConfig, package: Package, *, for_cpus: bool = False) -> list[str]:
    """Say what a size became in the package that was chosen; ``for_cpus``: a smaller one has too few CPUs.

    Raises InvalidParameter for more memory or CPUs than the package has: a label may name one that is too small.
    """
    has, name = int(package.get("max_physical_memory") or 0) * _MIB, package["name"]
    if host.Memory > has:
        raise InvalidParameter(f"Memory {_shown(host.Memory)} is more than the package {name} has: {_shown(has)}")
    check_cpus(host, package)
    warnings = []
    if 0 < host.Memory < has:
        warnings.append(f"Memory {_shown(host.Memory)} is rounded up to the package {name}.")
    if for_cpus:
        warnings.append(f"The package {name} was chosen for its {int(package['cpu_cap']) / 100:g} CPUs.")
    if "size" in host.StorageOpt:
        disk = int(package.get("quota") or 0) * _MIB
        warnings.append(f"StorageOpt size={host.StorageOpt['size']} is the disk of the package {name}: {_shown(disk)}.")
    return warnings


def check_cpus(host: HostConfig, package: Package) -> None:
    """Raise InvalidParameter for more CPUs than a package has."""
    asked, has = cpu_percent(host.NanoCpus, host.CpuQuota, host.CpuPeriod), int(package.get("cpu_cap") or 0)
    if has and asked > has:
        raise InvalidParameter(f"{asked / 100:g} CPUs are more than the package {package['name']} has: {has / 100:g}")


def held_to(host: HostConfig, package: Package) -> tuple[Json, list[str]]:
    """Return the limits that are above the package's, as they are carried out, and the warnings.

    Memory, disk and CPUs choose a package. Processes and swap come with it: asking for more means at most that much.
    """
    processes, swap = int(package.get("max_lwps") or 0), int(package.get("max_swap") or 0) * _MIB
    given: Json = {}
    warnings = []
    most = f"the most that the package {package['name']} has."
    if processes and (host.PidsLimit or 0) > processes:
        given["PidsLimit"] = processes
        warnings.append(f"PidsLimit {host.PidsLimit} is carried out as {processes}, {most}")
    if swap and (host.MemorySwap < 0 or host.MemorySwap > swap):
        given["MemorySwap"] = swap
        asked = _shown(host.MemorySwap) if host.MemorySwap > 0 else host.MemorySwap
        warnings.append(f"MemorySwap {asked} is carried out as {_shown(swap)}, {most}")
    return given, warnings


def _shown(size: int) -> str:
    """``65m``: the largest unit of 1024 that leaves no fraction."""
    for unit, factor in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)

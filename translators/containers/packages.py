"""Names of packages, for the label that shows them."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from sdc.errors import SdcError
from sdc.papi import Papi
from translators.containers.model import HostConfig

Vm = dict[str, Any]
Package = dict[str, Any]

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


def size_warnings(host: HostConfig, package: Package) -> list[str]:
    """Say what a size became in the package that was chosen.

    Raises InvalidParameter for more memory than the package has: a label may name a package that is too small.
    """
    has, name = int(package.get("max_physical_memory") or 0) * _MIB, package["name"]
    if host.Memory > has:
        raise InvalidParameter(f"Memory {_shown(host.Memory)} is more than the package {name} has: {_shown(has)}")
    warnings = []
    if 0 < host.Memory < has:
        warnings.append(f"Memory {_shown(host.Memory)} is rounded up to the package {name}.")
    if "size" in host.StorageOpt:
        disk = int(package.get("quota") or 0) * _MIB
        warnings.append(f"StorageOpt size={host.StorageOpt['size']} is the disk of the package {name}: {_shown(disk)}.")
    return warnings


def _shown(size: int) -> str:
    """``65m``: the largest unit of 1024 that leaves no fraction."""
    for unit, factor in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)

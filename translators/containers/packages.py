"""Names of packages, for the label that shows them."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from gateway.call import Call
from sdc.errors import SdcError
from sdc.papi import Papi

Vm = dict[str, Any]

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

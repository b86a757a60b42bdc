"""What the data center's compute nodes can do beyond a plain Triton node, as they advertise it themselves.

A node lists its capabilities in its sysinfo; a stock node lists none. What nobody advertises is not used.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from gateway.call import Call
from sdc.cnapi import CAPABILITIES_KEY, ULIMITS_KEY, Cnapi
from sdc.errors import SdcUnavailable

FRESH_SECONDS = 10.0


class Catalogue:
    """The capabilities of every server, read at most once in ten seconds.

    When CNAPI cannot be reached the last answer is used: capabilities change with the nodes' software alone.
    """

    def __init__(self, cnapi: Cnapi) -> None:
        self._cnapi = cnapi
        self._read_at = 0.0
        self._servers: dict[str, frozenset[str]] | None = None
        self._sysinfos: list[dict[str, Any]] = []

    def servers(self) -> dict[str, frozenset[str]]:
        """Return capabilities by server uuid. Raises SdcUnavailable when there is no answer, old or new."""
        if self._servers is None or time.monotonic() - self._read_at > FRESH_SECONDS:
            try:
                found = self._cnapi.list_servers(extras="sysinfo")
            except SdcUnavailable:
                if self._servers is None:
                    raise
            else:
                self._servers = {server["uuid"]: advertised(server) for server in found}
                self._sysinfos = [server.get("sysinfo") or {} for server in found]
            self._read_at = time.monotonic()
        return self._servers or {}

    def most_cpus(self) -> int:
        """How many processors the largest server has; 0 when none tells."""
        self.servers()
        return max((int(found.get("CPU Total Cores") or 0) for found in self._sysinfos), default=0)

    def ulimits(self) -> dict[str, int]:
        """The most that every server gives of each ulimit, by Docker's name; -1 is no limit. {} when none tells."""
        self.servers()
        least: dict[str, int] = {}
        for found in self._sysinfos:
            for name, most in (found.get(ULIMITS_KEY) or {}).items():
                known = least.get(name, -1)
                least[name] = int(most) if known < 0 else known if most < 0 else min(known, int(most))
        return least


@cache
def _catalogue(cnapi: Cnapi) -> Catalogue:
    return Catalogue(cnapi)


def advertised(server: dict[str, Any]) -> frozenset[str]:
    """Read a server object's own list."""
    return frozenset((server.get("sysinfo") or {}).get(CAPABILITIES_KEY) or ())


def capabilities(call: Call, server_uuid: str | None = None) -> frozenset[str]:
    """Return what one server can do, or what some server of the data center can.

    SDC: CNAPI GET /servers?extras=sysinfo
    """
    servers = _catalogue(call.services.cnapi).servers()
    if server_uuid is not None:
        return servers.get(server_uuid, frozenset())
    return frozenset().union(*servers.values())


def catalogue(call: Call) -> Catalogue:
    return _catalogue(call.services.cnapi)

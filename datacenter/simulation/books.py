"""The zones of one simulated node, on disk, and the lives of the programs that do not run in them."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import gevent

from datacenter.clock import epoch, iso
from datacenter.simulation import programs
from datacenter.store import Bucket

Doc = dict[str, Any]
PIDS = itertools.count(1000)


class Books:
    """Zone records by VM uuid: ``{uuid, command, state, pid, boot_timestamp, exit_status, exit_timestamp}``.

    ``ended`` is told of every program that ends by itself. The process may be killed at any moment: programs "run"
    on meanwhile, and those whose time has come have ended when the books are opened again.
    """

    def __init__(self, zones: Bucket, ended: Callable[[Doc], None]) -> None:
        self._zones = zones
        self._ended = ended
        for zone in zones.all():
            if zone["state"] == "running":
                self._watch(zone)

    def all(self) -> list[Doc]:
        return self._zones.all()

    def get(self, uuid: str) -> Doc | None:
        return self._zones.get(uuid)

    def create(self, uuid: str, command: list[str]) -> Doc:
        return self._zones.put(uuid, {"uuid": uuid, "command": command, "state": "stopped"})

    def delete(self, uuid: str) -> None:
        self._zones.delete(uuid)

    def boot(self, zone: Doc, asker: str | None = None) -> Doc:
        """Have a program begin. One that runs is left as it is, and so is one that the same job had begin before."""
        if zone["state"] == "running" or (asker and zone.get("asked_by") == asker):
            return zone
        fresh = {"state": "running", "pid": next(PIDS), "boot_timestamp": iso(), "exit_status": None,
                 "exit_timestamp": None, "asked_by": asker}  # fmt: skip
        begun = self._zones.update(zone["uuid"], **fresh)
        self._watch(begun)
        return begun

    def end(self, zone: Doc, code: int, moment: float | None = None) -> Doc:
        """Have a program end with a code. One that has ended is left as it is."""
        if zone["state"] != "running":
            return zone
        over = {"state": "stopped", "pid": None, "exit_status": code, "exit_timestamp": iso(moment)}
        return self._zones.update(zone["uuid"], **over)

    def _watch(self, zone: Doc) -> None:
        """Have a running program end when its time is up."""
        seconds, code = programs.course(zone["command"])
        if not math.isinf(seconds):
            end = epoch(zone["boot_timestamp"]) + seconds
            gevent.spawn_later(max(end - time.time(), 0), self._run_out, zone, code, end)

    def _run_out(self, zone: Doc, code: int, moment: float) -> None:
        now = self._zones.get(zone["uuid"])
        if now is not None and now["state"] == "running" and now["boot_timestamp"] == zone["boot_timestamp"]:
            self._ended(self.end(now, code, moment))


def fields(zone: Doc) -> Doc:
    """A zone as its node tells of it to VMAPI."""
    running = zone["state"] == "running"
    return {
        "uuid": zone["uuid"],
        "state": zone["state"],
        "zone_state": "running" if running else "installed",
        "pid": zone.get("pid"),
        "boot_timestamp": zone.get("boot_timestamp"),
        "exit_status": zone.get("exit_status"),
        "exit_timestamp": zone.get("exit_timestamp"),
        "zonepath": f"/zones/{zone['uuid']}",
        "zpool": "zones",
        "zfs_filesystem": f"zones/{zone['uuid']}",
    }

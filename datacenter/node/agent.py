"""The compute node: its zones and what acts on them, joined together."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gevent

from datacenter.node import adoption, copy, firewall, machines, snapshots, stats, stdio
from datacenter.node.build import task as build
from datacenter.node.exports import Exports
from datacenter.node.firewall import Firewall
from datacenter.node.home import Home
from datacenter.node.host import find_host
from datacenter.node.layers import Layers
from datacenter.node.lifecycle import Lifecycle, node_fields
from datacenter.node.names.service import Names
from datacenter.node.network import Network
from datacenter.node.news import News
from datacenter.node.outside import Outside
from datacenter.node.runtime import find_runtime
from datacenter.node.sysinfo import sysinfo
from datacenter.node.tasks import Params, Result, Task, TaskError
from datacenter.node.trash import Trash
from datacenter.node.turns import Turns
from datacenter.node.zone import Zone

logger = logging.getLogger(__name__)

TASKS: dict[str, Task] = {
    **machines.TASKS,
    **snapshots.TASKS,
    **stdio.TASKS,
    **copy.TASKS,
    **stats.TASKS,
    **build.TASKS,
    **firewall.TASKS,
}


class Node:
    """One compute node. Everything it knows is on disk; the process may be killed at any moment."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.zones: dict[str, Zone] = {}
        self.runtime = find_runtime(home)
        self.host = find_host(home)
        self.images = Layers(home)
        self.trash = Trash(home.trash)
        self.exports = Exports(home)
        self.outside = Outside(home, self.exports)
        self.names = Names(home, self.zones)
        self.firewall = Firewall(home, self.zones)
        self.network = Network(home, self.zones, self.names, self.firewall)
        self.news = News(home.settings, home.server_uuid(), lambda: sysinfo(home, self.host))
        self.lifecycle = Lifecycle(
            home,
            self.runtime,
            host=self.host,
            images=self.images,
            outside=self.outside,
            net=self.network,
            zones=self.zones,
            report=self._report,
        )
        self.turns = Turns()
        """Held by who makes or removes a VM, which may not be a zone yet."""

    def start(self) -> None:
        """Take up the zones that are there, then begin to tell and to listen."""
        self.network.prepare()
        self.outside.sweep()
        adoption.load_zones(self)
        adoption.adopt(self)
        self.firewall.take_up()
        self.names.adopt([zone for zone in self.zones.values() if zone.running])
        self.network.fill_spare()
        gevent.spawn(self.news.live)
        for zone in self.zones.values():
            self._report(zone, node_fields(zone))
        adoption.take_up_policies(self)

    def clean_up(self) -> None:
        """Remove every container and all that belongs to the node, but its image layers."""
        adoption.load_zones(self)
        adoption.clean_up(self)

    def zone(self, uuid: str) -> Zone:
        """The zone of a VM. Raises TaskError VmNotFound."""
        try:
            return self.zones[uuid]
        except KeyError:
            raise TaskError("VmNotFound", f"VM {uuid} is not on this node") from None

    def run(self, name: str, params: Params) -> Result:
        """Run a task to its end. Raises TaskError; what the node is to blame for is logged."""
        if name == "server_sysinfo":
            return {"sysinfo": sysinfo(self.home, self.host)}
        task = self.exports.task(name, params) or TASKS.get(name)
        if task is None:
            raise TaskError("UnknownTask", f"no such task: {name}")
        try:
            return task(self, params)
        except TaskError as error:
            if error.rest_code == "InternalError":
                logger.exception("%s %s", name, params.get("uuid"))
            raise
        except OSError as error:
            logger.exception("%s %s", name, params.get("uuid"))
            raise TaskError("InternalError", f"{name}: {error}") from error

    def discard(self, folder: Path, trash: Path | None = None) -> None:
        """Take a folder out of sight at once and delete it in the background; ``trash`` as ``Trash`` has it."""
        self.trash.discard(folder, trash)

    def _report(self, zone: Zone, fields: dict[str, Any]) -> None:
        self.news.push(zone.uuid, fields)

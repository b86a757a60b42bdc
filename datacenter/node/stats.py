"""The stats of a container: a document a second on a connection of its own.

SDC: CNAPI POST /servers/:server_uuid/vms/:uuid/docker-stats, which is the task ``docker_stats``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from gevent import socket

from datacenter.node import meters
from datacenter.node.client import rendezvous
from datacenter.node.files.lookup import rfc3339
from datacenter.node.tasks import Params, Result, Task, TaskError
from datacenter.node.zone import Zone

if TYPE_CHECKING:
    from datacenter.node.agent import Node

INTERVAL = 1.0
NEVER = "0001-01-01T00:00:00Z"
NO_CPU = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}


def docker_stats(node: Node, params: Params) -> Result:
    """Answer where to connect for Docker's stats documents, each followed by CR LF.

    ``payload.doStream`` sends one a second until the container ends or the client leaves; else there is one, after
    the second it takes to compare, or at once with ``payload.oneShot``. Raises TaskError VmNotRunning.
    """
    zone = node.zone(params["uuid"])
    if not zone.running:
        raise TaskError("VmNotRunning", f"VM {zone.uuid} is not running")
    payload: dict[str, Any] = params.get("payload") or {}
    sampler = Sampler(zone, f"{node.host.cgroup}/{zone.uuid}")

    def serve(connection: socket.socket) -> None:
        try:
            _send(connection, sampler, stream=bool(payload.get("doStream")), at_once=bool(payload.get("oneShot")))
        except OSError:
            pass  # the client has seen enough

    return {"host": "127.0.0.1", "port": rendezvous(serve)}


def _send(connection: socket.socket, sampler: Sampler, *, stream: bool, at_once: bool) -> None:
    first = sampler.sample()
    if stream or at_once:
        connection.sendall(msgspec.json.encode(first) + b"\r\n")
    if at_once:
        return
    while not sampler.zone.ended.wait(INTERVAL):
        connection.sendall(msgspec.json.encode(sampler.sample()) + b"\r\n")
        if not stream:
            return


class Sampler:
    """Takes samples of one container; each knows the one before."""

    def __init__(self, zone: Zone, group: str) -> None:
        self.zone = zone
        self._group = group
        self._before: tuple[str, dict[str, Any]] = (NEVER, NO_CPU)

    def sample(self) -> dict[str, Any]:
        """One document of Docker's stats, without the container's name."""
        now, cpu = rfc3339(time.time_ns()), meters.cpu(self._group)
        read_before, cpu_before = self._before
        self._before = (now, cpu)
        return {
            "read": now,
            "preread": read_before,
            "pids_stats": meters.pids(self._group),
            "blkio_stats": meters.blkio(self._group),
            "num_procs": 0,
            "storage_stats": {},
            "cpu_stats": cpu,
            "precpu_stats": cpu_before,
            "memory_stats": meters.memory(self._group),
            "networks": meters.networks(self.zone.pid or 0),
        }


TASKS: dict[str, Task] = {"docker_stats": docker_stats}

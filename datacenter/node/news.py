"""Tell VMAPI and CNAPI what happens on the node, in order, until they have heard it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from datacenter.node.service import Service, ServiceError
from datacenter.settings import DcSettings

HEARTBEAT = 5.0
FIRST_RETRY, LAST_RETRY = 0.02, 1.0
GIVEN_UP = frozenset({400, 404, 409, 410, 422})
"""Answers that will not change by asking again: VMAPI has forgotten the VM, or refuses the change."""


class News:
    """Pushes VM changes, one queue and one greenlet per VM while there is something to say.

    ``sysinfo`` is asked for what the node announces of itself.
    """

    def __init__(self, settings: DcSettings, server_uuid: str, sysinfo: Callable[[], dict[str, Any]]) -> None:
        self._settings = settings
        self._server_uuid = server_uuid
        self._sysinfo = sysinfo
        self._queues: dict[str, deque[dict[str, Any]]] = {}
        self._idle: list[Service] = []

    def push(self, uuid: str, fields: dict[str, Any]) -> None:
        """Send changed fields of a VM, after all earlier ones."""
        queue = self._queues.get(uuid)
        if queue is not None:
            queue.append(fields)
            return
        self._queues[uuid] = deque([fields])
        gevent.spawn(self._send, uuid)

    def _send(self, uuid: str) -> None:
        queue = self._queues[uuid]
        service = self._idle.pop() if self._idle else Service(self._settings.url("vmapi"))
        while queue:
            _until_heard(service, "PUT", f"/vms/{uuid}", queue[0])
            queue.popleft()
        del self._queues[uuid]
        self._idle.append(service)

    def push_all(self, fields_of: Mapping[str, dict[str, Any]]) -> None:
        """Tell of many VMs in one message, and return when it was heard."""
        if fields_of:
            _until_heard(Service(self._settings.url("vmapi")), "PUT", "/vms", {"vms": fields_of})

    def live(self) -> None:
        """Announce the node, then send heartbeats. Announce again when CNAPI has forgotten it. Never returns."""
        service = Service(self._settings.url("cnapi"))
        path = f"/servers/{self._server_uuid}"
        while True:
            _until_heard(service, "POST", f"{path}/sysinfo", {"sysinfo": self._sysinfo()})
            while _beat(service, path):
                gevent.sleep(HEARTBEAT)


def _beat(service: Service, path: str) -> bool:
    """Send one heartbeat; False when the node must announce itself."""
    try:
        service.call("POST", f"{path}/events/heartbeat", {})
    except ServiceError as error:
        return error.status != 404
    except OSError:
        return True  # the services are restarting: the next beat will tell
    return True


def _until_heard(service: Service, method: str, path: str, body: dict[str, Any]) -> None:
    pause = FIRST_RETRY
    while True:
        try:
            service.call(method, path, body)
        except ServiceError as error:
            if error.status in GIVEN_UP:
                return
        except OSError:
            pass  # the services are restarting
        else:
            return
        gevent.sleep(pause)
        pause = min(pause * 2, LAST_RETRY)

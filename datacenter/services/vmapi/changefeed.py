"""The change feed: which VMs changed in what, told to every listener at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datacenter.services.vmapi.record import Vm

Doc = dict[str, Any]

RESOURCE = "vm"
BOOTSTRAP_ROUTE = "/vms"
SUB_RESOURCES = (
    "alias",
    "customer_metadata",
    "destroyed",
    "internal_metadata",
    "nics",
    "owner_uuid",
    "server_uuid",
    "state",
    "tags",
)


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who wants to know; ``deliver`` must not wait."""

    instance: str
    service: str
    wanted: frozenset[str]
    deliver: Callable[[Doc], None]
    dismiss: Callable[[], None] = lambda: None
    """Called when another listener of the same instance has taken this one's place."""


class Changefeed:
    """Fan out every change of a VM. Nothing is kept: who connects later lists the VMs first."""

    def __init__(self) -> None:
        self._listeners: dict[str, Listener] = {}

    def subscribe(self, listener: Listener) -> None:
        """Tell a listener from now on. One of the same instance takes the place of the earlier, which is told so."""
        earlier = self._listeners.get(listener.instance)
        self._listeners[listener.instance] = listener
        if earlier is not None:
            earlier.dismiss()

    def unsubscribe(self, listener: Listener) -> None:
        if self._listeners.get(listener.instance) is listener:
            del self._listeners[listener.instance]

    def listeners(self) -> list[Listener]:
        return list(self._listeners.values())

    def vm_changed(self, uuid: str, before: Vm | None, after: Vm | None) -> None:
        """Send one item per listener with all changed sub-resources it asked for."""
        if not self._listeners or after is None:
            return
        old = before or {}
        changed = [field for field in SUB_RESOURCES if old.get(field) != after.get(field)]
        if "state" not in changed and old.get("exit_timestamp") != after.get("exit_timestamp"):
            changed.append("state")  # it ran and ended between two writes: the state went there and back
        if not changed:
            return
        item = {
            "changedResourceId": uuid,
            "published": str(int(time.time() * 1000)),
            "resourceObject": after,
        }
        for listener in self.listeners():
            told = [field for field in changed if field in listener.wanted]
            if told:
                listener.deliver({"changeKind": {"resource": RESOURCE, "subResources": told}, **item})


def resources() -> Doc:
    """What can be listened to, as ``GET /changefeeds`` says it."""
    described = {"resource": RESOURCE, "subResources": list(SUB_RESOURCES), "bootstrapRoute": BOOTSTRAP_ROUTE}
    return {RESOURCE: described}

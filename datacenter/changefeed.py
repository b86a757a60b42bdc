"""Change feeds: what changed in a service's things, told to every listener at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of things: where all of them are listed, and the parts whose changes are told."""

    name: str
    bootstrap_route: str
    sub_resources: tuple[str, ...]

    def described(self) -> Doc:
        """As ``GET /changefeeds`` says it."""
        return {
            "resource": self.name,
            "subResources": list(self.sub_resources),
            "bootstrapRoute": self.bootstrap_route,
        }


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who wants to know of pairs of a resource and a sub-resource; ``deliver`` must not wait."""

    instance: str
    service: str
    wanted: frozenset[tuple[str, str]]
    deliver: Callable[[Doc], None]
    dismiss: Callable[[], None] = lambda: None
    """Called when another listener of the same instance has taken this one's place."""


class Changefeed:
    """Fan out every change. Nothing is kept: who connects later lists the things first."""

    def __init__(self, *resources: Resource) -> None:
        self.resources = {resource.name: resource for resource in resources}
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

    def publish(self, resource: str, changed_id: str, changed: Iterable[str], thing: Doc) -> None:
        """Send one item per listener with all changed sub-resources it asked for."""
        parts = list(changed)
        item = {
            "changedResourceId": changed_id,
            "published": str(int(time.time() * 1000)),
            "resourceObject": thing,
        }
        for listener in self.listeners():
            told = [part for part in parts if (resource, part) in listener.wanted]
            if told:
                listener.deliver({"changeKind": {"resource": resource, "subResources": told}, **item})

"""Being told at once that a client has hung up, for thousands of clients with one watcher."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

import gevent
from gevent.monkey import get_original

_READ = 1
_epoll = get_original("select", "epoll")  # gevent takes it away


class HangUps:
    """The loop watches one epoll descriptor, and that one the connections; what they bring to read is no news to it."""

    def __init__(self) -> None:
        self._epoll = _epoll()
        self._told: dict[int, Callable[[], Any]] = {}
        self._watcher = gevent.get_hub().loop.io(self._epoll.fileno(), _READ)
        self._watcher.start(self._tell)

    def watch(self, descriptor: int, hung_up: Callable[[], Any], *, half: bool) -> None:
        """Have ``hung_up`` called in the loop, once, when the other side is gone: it must not wait for anything.

        With ``half`` a client that ends only its sending side (a FIN) counts as gone.
        """
        self._told[descriptor] = hung_up
        self._epoll.register(descriptor, (select.EPOLLRDHUP if half else 0) | select.EPOLLONESHOT)

    def forget(self, descriptor: int) -> None:
        """Watch no longer; to be called before the descriptor is closed. One that was told of is forgotten already."""
        if self._told.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _tell(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            hung_up = self._told.get(descriptor)
            if hung_up is not None:
                self.forget(descriptor)
                hung_up()

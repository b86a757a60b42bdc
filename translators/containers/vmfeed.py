"""What happens to VMs, as soon as it is known: one changefeed a worker, shared by all who wait.

The feed may be away, late or lossy. So whoever waits looks at the VM itself too: often while the feed is away,
now and then while it is there.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sdc.changefeed import Changefeed
from sdc.errors import SdcError, SdcUnavailable
from sdc.vmapi import Vmapi
from translators.jobs import jobs_of, pauses

Vm = dict[str, Any]

CALM_SECONDS = 5.0
"""Between two looks at a VM while the feed is connected."""
GONE = {"state": "destroyed"}


class Watch:
    """One waiter's view of one VM."""

    def __init__(self, feed: VmFeed, vm_uuid: str) -> None:
        self._feed = feed
        self._vm_uuid = vm_uuid
        self._news: queue.SimpleQueue[Vm | None] = queue.SimpleQueue()

    def tell(self, vm: Vm | None) -> None:
        """Hand over the VM as it now is; None: look yourself."""
        self._news.put(vm)

    def changes(self, *, until: float = math.inf) -> Iterator[Vm]:
        """Yield the VM as it is now, and then whenever it changed or was looked at again.

        Ends at ``until`` (monotonic seconds). A VM that VMAPI does not know any more is yielded as destroyed.
        """
        waiting = pauses()
        yield self._look()
        while (left := until - time.monotonic()) > 0:
            try:
                vm = self._news.get(timeout=min(left, CALM_SECONDS if self._feed.connected else next(waiting)))
            except queue.Empty:
                vm = None
            yield self._look() if vm is None else vm

    def _look(self) -> Vm:
        for pause in pauses():
            try:
                return self._feed.vmapi.get_vm(self._vm_uuid)
            except SdcUnavailable:
                time.sleep(pause)
            except SdcError as error:
                if error.status == 404:
                    return GONE
                raise
        raise AssertionError("unreachable")


class VmFeed:
    """The changefeed of a data center: keeps connecting, tells watches and listeners."""

    def __init__(self, vmapi: Vmapi) -> None:
        self.vmapi = vmapi
        self.connected = False
        self._watches: dict[str, list[Watch]] = {}
        self._listeners: list[Callable[[Vm | None], None]] = []
        self._started = False

    def start(self) -> None:
        """Connect, and keep connected, in the background; later calls do nothing."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name="vmfeed", daemon=True).start()

    def listen(self, listener: Callable[[Vm | None], None]) -> None:
        """Have every change told; None means: connected or lost, something may have been missed.

        Listeners run in the feed's own greenlet and must not block. One that listens already does so once.
        """
        if listener not in self._listeners:
            self._listeners.append(listener)
        self.start()

    @contextmanager
    def watch(self, vm_uuid: str) -> Iterator[Watch]:
        """Follow one VM for as long as the block lasts."""
        self.start()
        watch = Watch(self, vm_uuid)
        self._watches.setdefault(vm_uuid, []).append(watch)
        try:
            yield watch
        finally:
            self._watches[vm_uuid].remove(watch)
            if not self._watches[vm_uuid]:
                del self._watches[vm_uuid]

    def look_again(self, vm_uuid: str) -> None:
        """Have the watches of a VM look at it now."""
        for watch in tuple(self._watches.get(vm_uuid, ())):
            watch.tell(None)

    def _run(self) -> None:
        idle = threading.Event()
        waiting = pauses(first=0.05)
        while True:
            try:
                with Changefeed(self.vmapi.url) as feed:
                    self.connected = True
                    waiting = pauses(first=0.05)
                    self._announce_gap()
                    for item in feed.items():
                        self._dispatch(item)
            except SdcUnavailable:
                self.connected = False
                self._announce_gap()
            idle.wait(next(waiting))

    def _announce_gap(self) -> None:
        """Have everybody look for themselves: something may have happened unheard."""
        for watches in tuple(self._watches.values()):
            for watch in tuple(watches):
                watch.tell(None)
        self._tell_listeners(None)

    def _dispatch(self, item: dict[str, Any]) -> None:
        vm_uuid, vm = item.get("changedResourceId"), item.get("resourceObject")
        if not isinstance(vm_uuid, str) or not isinstance(vm, dict):
            return
        if vm.get("state") != "provisioning":  # its only job has just begun
            jobs_of(self.vmapi).wake(vm_uuid)
        for watch in tuple(self._watches.get(vm_uuid, ())):
            watch.tell(vm)
        self._tell_listeners(vm)

    def _tell_listeners(self, vm: Vm | None) -> None:
        for listener in self._listeners:
            listener(vm)


@cache
def feed_of(vmapi: Vmapi) -> VmFeed:
    """Return the feed of a data center: one per worker and VMAPI client."""
    return VmFeed(vmapi)

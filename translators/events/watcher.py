"""What happens to containers by itself, or by others, as events: heard by the feed, found by listing.

One worker of all on this host does it. The feed is best effort, so whenever something may have been missed, and
now and then anyway, all containers are listed: the journal knows what of it is news.
"""

from __future__ import annotations

import contextlib
import queue
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from gateway.call import Call, Peer
from gateway.operations import by_name
from gateway.settings import TritonSettings
from gateway.state import State
from gateway.versions import CEILING
from sdc import DataCenterClients
from sdc.errors import SdcError
from translators.containers.vmfeed import feed_of
from translators.events.recorder import observe
from translators.events.story import is_code_late
from translators.leadership import lead

Vm = dict[str, Any]

logger = structlog.get_logger("events")

RECONCILE_SECONDS = 60.0
LOST_SECONDS = 3.0
"""Between two listings while the feed is away."""
_ALIVE = {
    "and": [{"eq": ["docker", True]}, {"ne": ["state", "destroyed"]}, {"ne": ["state", "failed"]}],
}


class Watcher:
    """Tells what the feed brings, in a greenlet of its own, as long as it leads."""

    def __init__(self, services: DataCenterClients, state: State, config: TritonSettings, folder: Path) -> None:
        self._vmapi = services.vmapi
        self._state = state
        self._lock_file = folder / "events.lock"
        self._feed = feed_of(services.vmapi)
        self._news: queue.SimpleQueue[Vm | None] = queue.SimpleQueue()
        self._call = Call(
            request_id=str(uuid.uuid4()),
            operation=by_name("event.list"),
            version=CEILING,
            peer=Peer(address="events", transport="internal"),
            services=services,
            state=state,
            config=config,
        )

    def start(self) -> None:
        lead("events", self._lock_file, self._lead)

    def _lead(self) -> None:
        """Listen and reconcile for ever."""
        self._feed.listen(self._news.put)
        listed = self._reconcile_when_due(None)
        while True:
            try:
                vm = self._news.get(timeout=LOST_SECONDS)
            except queue.Empty:
                listed = self._reconcile_when_due(listed)
            else:
                listed = self._reconcile_when_due(None) if vm is None else self._hear(vm, listed)

    def _reconcile_when_due(self, listed: float | None) -> float | None:
        """List unless that was done lately; return when it was, None when it has to be done again soon."""
        pause = RECONCILE_SECONDS if self._feed.connected else LOST_SECONDS
        if listed is not None and time.monotonic() - listed < pause:
            return listed
        with contextlib.suppress(SdcError):  # VMAPI is away: the feed is too, so it is asked again soon
            self.reconcile()
            return time.monotonic()
        return None

    def _hear(self, vm: Vm, listed: float | None) -> float | None:
        if not vm.get("docker"):
            return listed
        try:
            self.observe(vm)
        except SdcError as error:
            logger.warning("could not look at a container again", vm_uuid=vm["uuid"], reason=str(error))
            return None
        return listed

    def observe(self, vm: Vm, *, given_up: bool = False) -> None:
        """Tell what is new about a VM; when it does not say how it ended, its compute node is asked. Raises SdcError.

        SDC: VMAPI GET /vms/:uuid?sync=true
        """
        if vm["state"] == "stopped":
            chapter = self._state.journal.read(vm["uuid"])
            if chapter is not None and is_code_late(chapter, vm):
                vm = self._vmapi.get_vm(vm["uuid"], sync=True)
        observe(self._call, vm, given_up=given_up)

    def reconcile(self) -> None:
        """Tell what went unheard, as far as it can still be seen. Raises SdcError.

        The first time of all there is nothing to tell: what is there was there before the log.

        SDC: VMAPI GET /vms?predicate=
        """
        listed = set()
        for vm in self._vmapi.list_vms(predicate=_ALIVE):
            listed.add(vm["uuid"])
            self.observe(vm, given_up=True)
        for vm_uuid in self._state.journal.alive():
            if vm_uuid not in listed:
                self._observe_missing(vm_uuid)
        if not self._state.journal.begun():
            self._state.journal.begin()

    def _observe_missing(self, vm_uuid: str) -> None:
        try:
            self.observe(self._vmapi.get_vm(vm_uuid))
        except SdcError as error:
            if error.status != 404:
                raise
            self._forget(vm_uuid)

    def _forget(self, vm_uuid: str) -> None:
        """Close the story of a container of which the data center has no trace: nobody could say what it was."""
        logger.warning("a container is gone without a trace", vm_uuid=vm_uuid)
        with self._state.events.writing():
            chapter = self._state.journal.read(vm_uuid)
            if chapter is not None:
                self._state.journal.write(vm_uuid, replace(chapter, gone=True))

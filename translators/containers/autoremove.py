"""``--rm``, kept by the gateway: containers that ended and were to be removed then are removed.

The data center knows no such thing, and a client may be gone by then. One worker of all on this host does it,
whoever holds a lock on a file; the others stand by. It hears of ends by the feed, and lists the stopped
containers whenever something may have been missed.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from pathlib import Path
from typing import Any

import structlog

from gateway.call import Account, Call, Peer
from gateway.errors import DockerError
from gateway.operations import by_name
from gateway.settings import TritonSettings
from gateway.state import State
from gateway.versions import CEILING
from sdc import DataCenterClients
from sdc.errors import SdcError
from translators.containers.removal import destroy, is_due
from translators.containers.vmfeed import feed_of
from translators.leadership import lead

Vm = dict[str, Any]

logger = structlog.get_logger("autoremove")

RECONCILE_SECONDS = 60.0
LOST_SECONDS = 3.0
"""Between two listings while the feed is away."""


class AutoRemove:
    """Removes ended containers, as long as it holds the lock."""

    def __init__(self, services: DataCenterClients, state: State, config: TritonSettings, folder: Path) -> None:
        self._services = services
        self._state = state
        self._config = config
        self._lock_file = folder / "autoremove.lock"
        self._feed = feed_of(services.vmapi)
        self._look_again = threading.Event()
        self._busy: set[str] = set()

    def start(self) -> None:
        lead("autoremove", self._lock_file, self._lead)

    def _lead(self) -> None:
        """Listen and reconcile for ever."""
        self._feed.listen(self._heard)
        while True:
            self._look_again.clear()
            with contextlib.suppress(SdcError):  # VMAPI is away: the feed is too, so it is asked again soon
                self.reconcile()
            self._look_again.wait(RECONCILE_SECONDS if self._feed.connected else LOST_SECONDS)

    def _heard(self, vm: Vm | None) -> None:
        if vm is None:
            self._look_again.set()
        elif is_due(vm):
            self._remove_beside(vm)

    def reconcile(self) -> None:
        """Remove what ended unheard. Raises SdcError.

        SDC: VMAPI GET /vms?predicate=
        """
        stopped = {"and": [{"eq": ["docker", True]}, {"eq": ["state", "stopped"]}]}
        for vm in self._services.vmapi.list_vms(predicate=stopped):
            if is_due(vm):
                self._remove_beside(vm)

    def _remove_beside(self, vm: Vm) -> None:
        if vm["uuid"] not in self._busy:
            self._busy.add(vm["uuid"])
            threading.Thread(target=self._remove, args=(vm,), daemon=True).start()

    def _remove(self, vm: Vm) -> None:
        try:
            if vm.get("exit_status") is None:
                # the code must be in VMAPI before the VM is destroyed: there is somebody waiting for it
                vm = self._services.vmapi.get_vm(vm["uuid"], sync=True)
            if is_due(vm):
                destroy(self._call(vm["owner_uuid"]), vm)
        except (DockerError, SdcError) as error:
            logger.warning("could not remove an ended container", vm_uuid=vm["uuid"], reason=str(error))
        finally:
            self._busy.discard(vm["uuid"])

    def _call(self, owner_uuid: str) -> Call:
        """Make the call that a client would have made."""
        return Call(
            request_id=str(uuid.uuid4()),
            operation=by_name("container.remove"),
            version=CEILING,
            peer=Peer(address="autoremove", transport="internal"),
            method="DELETE",
            account=Account(uuid=owner_uuid, login=""),
            services=self._services,
            state=self._state,
            config=self._config,
        )

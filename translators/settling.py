"""What a worker died over, or could not bring to an end, is settled: brought to nothing, or found to be whole.

One worker of all on this host does it, whoever holds a lock on a file. It touches what this host's own undertakings
name and nothing else, so that other gateways, and sdc-docker, may work on the same data center.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from gateway.call import Account, Call, Peer
from gateway.errors import DockerError
from gateway.operations import by_name
from gateway.settings import TritonSettings
from gateway.state import State
from gateway.state.undertakings import BUILD, CREATE, ENDING, EXEC, LAYER, NETWORK, REMOVE, TURN, Undertaking
from gateway.versions import CEILING
from sdc import DataCenterClients
from sdc.errors import SdcError
from translators.containers import exec_ends
from translators.containers.firewall import remove_rules
from translators.containers.removal import forget
from translators.containers.turns import give_back_all
from translators.images.layers import drop_layer
from translators.leadership import lead
from translators.networks import unfinished

Vm = dict[str, Any]

logger = structlog.get_logger("settling")

LOOK_SECONDS = 2.0
GRACE_SECONDS = 10.0
"""How long a request that a worker sent before it died may still be on its way."""
_GONE = frozenset({"destroyed", "failed"})
_BEING_MADE = frozenset({"provisioning", "incomplete", "configured"})


class Settler:
    """Settles what was left, as long as it holds the lock."""

    def __init__(self, services: DataCenterClients, state: State, config: TritonSettings, folder: Path) -> None:
        self._services = services
        self._state = state
        self._config = config
        self._lock_file = folder / "settling.lock"
        self._broken: set[tuple[str, str]] = set()
        self._settle: dict[str, Callable[[Call, Undertaking], bool]] = {
            CREATE: _settle_vm,
            REMOVE: _settle_vm,
            EXEC: _settle_exec,
            ENDING: _settle_ending,
            LAYER: _settle_layer,
            BUILD: _settle_build,
            TURN: _settle_turn,
            NETWORK: lambda call, one: unfinished.settle(call, one, ripe=_is_ripe(one)),
        }

    def start(self) -> None:
        lead("settling", self._lock_file, self._lead)

    def _lead(self) -> None:
        """Look for ever."""
        idle = threading.Event()
        self._state.presence.bury()
        while True:
            self.look()
            idle.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Settle what can be settled now; what an earlier look broke on comes last, so that it holds up nothing."""
        for one in sorted(self._state.undertakings.left(), key=lambda one: (one.kind, one.subject) in self._broken):
            self._broken.add((one.kind, one.subject))
            try:
                if self._settle[one.kind](self._call(one.owner_uuid), one):
                    self._state.undertakings.settled(one)
            except (SdcError, DockerError) as error:
                logger.warning("not settled yet", kind=one.kind, subject=one.subject, reason=str(error))
            self._broken.discard((one.kind, one.subject))

    def _call(self, owner_uuid: str) -> Call:
        """Make the call that takes back what another call did."""
        return Call(
            request_id=str(uuid.uuid4()),
            operation=by_name("container.remove"),
            version=CEILING,
            peer=Peer(address="settling", transport="internal"),
            account=Account(uuid=owner_uuid, login=""),
            services=self._services,
            state=self._state,
            config=self._config,
        )


def _is_ripe(one: Undertaking) -> bool:
    return time.time() - one.left > GRACE_SECONDS


def _settle_vm(call: Call, one: Undertaking) -> bool:
    """Take away what was made for a VM that is not there; have one that nobody is to have destroyed.

    A container that was being made when its worker died is whole once its VM is: nobody was told that it is not.

    SDC: VMAPI GET /vms/:uuid, DELETE /vms/:uuid, FWAPI GET /rules?vm=, DELETE /rules/:uuid
    """
    vm = _vm(call, one.subject)
    if vm is None or vm["state"] in _GONE:
        remove_rules(call.services.fwapi, one.subject, one.owner_uuid)
        forget(call, one.subject, one.owner_uuid)
        return vm is not None or _is_ripe(one)
    if vm["state"] in _BEING_MADE:
        return False
    if one.unwanted:
        call.services.vmapi.delete_vm(one.subject, one.owner_uuid)
        return False
    call.state.reservations.release(one.subject)
    return one.kind == CREATE or (_is_ripe(one) and not _has_jobs(call, one.subject))


def _settle_build(call: Call, one: Undertaking) -> bool:
    """Have the container of a build destroyed that nobody carries on; its steps stay, for the next build's cache."""
    call.state.builds.end(one.subject)
    return _settle_vm(call, replace(one, unwanted=True))


def _vm(call: Call, vm_uuid: str) -> Vm | None:
    try:
        return call.services.vmapi.get_vm(vm_uuid)
    except SdcError as error:
        if error.status != 404:
            raise
        return None


def _has_jobs(call: Call, vm_uuid: str) -> bool:
    """Whether something is still being done to a VM."""
    return any(job["execution"] in {"queued", "running"} for job in call.services.vmapi.list_vm_jobs(vm_uuid))


def _settle_exec(call: Call, one: Undertaking) -> bool:
    """Look after a process that lost its worker, until it ends.

    SDC: CNAPI docker-exec (capability exec-options)
    """
    session = call.state.exec_sessions.get(one.owner_uuid, one.subject)
    if session is not None and session.running:
        call.state.undertakings.begin(EXEC, session.id, one.owner_uuid)
        exec_ends.follow(call, session)
    return True


def _settle_ending(call: Call, one: Undertaking) -> bool:
    """Take announcements back that nothing will make true any more: the end of a container tells its own."""
    vm_uuid = call.state.journal.announced_of(one.subject)
    if vm_uuid is None:
        return True
    if not _is_ripe(one) or _has_jobs(call, vm_uuid):
        return False
    with call.state.events.writing():
        call.state.journal.take(vm_uuid, token=one.subject)
    return True


def _settle_layer(call: Call, one: Undertaking) -> bool:
    """Drop a layer that was not finished, unless another worker is at the same one.

    SDC: IMGAPI DELETE /images/:uuid
    """
    if not call.state.undertakings.is_under_way(LAYER, one.subject):
        drop_layer(call, one.subject)
    return True


def _settle_turn(call: Call, one: Undertaking) -> bool:
    """Let go of a place in the waitlist for which jobs would wait in vain."""
    give_back_all(call, one.subject)
    return _is_ripe(one)

"""Change a zone's nics, also while its process runs: it sees interfaces come and go."""

from __future__ import annotations

from datacenter.node import nics, rootfs, sharing
from datacenter.node.network import Network
from datacenter.node.tasks import Params, TaskError
from datacenter.node.zone import Zone


def change_nics(net: Network, zone: Zone, params: Params) -> None:
    """Do what ``add_nics``, ``update_nics`` and ``remove_nics`` say; the zone's lock is held.

    On record first, so that an agent which dies in between finds there what its task, sent again, has to finish:
    added nics are then plugged anew. When an interface can't be had, all is as it was before. A stopped zone gets its
    nics with its next boot. Raises TaskError: NotSupported for a zone that is to have no network
    of its own.
    """
    apart = bool(zone.linux.keys() & {"NetworkNone", sharing.OPTION})
    if apart and params.get("add_nics"):
        raise TaskError("NotSupported", f"VM {zone.uuid} was made to have no network of its own")
    before = list(zone.record.get("nics") or [])
    after = nics.changed(before, params)
    anew = {nic["mac"] for nic in params.get("add_nics") or ()}
    _record(zone, after)
    if apart or not zone.running:
        return
    try:
        net.change(zone, before, after, anew=anew)
    except (OSError, TaskError) as error:
        if zone.ended.is_set():
            return  # it ended just now, and its interfaces with it
        _record(zone, before)
        _restore(net, zone, after, before)
        raise TaskError("InternalError", f"network set-up failed: {error}") from error
    rootfs.change_hosts(zone, before, after)


def _record(zone: Zone, wanted: list[nics.Nic]) -> None:
    zone.change_record({**zone.record, "nics": wanted})


def _restore(net: Network, zone: Zone, tried: list[nics.Nic], before: list[nics.Nic]) -> None:
    """Plug in again what was there; what fails here failed for the same reason, which is told."""
    try:
        net.change(zone, tried, before)
    except (OSError, TaskError):
        pass

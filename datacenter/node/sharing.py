"""A zone in another one's network: the same namespace, and the same files about names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datacenter.node import syscalls
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Zone

OPTION = "NetworkContainer"
"""Key of ``docker:linux`` with the other zone's uuid."""
FILES = ("hosts", "resolv.conf", "hostname")


def join(zone: Zone, zones: Mapping[str, Zone], pin: Path) -> Path:
    """Pin the other zone's namespace for a zone that is about to boot; return the pin.

    The namespace stays while either of the two needs it. When the other one boots again it has a new one, and this zone
    keeps the old, as on a Docker host. Raises TaskError NetworkNotShared unless the other one runs, on this node and
    for the same account, and OSError.
    """
    uuid = str(zone.linux[OPTION])
    other = zones.get(uuid)
    short = uuid.replace("-", "")[:12]
    if other is None or other is zone or other.record.get("owner_uuid") != zone.record.get("owner_uuid"):
        raise TaskError("NetworkNotShared", f"cannot join network of container {short}: No such container")
    if other.running and _pin(other, pin):
        _share_files(zone, other)
        return pin
    shown = other.metadata.get("docker:id") or uuid
    raise TaskError("NetworkNotShared", f"cannot join network of a non running container: {shown}")


def _pin(other: Zone, pin: Path) -> bool:
    """Pin a running zone's namespace; False when its process has just ended."""
    own = pin.with_name(other.uuid)
    pid = other.pid
    pin.touch()
    try:
        syscalls.bind(own if own.exists() else Path(f"/proc/{pid}/ns/net"), pin)
    except OSError:
        pin.unlink()
        return False
    if other.running and other.pid == pid:  # that number was still its process, and no later one
        return True
    syscalls.unmount(pin)
    pin.unlink()
    return False


def _share_files(zone: Zone, other: Zone) -> None:
    """Let both write into the same files: what changes in them changes for both."""
    for name in FILES:
        path = zone.bundle / name
        path.unlink(missing_ok=True)
        path.hardlink_to(other.bundle / name)

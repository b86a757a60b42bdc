"""VOLAPI's errors, in its own words."""

from __future__ import annotations

from typing import Any

from datacenter.restify import RestError


class ImageMissing(RestError):
    """Nothing can be made before the storage VMs' image is there; the real service sends no code with it."""

    def __init__(self) -> None:
        super().__init__(500, "InternalError", "nfsserver image not yet imported")

    def body(self) -> dict[str, Any]:
        return {"message": self.message}


class SizeNotAvailable(RestError):
    """A size that no package has; tells those that there are, in MiB."""

    def __init__(self, size: int, available: list[int]) -> None:
        listed = ", ".join(map(str, available))
        message = f"Volume size {size} is not available. Available sizes are: {listed}"
        super().__init__(409, "VolumeSizeNotAvailable", message)
        self.available = available

    def body(self) -> dict[str, Any]:
        return {**super().body(), "availableSizes": self.available}


def volume_not_found(uuid: str) -> RestError:
    return RestError(404, "VolumeNotFound", f"Volume with uuid {uuid} could not be found")


def reservation_not_found(uuid: str) -> RestError:
    message = f"Volume reservation with uuid {uuid} could not be found"
    return RestError(404, "VolumeReservationNotFound", message)


def already_exists(name: str) -> RestError:
    return RestError(409, "VolumeAlreadyExists", f"Volume with name {name} already exists")


def in_use(name: str) -> RestError:
    return RestError(409, "VolumeInUse", f"Volume with name {name} is used")


def invalid_networks(details: dict[str, list[str]]) -> RestError:
    """``details`` maps what is wrong to the networks of which it is."""
    told = ", ".join(f"{problem}: {', '.join(uuids)}" for problem, uuids in details.items())
    return RestError(409, "InvalidNetworks", f"Invalid networks: {told}")


def not_reachable(problems: list[str]) -> RestError:
    """VMAPI's refusal of a VM that shares no network with a volume it mounts."""
    return RestError(409, "VolumesNotReachable", f"Volumes not reachable: {', '.join(problems)}")

"""VOLAPI: the volumes that containers share. Sizes in MiB. Facts: sdc-apis 10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sdc.http import LONG_SECONDS, ServiceClient

Volume = dict[str, Any]
Predicate = Mapping[str, Any]


class Volapi(ServiceClient):
    service = "volapi"
    accept_version = "^1"

    def list_volumes(self, *, predicate: Predicate | None = None, **filters: Any) -> list[Volume]:
        """Volumes by ``owner_uuid``, ``name``, ``state``, ``refs`` ... in every state, failed ones too.

        The list is strict: an unknown filter is 409 ValidationError, as is a field in both query and predicate.
        """
        text = None if predicate is None else msgspec.json.encode(predicate).decode()
        volumes: list[Volume] = self.get("/volumes", query={**filters, "predicate": text})
        return volumes

    def get_volume(self, uuid: str, owner_uuid: str) -> Volume:
        """One volume. 404 VolumeNotFound, also for others' volumes."""
        volume: Volume = self.get(f"/volumes/{uuid}", query={"owner_uuid": owner_uuid})
        return volume

    def create_volume(self, volume: Volume) -> Volume:
        """Ask for a volume; it comes back in state ``creating``: get it until it is ``ready`` or ``failed``.

        409 VolumeAlreadyExists, VolumeSizeNotAvailable, InvalidNetworks, ValidationError.
        """
        made: Volume = self.post("/volumes", body=volume, timeout=LONG_SECONDS)
        return made

    def update_volume(self, uuid: str, owner_uuid: str, *, name: str) -> None:
        """Rename a volume that nobody uses."""
        self.post(f"/volumes/{uuid}", body={"name": name, "owner_uuid": owner_uuid})

    def delete_volume(self, uuid: str, owner_uuid: str) -> None:
        """Ask for a volume's end: it is ``deleting`` until it is not found. 409 VolumeInUse while VMs mount it."""
        self.delete(f"/volumes/{uuid}", query={"owner_uuid": owner_uuid})

    def list_volume_sizes(self) -> list[int]:
        """The sizes that volumes come in, the smallest first."""
        return [int(item["size"]) for item in self.get("/volumesizes", query={"type": "tritonnfs"})]

    def get_volume_references(self, uuid: str) -> list[str]:
        """The VMs that mount a volume."""
        return list(self.get(f"/volumes/{uuid}/references"))

    def ping(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.get("/ping")
        return answer

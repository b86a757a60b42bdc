"""Reservations: that a VM which is being made will use a volume, which need not exist yet."""

from __future__ import annotations

import uuid
from typing import Any

from datacenter.clock import iso
from datacenter.services.volapi import errors
from datacenter.store import Store

Doc = dict[str, Any]


class Reservations:
    """The table of reservations. A volume's uses are counted elsewhere: this only says why they are."""

    def __init__(self, store: Store) -> None:
        self._docs = store.bucket("volume_reservations")

    def all(self) -> list[Doc]:
        return self._docs.all()

    def get(self, reservation_uuid: str) -> Doc:
        """One reservation. Raises VolumeReservationNotFound."""
        found = self._docs.get(reservation_uuid)
        if found is None:
            raise errors.reservation_not_found(reservation_uuid)
        return found

    def add(self, owner_uuid: str, volume_name: str, vm_uuid: str, job_uuid: str) -> Doc:
        """Reserve a volume for a VM; an earlier reservation of the same by the same gives way."""
        for earlier in self._docs.find(owner_uuid=owner_uuid, volume_name=volume_name, vm_uuid=vm_uuid):
            self._docs.delete(earlier["uuid"])
        reservation = {
            "uuid": str(uuid.uuid4()),
            "volume_name": volume_name,
            "owner_uuid": owner_uuid,
            "vm_uuid": vm_uuid,
            "job_uuid": job_uuid,
            "create_timestamp": iso(),
        }
        return self._docs.put(reservation["uuid"], reservation)

    def remove(self, reservation_uuid: str) -> None:
        self._docs.delete(reservation_uuid)

    def remove_of(self, vm_uuid: str, volume_name: str | None = None) -> None:
        """Remove a VM's reservations, all of them or those of one volume."""
        for held in self._docs.find(vm_uuid=vm_uuid):
            if volume_name in (None, held["volume_name"]):
                self._docs.delete(held["uuid"])

    def holders(self, owner_uuid: str, volume_name: str) -> list[str]:
        """The VMs that wait for a volume of this name."""
        return [held["vm_uuid"] for held in self._docs.find(owner_uuid=owner_uuid, volume_name=volume_name)]

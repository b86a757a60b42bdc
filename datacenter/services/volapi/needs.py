"""What VMs need of volumes, from the request to make one to the VM's end: VMAPI's side of VOLAPI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from datacenter.services.volapi import errors
from datacenter.workflow.failure import TaskError

if TYPE_CHECKING:
    from datacenter.services.volapi.model import Volapi

Doc = dict[str, Any]

GONE = frozenset({"destroyed", "failed"})


class Needs:
    """Holds volumes for VMs, makes those that are missing, and lets go of them."""

    def __init__(self, volapi: Volapi) -> None:
        self._volapi = volapi

    def is_alive(self, vm_uuid: str) -> bool:
        """Whether a VM may still use volumes; one whose reservation is the only trace of it may, too."""
        vm = self._volapi.dc.vmapi.vm(vm_uuid)
        return vm is not None and vm["state"] not in GONE

    def check_reachable(self, owner_uuid: str, names: Iterable[str], networks: list[str]) -> None:
        """A VM and each volume that it mounts must have a network in common. Raises VolumesNotReachable."""
        problems = []
        for name in dict.fromkeys(names):
            volume = self._volapi.named(owner_uuid, name)
            if volume is not None and not set(volume["networks"]) & set(networks):
                problems.append(f"Volume {name} not reachable on networks {', '.join(networks)}")
        if problems:
            raise errors.not_reachable(problems)

    def reserve(self, owner_uuid: str, names: Iterable[str], vm_uuid: str, job_uuid: str) -> None:
        """Keep volumes from being deleted, those too that are still to be made."""
        for name in dict.fromkeys(names):
            self.reserve_one(owner_uuid, name, vm_uuid, job_uuid)

    def reserve_one(self, owner_uuid: str, name: str, vm_uuid: str, job_uuid: str) -> Doc:
        volapi = self._volapi
        with volapi.dc.store.transaction():
            volume = volapi.named(owner_uuid, name)
            if volume is not None:
                volapi.refer(volume["uuid"], vm_uuid)
            return volapi.reservations.add(owner_uuid, name, vm_uuid, job_uuid)

    def cancel(self, reservation: Doc) -> None:
        """Take a reservation back, and with it the use of the volume unless the VM came to be."""
        volapi = self._volapi
        with volapi.dc.store.transaction():
            volapi.reservations.remove(reservation["uuid"])
            volume = volapi.named(reservation["owner_uuid"], reservation["volume_name"])
            if volume is not None and not self.is_alive(reservation["vm_uuid"]):
                volapi.unrefer(volume["uuid"], reservation["vm_uuid"])

    def provide(self, vm: Doc, names: Iterable[str], request_id: str) -> dict[str, Doc]:
        """The volumes a VM mounts, by name; what is missing is made on the VM's fabric networks. Waits for them.

        Raises TaskError or RestError when one can't be had.
        """
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            if self._volapi.named(vm["owner_uuid"], name) is None:
                self._volapi.create(self._creation(vm, name), request_id, made_for=vm["uuid"])
        found = {}
        for name in wanted:
            volume = self._volapi.named(vm["owner_uuid"], name)
            if volume is not None and volume["state"] == "creating":
                self._volapi.jobs.wait(volume["job_uuid"])
                volume = self._volapi.named(vm["owner_uuid"], name)
            if volume is None:
                raise TaskError("VolumeNotFound", f"Volume with name {name} could not be found", 404)
            found[name] = volume
        return found

    def _creation(self, vm: Doc, name: str) -> Doc:
        fabrics = [nic["network_uuid"] for nic in vm["nics"] if str(nic.get("nic_tag")).startswith("sdc_overlay")]
        return {"owner_uuid": vm["owner_uuid"], "name": name, "type": "tritonnfs", "networks": fabrics}

    def refer(self, owner_uuid: str, names: Iterable[str], vm_uuid: str) -> None:
        """Turn a VM's reservations into uses: it was made."""
        with self._volapi.dc.store.transaction():
            for name in names:
                volume = self._volapi.named(owner_uuid, name)
                if volume is not None:
                    self._volapi.refer(volume["uuid"], vm_uuid)
            self._volapi.reservations.remove_of(vm_uuid)
            for volume in self._made_for(vm_uuid):
                self._volapi.volumes.update(volume["uuid"], made_for=None)

    def release(self, vm_uuid: str) -> None:
        """Let go of all volumes of a VM that is gone or did not come to be."""
        with self._volapi.dc.store.transaction():
            self._volapi.reservations.remove_of(vm_uuid)
            for volume in self._volapi.volumes.all():
                if vm_uuid in volume.get("refs", ()):
                    self._volapi.unrefer(volume["uuid"], vm_uuid)

    def take_back(self, vm_uuid: str, request_id: str) -> None:
        """Delete what was made for a VM that did not come to be, unless others use it by now."""
        for volume in self._made_for(vm_uuid):
            if not volume.get("refs"):
                self._volapi.delete(volume, request_id)

    def _made_for(self, vm_uuid: str) -> list[Doc]:
        return self._volapi.volumes.find(made_for=vm_uuid)

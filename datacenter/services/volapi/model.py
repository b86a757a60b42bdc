"""The volumes: made, named, used, deleted. Each is the export of a storage VM that belongs to the same account."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from flask import Flask

from datacenter.clock import iso
from datacenter.restify import RestError
from datacenter.services.volapi import errors, listing, routes, storage, validation
from datacenter.services.volapi.needs import Needs
from datacenter.services.volapi.reservations import Reservations
from datacenter.services.volapi.validation import Causes
from datacenter.services.volapi.workflows import Steps, workflows

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Volume = dict[str, Any]

CREATE_PARAMS = ("uuid", "owner_uuid", "size", "name", "type", "networks", "labels", "affinity")
ACTIVE = frozenset({"creating", "ready"})
"""States in which a volume keeps its name to itself."""
_OWN = frozenset({"job_uuid", "made_for", "affinity"})
"""Fields that are nobody else's business."""


class Volapi:
    """The service and its in-process door for the others.

    From the checks to the stored record nothing waits, so two requests can't both get the same name.
    """

    def __init__(self, dc: DataCenter) -> None:
        self.dc = dc
        self.volumes = dc.store.bucket("volumes")
        self.reservations = Reservations(dc.store)
        self.needs = Needs(self)
        self.jobs = dc.wfapi.engine
        self.jobs.define(workflows(Steps(dc, self)))
        self.app: Flask = routes.make_app(self)

    def set_up(self) -> None:
        """Import the image of storage VMs; before that no volume can be made. Forget uses by VMs that are gone."""
        storage.import_image(self.dc)
        for volume in self.volumes.all():
            for vm_uuid in volume.get("refs", ()):
                if not self.needs.is_alive(vm_uuid):
                    self.unrefer(volume["uuid"], vm_uuid)

    # reading

    def get(self, volume_uuid: str, owner_uuid: str | None = None) -> Volume:
        """One volume's record. Raises VolumeNotFound, for others' volumes too when an owner is given."""
        volume = self.volumes.get(volume_uuid)
        if volume is None or owner_uuid not in (None, volume["owner_uuid"]):
            raise errors.volume_not_found(volume_uuid)
        return volume

    def select(self, asked: dict[str, Any]) -> list[Volume]:
        """Volumes by the parameters of ``GET /volumes``, oldest first. Raises ValidationError."""
        return listing.select(self.volumes.all(), asked)

    def named(self, owner_uuid: str, name: str) -> Volume | None:
        """The account's one volume of that name that is there or is being made."""
        found = self.volumes.find(owner_uuid=owner_uuid, name=name)
        return next((volume for volume in found if volume["state"] in ACTIVE), None)

    def sizes(self) -> list[int]:
        """The sizes that volumes come in, in MiB, ascending."""
        return [package["quota"] for package in storage.packages(self.dc)]

    @staticmethod
    def view(volume: Volume) -> Volume:
        """A volume as clients see it."""
        shown = {field: value for field, value in volume.items() if field not in _OWN}
        if not shown.get("refs"):
            shown.pop("refs", None)
        return shown

    # changing

    def create(self, given: dict[str, Any], request_id: str, *, made_for: str | None = None) -> Volume:
        """Record a volume and queue the making of its storage VM; ``made_for`` is a VM that needs it.

        Raises ValidationError, InvalidNetworks, VolumeAlreadyExists, VolumeSizeNotAvailable.
        """
        _check_create(given)
        if storage.image(self.dc) is None:
            raise errors.ImageMissing
        storage.check_networks(self.dc, given["owner_uuid"], given["networks"])
        volume_uuid = given.get("uuid") or str(uuid.uuid4())
        name = given.get("name") or (volume_uuid + str(uuid.uuid4())).replace("-", "")
        if self.named(given["owner_uuid"], name) is not None:
            raise errors.already_exists(name)
        if volume_uuid in self.volumes:
            raise RestError(409, "ValidationError", f"Validation error, causes: Error: {volume_uuid} already exists")
        package = storage.package_of(self.dc, given.get("size"))
        volume: Volume = {
            "uuid": volume_uuid,
            "name": name,
            "owner_uuid": given["owner_uuid"],
            "type": given["type"],
            "size": package["quota"],
            "networks": given["networks"],
            "create_timestamp": iso(),
            "state": "creating",
            "vm_uuid": str(uuid.uuid4()),
            "billing_id": package["uuid"],
            "refs": self.reservations.holders(given["owner_uuid"], name),
            **{field: given[field] for field in ("labels", "affinity") if given.get(field)},
            **({"made_for": made_for} if made_for else {}),
        }
        with self.dc.store.transaction():
            job = self.jobs.create(
                "create_volume",
                f"/create-volume-{volume_uuid}",
                {"volume_uuid": volume_uuid, "owner_uuid": volume["owner_uuid"], "x-request-id": request_id},
            )
            self.volumes.put(volume_uuid, {**volume, "job_uuid": job.uuid})
        self.jobs.launch(job)
        return self.volumes.get(volume_uuid) or volume

    def rename(self, volume: Volume, name: str) -> None:
        """Give a volume that nobody uses another name. Raises VolumeAlreadyExists, VolumeInUse."""
        holder = self.named(volume["owner_uuid"], name)
        if holder is not None:
            raise errors.already_exists(name)
        if volume.get("refs"):
            raise errors.in_use(volume["name"])
        self.volumes.update(volume["uuid"], name=name)

    def delete(self, volume: Volume, request_id: str, *, force: bool = False) -> str | None:
        """Queue the deletion of a volume with its storage VM; return the job's uuid, None when it is gone at once.

        Raises VolumeInUse, unless by ``force``.
        """
        if volume.get("refs") and not force:
            raise errors.in_use(volume["name"])
        if volume["state"] == "deleting":
            return str(volume["job_uuid"])
        if volume["state"] != "creating" and not self.needs.is_alive(volume["vm_uuid"]):
            self.volumes.delete(volume["uuid"])
            return None
        with self.dc.store.transaction():
            job = self.jobs.create(
                "delete_volume",
                f"/delete-volume-{volume['uuid']}",
                {"volume_uuid": volume["uuid"], "owner_uuid": volume["owner_uuid"], "x-request-id": request_id},
            )
            self.volumes.update(volume["uuid"], state="deleting", job_uuid=job.uuid)
        self.jobs.launch(job)
        return job.uuid

    def refer(self, volume_uuid: str, vm_uuid: str) -> None:
        """Note that a VM uses a volume; its reservation has served its purpose."""
        volume = self.get(volume_uuid)
        with self.dc.store.transaction():
            self.volumes.update(volume_uuid, refs=list(dict.fromkeys([*volume.get("refs", ()), vm_uuid])))
            self.reservations.remove_of(vm_uuid, volume["name"])

    def unrefer(self, volume_uuid: str, vm_uuid: str) -> None:
        """Note that a VM uses a volume no more."""
        volume = self.get(volume_uuid)
        self.volumes.update(volume_uuid, refs=[used for used in volume.get("refs", ()) if used != vm_uuid])


def _check_create(given: dict[str, Any]) -> None:
    causes = Causes()
    causes.expect(given, known=CREATE_PARAMS, needed=("owner_uuid", "type", "networks"))
    causes.add(*validation.uuid(given.get("owner_uuid"), "owner_uuid"))
    causes.uuids(given, "uuid")
    if "size" in given:
        causes.add(*validation.size(given["size"]))
    if given.get("name") not in (None, ""):
        causes.add(*validation.volume_name(given["name"]))
    causes.add(*validation.volume_type(given.get("type")))
    causes.add(*validation.networks(given.get("networks")))
    if "labels" in given:
        causes.add(*validation.labels(given["labels"]))
    if "affinity" in given:
        causes.add(*validation.affinity(given["affinity"]))
    causes.check()

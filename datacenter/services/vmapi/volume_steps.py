"""The steps of VM jobs that are about volumes: had before the VM is made, used while it is there, let go of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi
    from datacenter.workflow.job import Job

Doc = dict[str, Any]

ASKED = "sdc:volumes"
MOUNTED = "docker:nfsvolumes"


class VolumeSteps:
    """Each step does nothing for a VM without volumes."""

    def __init__(self, dc: DataCenter, vmapi: Vmapi) -> None:
        self._dc = dc
        self._vmapi = vmapi

    def provide(self, job: Job) -> str:
        """Have every volume there, making those that are missing, and tell the VM where they are."""
        asked = job.params.get("volumes") or []
        vm = self._vmapi.table.get(job.vm_uuid)
        if not asked or vm is None or vm["state"] != "provisioning":
            return "No volumes to provide"
        found = self._dc.volapi.needs.provide(vm, [volume["name"] for volume in asked], job.request_id)
        mounted = [_mounted(volume, found[volume["name"]]) for volume in asked]
        text = msgspec.json.encode(mounted).decode()
        vm = self._vmapi.table.get(job.vm_uuid) or vm
        self._vmapi.table.put({**vm, "internal_metadata": {**vm["internal_metadata"], MOUNTED: text}})
        return "All volumes provisioned"

    def refer(self, job: Job) -> str:
        """Count the VM among the users of its volumes."""
        names = [volume["name"] for volume in job.params.get("volumes") or []]
        self._dc.volapi.needs.refer(job.params["owner_uuid"], names, job.vm_uuid)
        return f"References to {len(names)} volumes added"

    def release(self, job: Job) -> str:
        """Count the VM no more among the users of volumes, nor among those that wait for one."""
        self._dc.volapi.needs.release(job.vm_uuid)
        return "References removed"

    def take_back(self, job: Job) -> str:
        """Delete the volumes that were made for a VM that did not come to be."""
        self._dc.volapi.needs.release(job.vm_uuid)
        self._dc.volapi.needs.take_back(job.vm_uuid, job.request_id)
        return "Volumes taken back"


def asked_metadata(payload: Doc) -> Doc:
    """The metadata that keeps what volumes a VM was asked to have; none without."""
    volumes = payload.get("volumes")
    return {ASKED: msgspec.json.encode(volumes).decode()} if volumes else {}


def _mounted(asked: Doc, volume: Doc) -> Doc:
    """How the platform is told to mount a volume: by ``mode``, or by ``readonly`` for older ones."""
    mode = asked.get("mode", "rw")
    return {
        "mode": mode,
        "mountpoint": asked["mountpoint"],
        "name": asked["name"],
        "nfsvolume": volume["filesystem_path"],
        "readonly": mode == "ro",
        "type": asked.get("type", "tritonnfs"),
    }

"""The jobs that make and delete volumes: they have VMAPI make and destroy the storage VM, and wait for it.

Both find their own traces, so a job that a killed process left half-way runs again from its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datacenter.services.volapi import storage
from datacenter.workflow.definition import Task, Workflow
from datacenter.workflow.failure import TaskError

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.volapi.model import Volapi
    from datacenter.workflow.job import Job

Doc = dict[str, Any]

VM_LIMIT = 3900
"""Seconds that a VM's own job may take."""


def workflows(steps: Steps) -> list[Workflow]:
    tidy = (
        Task("vmapi.destroy_storage_vm", steps.destroy_vm, VM_LIMIT),
        Task("volapi.mark_volume_as_failed", steps.mark_failed, 10),
    )
    return [
        Workflow(
            "create_volume",
            "1.0.0",
            VM_LIMIT,
            (
                Task("vmapi.create_storage_vm", steps.create_vm, VM_LIMIT),
                Task("volapi.mark_volume_as_ready", steps.mark_ready, 10),
            ),
            tidy,
            tidy,
        ),
        Workflow(
            "delete_volume",
            "1.0.0",
            VM_LIMIT,
            (
                Task("vmapi.destroy_storage_vm", steps.destroy_vm, VM_LIMIT),
                Task("volapi.forget_volume", steps.forget, 10),
            ),
            (Task("volapi.mark_volume_as_failed", steps.mark_failed, 10),),
            (Task("volapi.mark_volume_as_failed", steps.mark_failed, 10),),
        ),
    ]


class Steps:
    def __init__(self, dc: DataCenter, volapi: Volapi) -> None:
        self._dc = dc
        self._volapi = volapi

    def create_vm(self, job: Job) -> str:
        """Have the storage VM provisioned, unless an earlier run of this job has seen to it."""
        volume = self._volume(job)
        if self._dc.vmapi.vm(volume["vm_uuid"]) is None:
            _, vm_job = self._dc.vmapi.placing.provision(storage.vm_payload(volume), job.request_id, None)
        else:
            (earlier, *_) = self._volapi.jobs.find({"vm_uuid": volume["vm_uuid"], "task": "provision"}, 1)
            vm_job = earlier["uuid"]
        self._volapi.jobs.wait(vm_job, VM_LIMIT)
        return f"Storage VM {volume['vm_uuid']} runs"

    def mark_ready(self, job: Job) -> str:
        volume = self._volume(job)
        vm = self._dc.vmapi.vm(volume["vm_uuid"])
        if vm is None or volume["state"] != "creating":
            raise TaskError("VolumeNotFound", "the volume was deleted while it was being made")
        path = storage.filesystem_path(vm)
        self._volapi.volumes.update(volume["uuid"], state="ready", filesystem_path=path)
        return f"Volume is at {path}"

    def destroy_vm(self, job: Job) -> str:
        """Have the storage VM destroyed, whatever state it is in."""
        volume = self._volapi.volumes.get(job.params["volume_uuid"])
        vm = None if volume is None else self._dc.vmapi.vm(volume["vm_uuid"])
        if vm is None or vm["state"] == "destroyed":
            return "No storage VM to destroy"
        vm_job = self._dc.vmapi.actions.destroy(vm, {}, job.request_id)
        self._volapi.jobs.wait(vm_job.uuid, VM_LIMIT)
        return f"Storage VM {vm['uuid']} destroyed"

    def forget(self, job: Job) -> str:
        self._volapi.volumes.delete(job.params["volume_uuid"])
        return "Volume deleted"

    def mark_failed(self, job: Job) -> str:
        """A volume whose deletion began while it was being made is left to that."""
        volume = self._volapi.volumes.get(job.params["volume_uuid"])
        if volume is not None and volume["job_uuid"] == job.uuid:
            self._volapi.volumes.update(volume["uuid"], state="failed")
        return "Volume marked as failed"

    def _volume(self, job: Job) -> Doc:
        volume = self._volapi.volumes.get(job.params["volume_uuid"])
        if volume is None:
            raise TaskError("VolumeNotFound", "the volume is gone", 404)
        return volume

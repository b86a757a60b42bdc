"""VMAPI: the VMs (containers) of the data center, and the jobs that change them. Facts: sdc-apis 1 and 3.5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from sdc.http import LONG_SECONDS, ServiceClient

Vm = dict[str, Any]
Predicate = Mapping[str, Any]

PAGE = 1000


class Vmapi(ServiceClient):
    service = "vmapi"

    def list_vms(self, *, predicate: Predicate | None = None, **filters: Any) -> list[Vm]:
        """Return every match, page after page, in no useful order.

        The list is strict: an unknown filter is 409 ValidationFailed. Destroyed and failed VMs are included
        unless a predicate or ``state`` leaves them out.
        """
        query: dict[str, Any] = {**filters}
        if predicate is not None:
            query["predicate"] = msgspec.json.encode(predicate).decode()
        vms: list[Vm] = []
        while True:
            if vms:
                query["offset"] = len(vms)
            page: list[Vm] = self.get("/vms", query=query)
            vms += page
            if len(page) < PAGE:
                return vms

    def count_vms(self, *, predicate: Predicate | None = None, **filters: Any) -> int:
        query: dict[str, Any] = {**filters}
        if predicate is not None:
            query["predicate"] = msgspec.json.encode(predicate).decode()
        return self.count("/vms", "x-joyent-resource-count", query=query)

    def get_vm(self, uuid: str, owner_uuid: str | None = None, *, sync: bool = False) -> Vm:
        """Return one VM, destroyed ones too. ``sync`` asks the compute node for its live state first.

        Raises SdcError ResourceNotFound for an unknown uuid and for another owner's.
        """
        vm: Vm = self.get(f"/vms/{uuid}", query={"owner_uuid": owner_uuid, "sync": "true" if sync else None})
        return vm

    def create_vm(self, payload: Vm) -> str:
        """Queue the provisioning of a VM; return the job's uuid.

        Placement, addresses and validation are refused here and now. Choose ``payload["uuid"]`` yourself: a
        repeated POST is then refused as Duplicate instead of making a second VM.
        """
        return str(self.post("/vms", body=payload, timeout=LONG_SECONDS)["job_uuid"])

    def act(self, uuid: str, action: str, owner_uuid: str, **parameters: Any) -> str:
        """Queue ``start``, ``stop``, ``reboot``, ``kill``, ``update`` ...; return the job's uuid.

        ``parameters`` go in the body; ``timeout=0`` reaches VMAPI, unlike with the Node clients.
        """
        query = {"action": action, "owner_uuid": owner_uuid}
        return str(self.post(f"/vms/{uuid}", query=query, body=parameters)["job_uuid"])

    def add_metadata(self, uuid: str, owner_uuid: str, metadata: Mapping[str, Any]) -> str:
        """Queue the merging of keys into a VM's internal_metadata; return the job's uuid."""
        return str(
            self.post(f"/vms/{uuid}/internal_metadata", query={"owner_uuid": owner_uuid}, body=metadata)["job_uuid"]
        )

    def delete_metadata(self, uuid: str, owner_uuid: str, key: str) -> str:
        """Queue the removal of a key of a VM's internal_metadata; return the job's uuid."""
        path = f"/vms/{uuid}/internal_metadata/{quote(key, safe='')}"
        return str(self.delete(path, query={"owner_uuid": owner_uuid})["job_uuid"])

    def delete_vm(self, uuid: str, owner_uuid: str) -> str:
        """Queue the destruction of a VM, running or not; return the job's uuid. Firewall rules stay behind."""
        return str(self.delete(f"/vms/{uuid}", query={"owner_uuid": owner_uuid})["job_uuid"])

    def proc(self, uuid: str) -> list[dict[str, Any]]:
        """Processes of a running VM: objects with a ``psinfo`` each. 409 VmNotRunning otherwise."""
        found = self.get(f"/vms/{uuid}/proc")
        return list(found.values()) if isinstance(found, dict) else list(found)

    def get_job(self, uuid: str) -> dict[str, Any]:
        job: dict[str, Any] = self.get(f"/jobs/{uuid}")
        return job

    def list_vm_jobs(self, vm_uuid: str) -> list[dict[str, Any]]:
        """Jobs of a VM, the newest first."""
        jobs: list[dict[str, Any]] = self.get(f"/vms/{vm_uuid}/jobs")
        return jobs

    def ping(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.get("/ping")
        return answer

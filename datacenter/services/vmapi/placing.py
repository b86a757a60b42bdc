"""Everything POST /vms does before it answers: package, image, server, nics, record and job, or a refusal."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from datacenter.restify import RestError
from datacenter.services.vmapi.networks import find_network, nic_tags, read_networks
from datacenter.services.vmapi.nics import resolvers_of, vm_nic
from datacenter.services.vmapi.record import Vm, new_vm
from datacenter.services.vmapi.role_tags import read_role_tags
from datacenter.services.vmapi.validation import (
    NO_PACKAGE,
    Problems,
    check_image,
    check_payload,
    refuse,
)
from datacenter.services.vmapi.volume_steps import asked_metadata

if TYPE_CHECKING:
    from datacenter.center import DataCenter
    from datacenter.services.vmapi import Vmapi
    from datacenter.workflow.job import Job

Doc = dict[str, Any]

PACKAGE_FIELDS = ("cpu_cap", "max_lwps", "max_physical_memory", "max_swap", "vcpus", "zfs_io_priority")
MIB_IN_GIB = 1024


class Placing:
    """Turn payloads into VMs that are being provisioned.

    From the choice of a server to the stored record nothing waits, so two requests can't both get the last room
    or the same name, and one transaction holds record, nics and job: a crash leaves all of them or none.
    """

    def __init__(self, dc: DataCenter, vmapi: Vmapi) -> None:
        self._dc = dc
        self._vmapi = vmapi

    def provision(self, asked: Doc, request_id: str, context: Any) -> tuple[str, str]:
        """Record a new VM and queue its job; return the uuids of both.

        Raises RestError: 409 ValidationFailed, 409 VolumesNotReachable, 409 NoAllocatableServersError, 422 for
        unknown networks, 507 SubnetFull.
        """
        check_payload(asked)
        role_tags = [] if asked.get("role_tags") is None else read_role_tags(asked, "Invalid VM parameters")
        payload = {**asked, "uuid": asked.get("uuid") or str(uuid.uuid4())}
        payload["alias"] = asked.get("alias") or payload["uuid"]
        self._check_unique(payload)
        package = self._apply_package(payload)
        image = self._dc.imgapi.get(payload["image_uuid"])
        check_image(payload, image)
        assert image is not None
        if payload["brand"] == "lx":
            payload["kernel_version"] = payload.get("kernel_version") or image["tags"]["kernel_version"]
        networks = self._networks(payload)
        volumes = [volume["name"] for volume in payload.get("volumes") or ()]
        self._dc.volapi.needs.check_reachable(payload["owner_uuid"], volumes, [net["uuid"] for _, net in networks])
        _remember_placement(payload)
        server = self._server(payload, package, image, networks)
        with self._dc.store.transaction():
            nics = self._nics(payload, networks, server["uuid"])
            if isinstance(nics, list):
                vm = new_vm(payload, nics, server, payload.get("resolvers") or resolvers_of(nics))
                self._vmapi.table.put(vm)
                if role_tags:
                    self._vmapi.role_tags.put(vm["uuid"], role_tags)
                job = self._job(payload, vm, request_id, context)
                self._dc.volapi.needs.reserve(vm["owner_uuid"], volumes, vm["uuid"], job.uuid)
        if isinstance(nics, RestError):
            raise nics
        self._vmapi.jobs.launch(job)
        return payload["uuid"], job.uuid

    def _check_unique(self, payload: Doc) -> None:
        problems = Problems()
        if self._vmapi.table.get(payload["uuid"]) is not None:
            problems.add("uuid", "Duplicate", "Already exists")
        if self._vmapi.is_name_taken(payload["owner_uuid"], payload["alias"]):
            problems.add("alias", "Duplicate", "Already exists for this owner_uuid")
        problems.check()

    def _apply_package(self, payload: Doc) -> Doc | None:
        """Fill in the sizes that the payload doesn't give itself. A package's quota is MiB, a VM's GiB."""
        billing_id = payload.get("billing_id")
        package = None
        if billing_id not in (None, NO_PACKAGE):
            package = self._dc.papi.get(str(billing_id))
            if package is None:
                raise refuse("billing_id", "Invalid", "Package does not exist")
            if package.get("brand") not in (None, payload["brand"]):
                raise refuse("billing_id", "Invalid", f"Package requires brand {package['brand']}")
            for field in PACKAGE_FIELDS:
                payload.setdefault(field, package.get(field))
            payload.setdefault("quota", int(package.get("quota") or 0) // MIB_IN_GIB)
            payload.setdefault("cpu_shares", package.get("fss", package.get("cpu_shares")))
        payload.setdefault("max_physical_memory", payload.get("ram"))
        payload.setdefault("ram", payload["max_physical_memory"])
        payload.setdefault("quota", 0)
        return package

    def _networks(self, payload: Doc) -> list[tuple[Doc, Doc]]:
        """Each network asked for, with what NAPI knows about it. The first is primary unless another one is."""
        refs = read_networks(payload["networks"])
        if not any(ref.get("primary") for ref in refs):
            refs[0]["primary"] = True
        return [(ref, find_network(self._dc.napi, ref, payload["owner_uuid"])) for ref in refs]

    def _server(self, payload: Doc, package: Doc | None, image: Doc, networks: list[tuple[Doc, Doc]]) -> Doc:
        if payload.get("server_uuid"):
            try:
                return self._dc.cnapi.servers.get(payload["server_uuid"])
            except RestError as error:
                raise refuse("server_uuid", "Invalid", error.message) from error
        tags = [nic_tags(network) for _, network in networks]
        return self._dc.cnapi.allocate(payload, package, image, tags)

    def _nics(self, payload: Doc, networks: list[tuple[Doc, Doc]], server_uuid: str) -> list[Doc] | RestError:
        """A nic on each network; or, when one can't be had, none at all and the reason.

        The reason is returned, not raised: NAPI's free addresses don't follow a transaction back.
        """
        nics = []
        try:
            for number, (ref, network) in enumerate(networks):
                nic = self._dc.napi.provision_nic(
                    network["uuid"],
                    owner_uuid=payload["owner_uuid"],
                    belongs_to_uuid=payload["uuid"],
                    cn_uuid=server_uuid,
                    primary=ref.get("primary", False),
                    ip=ref.get("ip"),
                )
                nics.append(vm_nic(nic, f"net{number}"))
        except RestError as refusal:
            self._dc.napi.release_nics(payload["uuid"])
            return refusal
        return nics

    def _job(self, payload: Doc, vm: Vm, request_id: str, context: Any) -> Job:
        params = {
            **payload,
            "server_uuid": vm["server_uuid"],
            "nics": vm["nics"],
            "vm_uuid": vm["uuid"],
            "task": "provision",
            "current_state": "provisioning",
            "x-request-id": request_id,
        }
        if context is not None:
            params["context"] = context
        return self._vmapi.jobs.create("provision", f"/provision-{vm['uuid']}", params)


def _remember_placement(payload: Doc) -> None:
    """Keep how the VM was to be placed in its metadata, so that a later migration can repeat it; volumes too."""
    metadata = {**(payload.get("internal_metadata") or {}), **asked_metadata(payload)}
    for field in ("affinity", "locality"):
        if payload.get(field) is not None:
            metadata[field] = msgspec.json.encode(payload[field]).decode()
    payload["internal_metadata"] = metadata

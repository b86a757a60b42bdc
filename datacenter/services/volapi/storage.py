"""What a volume is made of: an image, a package, networks, and the storage VM that these make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError
from datacenter.services.volapi import errors

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Doc = dict[str, Any]

IMAGE = "8b7a7a3e-1c55-4c5c-9a7e-6f0d5e3b9c41"
ALIAS_PREFIX = "VOLAPI-nfs"
SYSTEM_ROLE = "nfsvolumestorage"
EXPORT = "/exports/data"
_PACKAGES = "sdc_volume_nfs*"
_EMPTY_TAR = bytes(10240)


def image(dc: DataCenter) -> Doc | None:
    """The active image of storage VMs; None while it is not imported."""
    found = dc.imgapi.get(IMAGE)
    return found if found is not None and found.get("state") == "active" else None


def import_image(dc: DataCenter) -> None:
    """Have the image there. There is nothing in it: nodes give folders out, and run no server for it."""
    if dc.imgapi.get(IMAGE) is None:
        manifest = {
            "v": 2,
            "uuid": IMAGE,
            "owner": dc.mahi.admin_uuid,
            "name": "nfsserver",
            "version": "1.0.0",
            "type": "zone-dataset",
            "os": "smartos",
            "public": False,
        }
        dc.imgapi.admin_import(IMAGE, manifest, skip_owner_check=True)
    if image(dc) is None:
        with dc.imgapi.files.incoming() as incoming:
            incoming.write(_EMPTY_TAR)
            dc.imgapi.add_file(IMAGE, incoming, incoming.finish(), {"compression": "none"})
        dc.imgapi.activate(IMAGE)


def packages(dc: DataCenter) -> list[Doc]:
    """The packages of storage VMs, the smallest first."""
    return sorted(dc.papi.search({"name": _PACKAGES, "active": True}), key=lambda package: int(package["quota"]))


def package_of(dc: DataCenter, size: Any) -> Doc:
    """The package of a size in MiB, the smallest when none is given. Raises VolumeSizeNotAvailable."""
    known = packages(dc)
    if not known:
        raise RestError(500, "InternalError", "Could not get NFS volumes packages")
    if size is None:
        return known[0]
    for package in known:
        if package["quota"] == size:
            return package
    raise errors.SizeNotAvailable(size, [package["quota"] for package in known])


def check_networks(dc: DataCenter, owner_uuid: str, networks: list[str]) -> None:
    """Volumes are on their account's own fabric networks alone. Raises InvalidNetworks."""
    found = {uuid: dc.napi.network(uuid) for uuid in networks}
    owners = {uuid: {*net.get("owner_uuids", ()), net.get("owner_uuid")} for uuid, net in found.items() if net}
    problems = {
        "missing": [uuid for uuid, net in found.items() if net is None],
        "not owned by user": [uuid for uuid, known in owners.items() if owner_uuid not in known],
        "non-fabric": [uuid for uuid, net in found.items() if net is not None and net.get("fabric") is not True],
    }
    told = {problem: uuids for problem, uuids in problems.items() if uuids}
    if told:
        raise errors.invalid_networks(told)


def vm_payload(volume: Doc) -> Doc:
    """What VMAPI is asked for: a VM that is no container."""
    return {
        "uuid": volume["vm_uuid"],
        "owner_uuid": volume["owner_uuid"],
        "alias": f"{ALIAS_PREFIX}-{volume['uuid']}",
        "brand": "joyent-minimal",
        "image_uuid": IMAGE,
        "billing_id": volume["billing_id"],
        "networks": [{"uuid": network} for network in volume["networks"]],
        "customer_metadata": {"export-volumes": '["data"]'},
        "delegate_dataset": True,
        "internal_metadata": {"sdc:system_role": SYSTEM_ROLE},
        **({"affinity": volume["affinity"]} if volume.get("affinity") else {}),
    }


def filesystem_path(vm: Doc) -> str:
    """Where a storage VM's export is mounted from."""
    nics = sorted(vm["nics"], key=lambda nic: not nic.get("primary"))
    return f"{nics[0]['ip']}:{EXPORT}"


def is_storage(vm: Doc) -> bool:
    """Whether a VM is a volume's, which its owner sees as the volume alone."""
    return (vm.get("internal_metadata") or {}).get("sdc:system_role") == SYSTEM_ROLE

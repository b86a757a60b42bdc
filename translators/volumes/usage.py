"""The disk space of volumes, where compute nodes tell it."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from sdc.errors import SdcError
from translators.capabilities import capabilities
from translators.volumes import view
from translators.volumes.lookup import containers, shared_volumes

Volume = dict[str, Any]
Json = dict[str, Any]

UNKNOWN = -1
"""What dockerd says of a size that it can't find out."""


def size(call: Call, volume: Volume) -> int:
    """Return the bytes in a volume; UNKNOWN when nobody can tell.

    SDC: VMAPI GET /vms/:uuid, CNAPI docker-exec (capability disk-usage), both of the storage VM
    """
    try:
        vm_uuid = volume.get("vm_uuid")
        server_uuid = call.services.vmapi.get_vm(vm_uuid).get("server_uuid") if vm_uuid else None
        if not vm_uuid or not server_uuid or "disk-usage" not in capabilities(call, server_uuid):
            return UNKNOWN
        answer = call.services.cnapi.docker_exec(server_uuid, vm_uuid, {"DiskUsage": True})
    except SdcError:
        return UNKNOWN  # its node is away, or it is a stock one, which runs an NFS server there and no such thing
    return int(answer.get("Written", UNKNOWN))


def volumes_with_usage(call: Call) -> list[Json]:
    """Return all volumes with what they hold and by how many containers they are used; for ``system df``."""
    found = [*shared_volumes(call), *view.anonymous(containers(call))]
    return [
        view.described(volume) | {"UsageData": {"Size": size(call, volume), "RefCount": len(volume.get("refs") or ())}}
        for volume in found
    ]

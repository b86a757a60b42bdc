"""The disk space of a container: what it has written, where its node tells, and its image."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from sdc.errors import SdcError
from translators.capabilities import capabilities
from translators.containers import view

Vm = dict[str, Any]
Json = dict[str, Any]


def sizes(call: Call, vm: Vm) -> Json:
    """Return Docker's sizes in bytes; ``SizeRw`` is left out when nobody can tell it.

    SDC: CNAPI docker-exec (capability disk-usage)
    """
    record = call.state.images.get(call.owner.uuid, view.image_id(vm))
    image = record.size if record else 0
    written = _written(call, vm)
    return {"SizeRootFs": image} if written is None else {"SizeRw": written, "SizeRootFs": image + written}


def _written(call: Call, vm: Vm) -> int | None:
    server_uuid = vm.get("server_uuid")
    try:
        if not server_uuid or "disk-usage" not in capabilities(call, server_uuid):
            return None
        answer = call.services.cnapi.docker_exec(server_uuid, vm["uuid"], {"DiskUsage": True})
    except SdcError:
        return None  # the node is away, or has the VM no more: the rest can be told all the same
    return int(answer["Written"])

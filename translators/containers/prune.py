"""Prune: remove the containers that do not run."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import Conflict, NotFound
from translators.containers import view
from translators.containers.disk_usage import sizes
from translators.containers.lookup import mine
from translators.containers.packages import package_name
from translators.containers.removal import destroy, is_being_removed
from translators.containers.states import status
from translators.durations import epoch
from translators.errors import speaking_docker
from translators.events.recorder import tell_prune
from translators.filters import parse_filters
from translators.ids import docker_id
from translators.prune_filters import COMMON, until, wants

DOING = "problem pruning containers"


def prune(call: Call) -> dict[str, Any]:
    """Remove the account's containers that are created or have ended and that the filters choose.

    Those whose volumes others use, and those that somebody else removes meanwhile, are passed over. The space is
    what the containers had written, as far as their nodes can tell.

    Docker: POST /containers/prune   SDC: VMAPI GET /vms, DELETE /vms/:uuid
    """
    filters = parse_filters(call.arg("filters"), COMMON)
    limit = until(filters)
    with speaking_docker(DOING):
        vms = call.services.vmapi.list_vms(predicate=mine(call.owner.uuid, {"ne": ["state", "running"]}))
    deleted, space = [], 0
    for vm in vms:
        if status(vm) not in {"created", "exited"} or vm["state"] == "provisioning" or is_being_removed(vm):
            continue
        if limit is not None and epoch(vm.get("create_timestamp")) > limit:
            continue
        with speaking_docker(DOING):
            chosen = wants(view.labels(vm, package_name(call, vm)), filters)
        if chosen:
            written = int(sizes(call, vm).get("SizeRw", 0))
            try:
                destroy(call, vm)
            except (Conflict, NotFound):
                continue
            deleted.append(docker_id(vm))
            space += written
    tell_prune(call, "container", space)
    return {"ContainersDeleted": deleted or None, "SpaceReclaimed": space}

"""Pause and unpause: freeze a container's processes and let them go on.

SDC knows no such thing; a compute node that advertises ``pause`` does it. The VM stays ``running``, and
``docker:paused`` in its internal metadata tells.
"""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import Conflict, NotImplementedHere
from sdc.errors import SdcError
from translators.capabilities import capabilities
from translators.containers.lookup import docker_id, find_container
from translators.containers.states import refuse_unless_up, status
from translators.errors import explain, speaking_docker
from translators.events.recorder import tell
from translators.jobs import run_job

Vm = dict[str, Any]

PAUSE = "pause"


def pause(call: Call, ref: str) -> None:
    """Freeze a running container.

    Docker: POST /containers/{id}/pause   SDC: VMAPI POST /vms/:uuid?action=pause (embedded data center)
    """
    vm = find_container(call, ref)
    if status(vm) == "paused":
        raise Conflict(f"container {docker_id(vm)} is already paused")
    refuse_unless_up(vm, docker_id(vm))
    _act(call, vm, "pause")
    tell(call, vm, "pause")


def unpause(call: Call, ref: str) -> None:
    """Let a paused container go on.

    Docker: POST /containers/{id}/unpause   SDC: VMAPI POST /vms/:uuid?action=unpause (embedded data center)
    """
    vm = find_container(call, ref)
    if status(vm) != "paused":
        raise Conflict(f"container {docker_id(vm)} is not paused")
    _act(call, vm, "unpause")
    tell(call, vm, "unpause")


def _act(call: Call, vm: Vm, action: str) -> None:
    doing = f"problem with {action} of the container"
    with speaking_docker(doing):
        able = PAUSE in capabilities(call, vm.get("server_uuid"))
    if not able:
        raise NotImplementedHere(
            f"{action} needs the capability {PAUSE}, which the container's compute node does not have"
        )
    try:
        run_job(
            call,
            vm["uuid"],
            action,
            lambda: call.services.vmapi.act(vm["uuid"], action, vm["owner_uuid"], idempotent=True),
        )
    except SdcError as error:
        raise explain(error, doing) from error

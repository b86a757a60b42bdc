"""Remove containers, with what was made for them alone."""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import Conflict
from gateway.state.undertakings import REMOVE
from sdc.errors import SdcError
from translators.containers.firewall import may_publish, remove_rules
from translators.containers.lookup import find_container
from translators.containers.states import has_run, is_running, metadata, status
from translators.containers.volumes import is_own_volume
from translators.errors import speaking_docker
from translators.events.recorder import Announced, ending, observe
from translators.ids import container_name
from translators.jobs import run_job

Vm = dict[str, Any]

_removing: set[str] = set()
"""VMs that this worker is removing; another worker's are destroyed for VMAPI, so not found, almost at once."""


def remove(call: Call, ref: str) -> None:
    """Remove a container for good: its process when ``force`` is given, its volumes and its own firewall rules.

    Anonymous volumes are in the VM and always die with it, with or without ``v``. Raises Conflict while it runs,
    while it is being made, and while others mount its volumes.

    Docker: DELETE /containers/{id}   SDC: VMAPI DELETE /vms/:uuid, FWAPI DELETE /rules/:uuid
    """
    if call.flag("link"):
        raise Conflict("Conflict, cannot remove the default link name of the container")
    vm = find_container(call, ref)
    name = container_name(vm)
    if is_being_removed(vm):
        raise Conflict(f"removal of container {ref} is already in progress")
    if vm["state"] == "provisioning":
        raise Conflict(f'cannot remove container "{name}": container is still being created')
    if is_running(vm) and not call.flag("force"):
        word = status(vm)
        wanted = (
            "container is paused and must be unpaused first"
            if word == "paused"
            else (f"container is {word}: stop the container before removing or force remove")
        )
        raise Conflict(f'cannot remove container "{name}": {wanted}')
    destroy(call, vm)


def destroy(call: Call, vm: Vm) -> None:
    """Have a VM destroyed, its links cut, its execs forgotten, the firewall rules about it deleted.

    Raises Conflict while others use its volumes.
    """
    _refuse_if_shared(call, vm)
    _removing.add(vm["uuid"])
    undertaking = call.state.undertakings.under_way(REMOVE, vm["uuid"], vm["owner_uuid"])
    kill: list[Announced] = [("kill", {"signal": "9"}, None)] if status(vm) == "running" else []
    try:
        with undertaking:
            with ending(call, vm, *kill) as told, speaking_docker("problem removing container"):
                vmapi = call.services.vmapi
                run_job(call, vm["uuid"], "destroy", lambda: vmapi.delete_vm(vm["uuid"], vm["owner_uuid"]), told.sent)
                observe(call, {**vm, "state": "destroyed"})
            forget(call, vm["uuid"], vm["owner_uuid"])
            _close_ports(call, vm)
    finally:
        _removing.discard(vm["uuid"])


def forget(call: Call, vm_uuid: str, owner_uuid: str) -> None:
    """Strike out what the gateway knows of a VM that is no more, or that never was."""
    call.state.links.remove_container(owner_uuid, vm_uuid)
    call.state.exec_sessions.forget(vm_uuid)
    call.state.reservations.release(vm_uuid)


def _close_ports(call: Call, vm: Vm) -> None:
    """Delete the rules about a VM that is gone, now or as soon as FWAPI can be reached."""
    try:
        if may_publish(vm):
            remove_rules(call.services.fwapi, vm["uuid"], vm["owner_uuid"])
    except SdcError:
        call.state.undertakings.leave(REMOVE, vm["uuid"], vm["owner_uuid"])


def is_being_removed(vm: Vm) -> bool:
    return vm["uuid"] in _removing


def _refuse_if_shared(call: Call, vm: Vm) -> None:
    """Refuse while other VMs of the account, on the same server, mount a volume of this one."""
    sources = {entry["source"] for entry in vm.get("filesystems") or [] if is_own_volume(vm, entry)}
    if not sources:
        return
    beside = {"docker": "true", "owner_uuid": vm["owner_uuid"], "server_uuid": vm["server_uuid"], "state": "active"}
    with speaking_docker("problem removing container"):
        others = call.services.vmapi.list_vms(**beside)
    users = [
        container_name(other).removeprefix("/")
        for other in others
        if other["uuid"] != vm["uuid"] and sources & {entry["source"] for entry in other.get("filesystems") or []}
    ]
    if users:
        name = container_name(vm).removeprefix("/")
        raise Conflict(f"Error deleting container: {name} is sharing its volume(s) with {', '.join(sorted(users))}.")


def removes_itself(vm: Vm) -> bool:
    """Whether a container was made with ``--rm``."""
    return metadata(vm).get("docker:autoremove") in (True, "true")


def is_due(vm: Vm) -> bool:
    """Whether a container was to be removed at its end and has ended; one that never ran has not."""
    return removes_itself(vm) and vm.get("state") == "stopped" and has_run(vm)

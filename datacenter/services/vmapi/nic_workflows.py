"""The chains of the jobs about nics: names, versions and time limits of the real workflows, in outline."""

from __future__ import annotations

from datacenter.services.vmapi.nic_steps import NicSteps
from datacenter.services.vmapi.steps import NEVER, Steps
from datacenter.workflow.definition import Task, Workflow

LIMIT = 300


def nic_workflows(steps: Steps, nics: NicSteps) -> list[Workflow]:
    validate = Task("common.validate_params", steps.validate_params, 10)
    turn = (
        Task("cnapi.acquire_vm_ticket", steps.acquire_ticket, 10),
        Task("cnapi.wait_on_vm_ticket", steps.wait_for_ticket, NEVER),
        Task("common.ensure_vm_state", steps.ensure_state("running", "stopped"), 60),
    )
    update = Task("cnapi.update_vm", nics.update_vm, 130)
    put = Task("vmapi.put_vm", nics.put_vm, 60)
    after = (
        Task("fwapi.update", steps.update_firewall, 10),
        Task("cnapi.release_vm_ticket", steps.release_ticket, 60),
    )
    tidy = (Task("cnapi.release_vm_ticket_ignore_err", steps.release_ticket, 60),)
    undo = (Task("napi.cleanup_nics", nics.cleanup_nics, 130), *tidy)
    add = (
        validate,
        Task("napi.validate_networks", nics.validate_networks, 10),
        Task("napi.check_server_nic_tags", nics.check_server_nic_tags, 10),
        Task("napi.provision_nics", nics.provision_nics, 20),
        *turn,
        Task("common.update_network_params", nics.add_network_params, 10),
        update,
        put,
        *after,
    )
    remove = (
        validate,
        *turn,
        Task("common.remove_network_params", nics.remove_network_params, 10),
        update,
        Task("napi.remove_nics", nics.remove_nics, 10),
        *after,
    )
    change = (
        validate,
        *turn,
        Task("common.update_network_params", nics.update_network_params, 10),
        update,
        put,
        *after,
    )
    return [
        Workflow("add_nics", "7.1.0", LIMIT, add, undo, undo),
        Workflow("remove_nics", "7.0.6", LIMIT, remove, tidy, tidy),
        Workflow("update_nics", "7.0.2", LIMIT, change, tidy, tidy),
    ]

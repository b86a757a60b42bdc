"""The chains of VMAPI's jobs: names, versions and time limits of the real workflows, in outline."""

from __future__ import annotations

from typing import Any

from datacenter.restify import truthy
from datacenter.services.vmapi.steps import NEVER, Steps
from datacenter.workflow.definition import Task, Workflow
from datacenter.workflow.job import Job

Doc = dict[str, Any]

STOP_GRACE = 300.0
"""Seconds a node gets to stop a VM beyond the time the VM itself is given."""
DEFAULT_STOP_TIMEOUT = 60
METADATA = ("tags", "customer_metadata", "internal_metadata")


def workflows(steps: Steps) -> list[Workflow]:
    """All workflows of VMAPI."""
    before = (
        Task("common.validate_params", steps.validate_params, 10),
        Task("cnapi.acquire_vm_ticket", steps.acquire_ticket, 10),
        Task("cnapi.wait_on_vm_ticket", steps.wait_for_ticket, NEVER),
    )
    put = Task("vmapi.put_vm", steps.put_vm, 60)
    release = Task("cnapi.release_vm_ticket", steps.release_ticket, 60)
    tidy = (Task("cnapi.release_vm_ticket_ignore_err", steps.release_ticket, 60),)

    def on_node(task: str, version: str, timeout: int, *chain: Task, resumable: bool = True) -> Workflow:
        return Workflow(task, version, timeout, (*before, *chain, put, release), tidy, tidy, resumable)

    stoppable = Task("common.ensure_vm_state", steps.ensure_state("running"), 60)
    startable = Task("common.ensure_vm_state", steps.ensure_state("stopped"), 60)
    return [
        _provision(steps, before, put, release, tidy),
        on_node(
            "start",
            "7.0.8",
            410,
            startable,
            Task("cnapi.start_vm", steps.node_task("machine_boot", _boot, lambda _: 120), 130),
        ),
        on_node(
            "stop",
            "7.0.8",
            530,
            stoppable,
            Task("cnapi.stop_vm", steps.node_task("machine_shutdown", _shutdown, stop_limit), NEVER),
        ),
        on_node(
            "reboot",
            "7.0.6",
            590,
            stoppable,
            Task("cnapi.reboot_vm", steps.node_task("machine_reboot", _reboot, stop_limit), NEVER),
        ),
        *(
            on_node(
                task,
                "1.0.0",
                120,
                stoppable,
                Task(f"cnapi.{task}_vm", steps.node_task(f"machine_{task}", lambda _: {}, lambda _: 60), 70),
            )
            for task in ("pause", "unpause")
        ),
        _kill(steps, put),
        _update(steps, before, release, tidy),
        _destroy(steps, before, release, tidy),
    ]


def _provision(steps: Steps, before: tuple[Task, ...], put: Task, release: Task, tidy: tuple[Task, ...]) -> Workflow:
    undo = (
        Task("cnapi.remove_zone", steps.remove_zone, 120),
        Task("napi.cleanup_nics", steps.release_nics, 60),
        Task("vmapi.refresh_vm_on_error", steps.mark_failed, 60),
        Task("volapi.take_back_volumes", steps.volumes.take_back, 60),
        Task("fwapi.update", steps.update_firewall, 10),
        *tidy,
    )
    chain = (
        *before,
        Task("cnapi.clear_earlier_attempt", steps.clear_earlier_attempt, 150),
        Task("volapi.provision_nfs_volumes", steps.volumes.provide, 3600),
        Task("cnapi.ensure_image", steps.ensure_image, 3600),
        Task("cnapi.provision_vm", steps.provision_vm, 3600),
        Task("volapi.add_volumes_references", steps.volumes.refer, 10),
        put,
        Task("fwapi.update", steps.update_firewall, 10),
        release,
    )
    return Workflow("provision", "8.2.4", 3810, chain, undo, undo)


def _kill(steps: Steps, put: Task) -> Workflow:
    """A kill queues up behind nobody: it is what ends a stop that takes too long. It is not repeated blindly."""
    kill = Task("cnapi.kill_vm", steps.node_task("machine_kill", _signal, lambda _: 120), 130)
    return Workflow(
        "kill", "7.0.2", 210, (Task("common.validate_params", steps.validate_params, 10), kill, put), resumable=False
    )


def _update(steps: Steps, before: tuple[Task, ...], release: Task, tidy: tuple[Task, ...]) -> Workflow:
    update = steps.node_task("machine_update", lambda job: dict(job.params["payload"]), lambda _: 120)
    chain = (
        *before,
        Task("cnapi.update_vm", update, 130),
        Task("vmapi.put_vm", steps.apply_update, 60),
        Task("fwapi.update", steps.update_firewall, 10),
        release,
    )
    undo = (Task("vmapi.release_alias", steps.release_name, 10), *tidy)
    return Workflow("update", "7.1.10", 300, chain, undo, undo)


def _destroy(steps: Steps, before: tuple[Task, ...], release: Task, tidy: tuple[Task, ...]) -> Workflow:
    validate, *queue = before
    chain = (
        validate,
        Task("cnapi.cut_short_others", steps.kill_before_destroy, 40),
        *queue,
        Task("cnapi.destroy_vm", steps.destroy_vm, 180),
        Task("vmapi.mark_vm_as_destroyed", steps.mark_destroyed, 30),
        Task("volapi.remove_volumes_references", steps.volumes.release, 10),
        Task("fwapi.update", steps.update_firewall, 10),
        release,
    )
    return Workflow("destroy", "7.1.6", 180, chain, tidy, tidy)


def _boot(job: Job) -> Doc:
    update = job.params.get("update") or {}
    metadata = update.get("set_internal_metadata")
    return {"job": job.uuid, **({"set_internal_metadata": metadata} if metadata else {})}


def _shutdown(job: Job) -> Doc:
    return {"timeout": stop_timeout(job.params)}


def _reboot(job: Job) -> Doc:
    return {**_boot(job), **_shutdown(job)}


def _signal(job: Job) -> Doc:
    return {"signal": job.params.get("signal", "SIGKILL")}


def stop_timeout(params: Doc) -> int:
    """Seconds the VM's process is given before it is killed; below zero for as long as it takes."""
    return int(params.get("timeout", DEFAULT_STOP_TIMEOUT))


def stop_limit(job: Job) -> float:
    """Seconds until a node that does not answer a stop is given up."""
    timeout = stop_timeout(job.params)
    return NEVER if timeout < 0 else timeout + STOP_GRACE


def stop_job_timeout(params: Doc, usual: int) -> int:
    """The job's own limit, stretched to the time its VM is given."""
    timeout = stop_timeout(params)
    return int(NEVER) if timeout < 0 else max(usual, timeout + int(STOP_GRACE) + 60)


def is_idempotent(params: Doc) -> bool:
    return truthy(params.get("idempotent"))

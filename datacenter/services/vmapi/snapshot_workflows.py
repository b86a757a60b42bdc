"""The chains of the jobs about snapshots and reprovisioning: names and versions of the real workflows, in outline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datacenter.services.vmapi.steps import NEVER, Steps
from datacenter.workflow.definition import Task, Workflow
from datacenter.workflow.failure import TaskError
from datacenter.workflow.job import Job

Doc = dict[str, Any]

COPY_LIMIT = 1800
"""Seconds to copy what a container wrote; a real server's file system does it at once, in a job of 180."""
REPROVISION_LIMIT = 210


def snapshot_workflows(steps: Steps) -> list[Workflow]:
    before = (
        Task("common.validate_params", steps.validate_params, 10),
        Task("cnapi.acquire_vm_ticket", steps.acquire_ticket, 10),
        Task("cnapi.wait_on_vm_ticket", steps.wait_for_ticket, NEVER),
        Task("common.ensure_vm_state", steps.ensure_state("running", "stopped"), 60),
    )
    refresh = Task("vmapi.refresh_vm", steps.put_vm, 60)
    release = Task("cnapi.release_vm_ticket", steps.release_ticket, 60)
    tidy = (Task("cnapi.release_vm_ticket_ignore_err", steps.release_ticket, 60),)
    check_name = Task("common.validate_snapshot_name", lambda job: _check_name(steps, job), 10)

    def on_node(name: str, task: str, build: Callable[[Job], Doc], limit: int) -> Task:
        return Task(name, steps.node_task(task, build, lambda _: limit), limit + 10)

    def chain(task: str, version: str, limit: int, *tasks: Task) -> Workflow:
        return Workflow(task, version, limit, (*before, *tasks, refresh, release), tidy, tidy)

    reprovision = on_node("cnapi.reprovision_vm", "machine_reprovision", _image, REPROVISION_LIMIT)
    return [
        chain(
            "snapshot", "7.0.3", COPY_LIMIT, on_node("cnapi.snapshot_vm", "machine_create_snapshot", _name, COPY_LIMIT)
        ),
        chain(
            "rollback",
            "7.0.4",
            COPY_LIMIT,
            check_name,
            on_node("cnapi.rollback_vm", "machine_rollback_snapshot", _name, COPY_LIMIT),
            refresh,
            Task("cnapi.start_vm", steps.boot, 130),
        ),
        chain(
            "delete_snapshot",
            "7.0.3",
            120,
            check_name,
            on_node("cnapi.delete_snapshot", "machine_delete_snapshot", _name, 120),
        ),
        chain(
            "reprovision",
            "7.0.3",
            REPROVISION_LIMIT,
            reprovision,
            refresh,
            Task("cnapi.start_vm", _boot_again(steps), 130),
        ),
    ]


def _name(job: Job) -> Doc:
    return {"snapshot_name": job.params["snapshot_name"]}


def _image(job: Job) -> Doc:
    return {"image_uuid": job.params["image_uuid"]}


def _check_name(steps: Steps, job: Job) -> str:
    """Raise TaskError when the snapshot is not there. It is this job's turn, so the record is right."""
    name = job.params["snapshot_name"]
    if not job.resumed and not any(known["name"] == name for known in steps.vm(job)["snapshots"]):
        raise TaskError("ResourceNotFound", f"Snapshot not found: {name}", 404)
    return f"Snapshot name {name} is valid"


def _boot_again(steps: Steps) -> Callable[[Job], str | None]:
    """A reprovisioned VM goes on as it was: running, or stopped."""
    return lambda job: steps.boot(job) if job.params["current_state"] == "running" else "VM was not running"

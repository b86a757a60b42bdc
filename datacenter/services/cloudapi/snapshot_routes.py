"""CloudAPI's routes to the snapshots of machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Response, g

from datacenter.restify import not_found, reply
from datacenter.services.cloudapi.asking import asked
from datacenter.services.cloudapi.audit import context
from datacenter.services.cloudapi.machine_work import MachineWork, plain_refusals
from datacenter.services.vmapi.snapshot_plans import default_name
from datacenter.workflow.failure import TaskError

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Shown = dict[str, Any]
Vm = dict[str, Any]


def add_routes(cloudapi: CloudApi, route: Callable[..., None]) -> None:
    work, vmapi = MachineWork(cloudapi.dc), cloudapi.dc.vmapi

    def loaded(account: Account, uuid: str) -> Vm:
        """The VM as its node has it now; what is on record when the node can't be asked."""
        vm = work.vm(account, uuid)
        try:
            return vmapi.load(vm, g.request_id)
        except TaskError:
            return vm

    def act(vm: Vm, action: str, name: str) -> None:
        with plain_refusals():
            asked_of = {"action": action, "snapshot_name": name, "context": context({"name": name})}
            vmapi.actions.act(vm, asked_of, g.request_id)

    def create(account: Account, uuid: str) -> Response:
        """Queue a snapshot, named for the time unless it is given a name."""
        name = asked().get("name") or default_name()
        act(work.vm(account, uuid), "create_snapshot", name)
        return reply({"name": name, "state": "queued"}, 201)

    def get(account: Account, uuid: str, name: str) -> Response:
        """A snapshot that is there, or what became of the job that was to make it."""
        vm = loaded(account, uuid)
        held = _held(vm, name)
        if held is not None:
            return reply(_shown(held))
        jobs = cloudapi.dc.wfapi.engine.find({"vm_uuid": uuid, "task": "snapshot"})
        made = [job for job in jobs if job["name"].startswith("snapshot-") and job["params"]["snapshot_name"] == name]
        if not made:
            raise not_found("Snapshot does not exist")
        execution = made[0]["execution"]
        return reply({"name": name, "state": "deleted" if execution == "succeeded" else execution})

    def boot(account: Account, uuid: str, name: str) -> Response:
        """Queue the machine's way back to a snapshot; it is started from it."""
        vm = existing(account, uuid, name)
        act(vm, "rollback_snapshot", name)
        return reply(None, 202)

    def delete(account: Account, uuid: str, name: str) -> Response:
        act(existing(account, uuid, name), "delete_snapshot", name)
        return reply(None, 204)

    def existing(account: Account, uuid: str, name: str) -> Vm:
        vm = loaded(account, uuid)
        if _held(vm, name) is None:
            raise not_found(f"{name} not found")
        return vm

    path = "/machines/<uuid>/snapshots"
    route(path, lambda account, uuid: reply([_shown(held) for held in loaded(account, uuid)["snapshots"]]))
    route(path, create, "POST")
    route(f"{path}/<name>", get)
    route(f"{path}/<name>", boot, "POST")
    route(f"{path}/<name>", delete, "DELETE")


def _held(vm: Vm, name: str) -> Shown | None:
    return next((snapshot for snapshot in vm["snapshots"] if snapshot["name"] == name), None)


def _shown(snapshot: Shown) -> Shown:
    created = snapshot.get("created_at")
    return {"name": snapshot["name"], "state": "created", "created": created, "updated": created}

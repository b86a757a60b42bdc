"""CNAPI's routes to the VMs of a server: tasks on the node's agent, and the docker calls that answer at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from datacenter.restify import RestError, params, reply, route_table
from datacenter.services.cnapi import parameters
from datacenter.workflow.failure import TaskError

if TYPE_CHECKING:
    from datacenter.services.cnapi import Cnapi

Doc = dict[str, Any]

LOAD_LIMIT = 20.0
VM_ACTIONS = {
    "start": "machine_boot",
    "stop": "machine_shutdown",
    "reboot": "machine_reboot",
    "kill": "machine_kill",
    "update": "machine_update",
    "reprovision": "machine_reprovision",
    "migrate": "machine_migrate",
    "images": "machine_create_image",
}
COPY_ERRORS = {
    "FileNotFound": 404,
    "PathNotDirectory": 400,
    "ReadOnlyFileSystem": 400,
    "InvalidParameters": 400,
    "VmNotRunning": 409,
    "DockerCopyStoppedContainerNoPlatformSupport": 409,
}
CAPABILITY_ERRORS = frozenset({"NotSupported", "InitNotFound", "InitNotExecutable", "InitFailed"})
"""Codes of what only nodes with our capabilities can say, beside an exec's being unknown; all other failures of
docker-exec are InternalError."""
DOCKER_CALLS = {
    "docker-exec": 60.0,
    "docker-copy": 10.0,
    "docker-stats": 30.0,
    "docker-build": 30.0,
    "docker-changes": 60.0,
}
"""Seconds for the node to answer. A real CNAPI has no docker-changes: it goes with the capability ``changes``."""


class VmRoutes:
    """The routes of this module, each a method."""

    def __init__(self, cnapi: Cnapi) -> None:
        self._cnapi = cnapi

    def blueprint(self) -> Blueprint:
        return route_table(
            "server_vms",
            {
                "POST /servers/<server_uuid>/vms": self.create,
                "POST /servers/<server_uuid>/ensure-image": self.ensure_image,
                "POST /servers/<server_uuid>/vms/<uuid>/<action>": self.act,
                "PUT /servers/<server_uuid>/vms/<uuid>/snapshots": self.create_snapshot,
                "PUT /servers/<server_uuid>/vms/<uuid>/snapshots/<snapshot_name>": self.rollback_snapshot,
                "PUT /servers/<server_uuid>/vms/<uuid>/snapshots/<snapshot_name>/rollback": self.rollback_snapshot,
                "DELETE /servers/<server_uuid>/vms/<uuid>/snapshots/<snapshot_name>": self.delete_snapshot,
                "DELETE /servers/<server_uuid>/vms/<uuid>": self.destroy,
                "GET /servers/<server_uuid>/vms/<uuid>": self.load,
                "GET /servers/<server_uuid>/vms/<uuid>/proc": self.proc,
                "GET /servers/<server_uuid>/vms/<uuid>/info": self.info,
                "POST /servers/<server_uuid>/vms/nics/update": self.update_nics,
            },
        )

    def _start(self, server_uuid: str, task: str, task_params: Doc) -> Response:
        """Start a task on the node and answer with its id."""
        self._cnapi.servers.get(server_uuid)
        return reply({"id": self._cnapi.tasks.start(server_uuid, task, g.request_id, task_params)})

    def create(self, server_uuid: str) -> Response:
        return self._start(server_uuid, "machine_create", _payload())

    def ensure_image(self, server_uuid: str) -> Response:
        return self._start(server_uuid, "image_ensure_present", _payload())

    def act(self, server_uuid: str, uuid: str, action: str) -> Response:
        if action in DOCKER_CALLS:
            return self._docker(server_uuid, uuid, action)
        if action not in VM_ACTIONS:
            raise RestError(404, "ResourceNotFound", f"{request.path} does not exist")
        return self._start(server_uuid, VM_ACTIONS[action], {**_payload(), "uuid": uuid})

    def create_snapshot(self, server_uuid: str, uuid: str) -> Response:
        return self._start(server_uuid, "machine_create_snapshot", {**_payload(), "uuid": uuid})

    def rollback_snapshot(self, server_uuid: str, **asked: str) -> Response:
        return self._start(server_uuid, "machine_rollback_snapshot", asked)

    def delete_snapshot(self, server_uuid: str, **asked: str) -> Response:
        return self._start(server_uuid, "machine_delete_snapshot", asked)

    def destroy(self, server_uuid: str, uuid: str) -> Response:
        return self._start(server_uuid, "machine_destroy", {"uuid": uuid})

    def load(self, server_uuid: str, uuid: str) -> Response:
        """The VM as its node sees it now."""
        found = self._now(server_uuid, "machine_load", {"uuid": uuid}, LOAD_LIMIT)
        return reply(found.get("vm", found))

    def proc(self, server_uuid: str, uuid: str) -> Response:
        found = self._now(server_uuid, "machine_proc", {"uuid": uuid}, LOAD_LIMIT)
        return reply(found.get("result", found))

    def info(self, server_uuid: str, uuid: str) -> Response:
        """What only a hypervisor can say of a VM; nodes of containers refuse it."""
        return reply(self._now(server_uuid, "machine_info", {"uuid": uuid}, LOAD_LIMIT))

    def update_nics(self, server_uuid: str) -> Response:
        """Have a node take changed nics, as NAPI knows them now, into the VMs that they belong to."""
        nics = params().get("nics")
        if not isinstance(nics, list) or not all(isinstance(nic, dict) for nic in nics):
            raise parameters.invalid([("nics", "value was not an array of objects")])
        return self._start(server_uuid, "machine_update_nics", {"nics": nics})

    def _now(self, server_uuid: str, task: str, task_params: Doc, limit: float) -> Doc:
        """Run a task on the node and answer with its result."""
        try:
            return self._cnapi.task(server_uuid, task, task_params, timeout=limit, req_id=g.request_id)
        except TaskError as error:
            status = {"VmNotRunning": 409, "ResourceNotFound": 404, "VmNotFound": 404}.get(error.rest_code)
            if status == 404:
                raise RestError(404, "ResourceNotFound", f"VM {task_params['uuid']} not found") from error
            raise RestError(status or 500, error.rest_code if status else "InternalError", error.message) from error

    def _docker(self, server_uuid: str, uuid: str, call: str) -> Response:
        """Forward a docker call; the node answers with the port to connect to."""
        body = _payload()
        if call == "docker-copy" and isinstance(body.get("payload"), dict):
            body = body["payload"]
        headers = {
            name: request.headers[name] for name in ("x-registry-auth", "x-registry-config") if name in request.headers
        }
        task_params = {**body, "uuid": uuid, **({"headers": headers} if headers else {})}
        try:
            task = call.replace("-", "_")
            return reply(
                self._cnapi.task(server_uuid, task, task_params, timeout=DOCKER_CALLS[call], req_id=g.request_id)
            )
        except TaskError as error:
            raise _docker_failure(call, error) from error


def _payload() -> Doc:
    """The request's parameters without those that the path gave."""
    return {key: value for key, value in params().items() if key not in {"server_uuid", "action"}}


def _docker_failure(call: str, error: TaskError) -> RestError:
    if call == "docker-copy" and error.rest_code in COPY_ERRORS:
        return RestError(COPY_ERRORS[error.rest_code], error.rest_code, error.message)
    if error.rest_code == "ResourceNotFound":  # an exec that the node knows nothing of
        return RestError(404, error.rest_code, error.message)
    if error.rest_code in CAPABILITY_ERRORS:
        return RestError(error.status or 409, error.rest_code, error.message)
    return RestError(500, "InternalError", error.message)

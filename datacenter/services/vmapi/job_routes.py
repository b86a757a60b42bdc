"""VMAPI's view of the jobs it queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from datacenter.restify import RestError, is_uuid, params, reply, route_table
from datacenter.services.vmapi.routes import find
from datacenter.workflow.failure import TaskError
from datacenter.workflow.job import trimmed

if TYPE_CHECKING:
    from datacenter.services.vmapi import Vmapi

FILTERS = ("execution", "task", "vm_uuid")
EXECUTIONS = frozenset({"queued", "failed", "succeeded", "running", "canceled"})


class JobRoutes:
    """The routes of this module, each a method."""

    def __init__(self, vmapi: Vmapi) -> None:
        self._vmapi = vmapi
        self._jobs = vmapi.jobs

    def blueprint(self) -> Blueprint:
        return route_table(
            "jobs",
            {
                "GET /jobs": self.list_jobs,
                "GET /vms/<uuid>/jobs": self.list_vm_jobs,
                "GET /jobs/<job_uuid>": self.get_job,
                "GET /jobs/<job_uuid>/wait": self.wait,
            },
        )

    def _listed(self, asked: dict[str, Any]) -> Response:
        equal = {field: str(asked[field]) for field in FILTERS if asked.get(field)}
        if equal.get("execution", "queued") not in EXECUTIONS:
            errors = [{"field": "execution", "code": "Invalid"}]
            raise RestError(409, "ValidationFailed", "Invalid Parameters", errors)
        return reply([trimmed(doc) for doc in self._jobs.find(equal)])

    def list_jobs(self) -> Response:
        return self._listed(params())

    def list_vm_jobs(self, uuid: str) -> Response:
        asked = params()
        find(self._vmapi, uuid, asked)
        return self._listed({**asked, "vm_uuid": uuid})

    def get_job(self, job_uuid: str) -> Response:
        """Pollers come here: it costs a look into memory while the job runs."""
        _check(job_uuid)
        doc = self._jobs.get(job_uuid)
        if doc is None:
            raise RestError(404, "ResourceNotFound", "Job not found")
        return reply(trimmed(doc))

    def wait(self, job_uuid: str) -> Response:
        """Hold the answer until the job has ended; a failed job is answered with its error."""
        _check(job_uuid)
        try:
            return reply(trimmed(self._jobs.wait(job_uuid)))
        except TaskError as error:
            raise error.rest() from error


def _check(job_uuid: str) -> None:
    if not is_uuid(job_uuid):
        errors = [{"field": "job_uuid", "code": "Invalid", "message": "Invalid UUID"}]
        raise RestError(409, "ValidationFailed", "Invalid Parameters", errors)

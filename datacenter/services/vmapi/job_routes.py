"""VMAPI's view of the jobs it queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from datacenter.restify import RestError, is_uuid, params, reply
from datacenter.services.vmapi.routes import find
from datacenter.workflow.failure import TaskError
from datacenter.workflow.job import trimmed

if TYPE_CHECKING:
    from datacenter.services.vmapi import Vmapi

FILTERS = ("execution", "task", "vm_uuid")
EXECUTIONS = frozenset({"queued", "failed", "succeeded", "running", "canceled"})


def job_routes(vmapi: Vmapi) -> Blueprint:
    routes = Blueprint("jobs", __name__)
    jobs = vmapi.jobs

    def listed(asked: dict[str, Any]) -> Response:
        equal = {field: str(asked[field]) for field in FILTERS if asked.get(field)}
        if equal.get("execution", "queued") not in EXECUTIONS:
            errors = [{"field": "execution", "code": "Invalid"}]
            raise RestError(409, "ValidationFailed", "Invalid Parameters", errors)
        return reply([trimmed(doc) for doc in jobs.find(equal)])

    @routes.get("/jobs")
    def list_jobs() -> Response:
        return listed(params())

    @routes.get("/vms/<uuid>/jobs")
    def list_vm_jobs(uuid: str) -> Response:
        asked = params()
        find(vmapi, uuid, asked)
        return listed({**asked, "vm_uuid": uuid})

    @routes.get("/jobs/<job_uuid>")
    def get_job(job_uuid: str) -> Response:
        """Pollers come here: it costs a look into memory while the job runs."""
        _check(job_uuid)
        doc = jobs.get(job_uuid)
        if doc is None:
            raise RestError(404, "ResourceNotFound", "Job not found")
        return reply(trimmed(doc))

    @routes.get("/jobs/<job_uuid>/wait")
    def wait(job_uuid: str) -> Response:
        """Hold the answer until the job has ended; a failed job is answered with its error."""
        _check(job_uuid)
        try:
            return reply(trimmed(jobs.wait(job_uuid)))
        except TaskError as error:
            raise error.rest() from error

    return routes


def _check(job_uuid: str) -> None:
    if not is_uuid(job_uuid):
        errors = [{"field": "job_uuid", "code": "Invalid", "message": "Invalid UUID"}]
        raise RestError(409, "ValidationFailed", "Invalid Parameters", errors)

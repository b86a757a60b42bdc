"""WFAPI's routes. Its request ids are the uuids of what a request is about, as the real service has them."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from datacenter.restify import RestError, body, not_found, params, reply
from datacenter.workflow.job import full

if TYPE_CHECKING:
    from datacenter.services.wfapi import Wfapi

Doc = dict[str, Any]

EXECUTIONS = frozenset({"queued", "failed", "succeeded", "running", "canceled"})
SEARCHED = ("execution", "vm_uuid", "task", "target")
NOT_PARAMS = frozenset({"workflow", "target", "exec_after", "num_attempts", "locks"})
PAGE = 1000


def wfapi_routes(wfapi: Wfapi) -> Blueprint:
    routes = Blueprint("wfapi", __name__)
    engine = wfapi.engine

    def workflow(workflow_uuid: str) -> Doc:
        """A workflow by uuid: one of ours, or one that a client has stored."""
        built_in = next((known for known in engine.workflows() if known.uuid == workflow_uuid), None)
        found = built_in.definition() if built_in else wfapi.definitions.get(workflow_uuid)
        if found is None:
            raise not_found(f"Workflow with uuid '{workflow_uuid}' does not exist")
        return found

    def view(doc: Doc) -> Doc:
        return full(doc, engine.workflow(doc["task"]))

    def job(job_uuid: str) -> Doc:
        found = engine.get(job_uuid)
        if found is None:
            raise not_found(f"Job with uuid '{job_uuid}' does not exist")
        return found

    @routes.get("/ping")
    def ping() -> Response:
        return reply({"pid": os.getpid(), "backend": "up"})

    @routes.get("/stats")
    def stats() -> Response:
        """How many jobs are in which state."""
        counted = {execution: engine.count({"execution": execution}) for execution in sorted(EXECUTIONS)}
        return reply({"all_time": counted, "current": counted})

    @routes.get("/workflows")
    def list_workflows() -> Response:
        name = params().get("name")
        found = [known.definition() for known in engine.workflows()] + wfapi.definitions.all()
        return reply([known for known in found if name is None or known["name"] == name])

    @routes.post("/workflows")
    def create_workflow() -> Response:
        """Keep a workflow's definition. Its source text is never executed."""
        given = body()
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            raise RestError(409, "Conflict", "A workflow needs a name")
        taken = [known.name for known in engine.workflows()] + [known["name"] for known in wfapi.definitions.all()]
        if given["name"] in taken:
            raise RestError(409, "Conflict", "Workflow.name must be unique. A workflow with the same name exists")
        made = {**given, "uuid": str(uuid.uuid4()), "max_attempts": given.get("max_attempts", 10)}
        wfapi.definitions.put(made["uuid"], made)
        g.request_id = made["uuid"]
        return reply(made, 201, location=f"/workflows/{made['uuid']}", request_id=made["uuid"])

    @routes.get("/workflows/<workflow_uuid>")
    def get_workflow(workflow_uuid: str) -> Response:
        return reply(workflow(workflow_uuid), request_id=workflow_uuid)

    @routes.put("/workflows/<workflow_uuid>")
    def update_workflow(workflow_uuid: str) -> Response:
        known = workflow(workflow_uuid)
        if workflow_uuid not in wfapi.definitions:
            raise RestError(409, "Conflict", f"Workflow {known['name']} is built in")
        given = body()
        changed = {**known, **(given if isinstance(given, dict) else {}), "uuid": workflow_uuid}
        return reply(wfapi.definitions.put(workflow_uuid, changed), request_id=workflow_uuid)

    @routes.delete("/workflows/<workflow_uuid>")
    def delete_workflow(workflow_uuid: str) -> Response:
        known = workflow(workflow_uuid)
        if workflow_uuid not in wfapi.definitions:
            raise RestError(409, "Conflict", f"Workflow {known['name']} is built in")
        wfapi.definitions.delete(workflow_uuid)
        return reply(status=204)

    @routes.get("/jobs")
    def list_jobs() -> Response:
        """List jobs, newest first, by execution, vm_uuid, task, target or any of their params."""
        asked = params()
        if asked.get("execution", "queued") not in EXECUTIONS:
            raise RestError(409, "Conflict", "Execution is not valid")
        limit, offset = (_number(asked, name, default) for name, default in (("limit", PAGE), ("offset", 0)))
        equal = {name: str(asked[name]) for name in SEARCHED if asked.get(name)}
        rest = {name: value for name, value in asked.items() if name not in {*SEARCHED, "limit", "offset"}}
        if rest:
            found = [doc for doc in engine.find(equal, limit=-1) if _has(doc, rest)]
            page, total = found[offset : offset + limit], len(found)
        else:
            page, total = engine.find(equal, limit, offset), engine.count(equal)
        return reply([view(doc) for doc in page], x_count=str(total))

    @routes.post("/jobs")
    def create_job() -> Response:
        """Queue a job of a built-in workflow; the definitions that clients store can't be run."""
        asked = params()
        known = workflow(str(asked.get("workflow", "")))
        task = next((built_in.task for built_in in engine.workflows() if built_in.uuid == known["uuid"]), None)
        if task is None:
            raise RestError(
                409, "Conflict", f"Workflow {known['name']} is source text, which this data center does not run"
            )
        job_params = {name: value for name, value in asked.items() if name not in NOT_PARAMS}
        missing = [name for name in ("vm_uuid", "server_uuid") if not isinstance(job_params.get(name), str)]
        if missing:
            raise RestError(409, "Conflict", f"{', '.join(missing)} must be given")
        target = str(asked.get("target", f"/{task}-{job_params['vm_uuid']}"))
        for execution in ("queued", "running"):
            for doc in engine.find({"execution": execution, "target": target}):
                if {**doc["params"], "x-request-id": None} == {**job_params, "x-request-id": None}:
                    raise RestError(409, "Conflict", f"Another job with the same target and params is {execution}")
        made = engine.submit(task, target, {**job_params, "task": task, "x-request-id": g.request_id})
        return reply(view(made.doc), 201, location=f"/jobs/{made.uuid}", request_id=made.uuid)

    @routes.get("/jobs/<job_uuid>")
    def get_job(job_uuid: str) -> Response:
        return reply(view(job(job_uuid)), request_id=job_uuid)

    @routes.post("/jobs/<job_uuid>/cancel")
    def cancel_job(job_uuid: str) -> Response:
        """Stop a job before its next task; the one that runs is let finish."""
        job(job_uuid)
        doc = engine.cancel(job_uuid)
        assert doc is not None
        return reply(view(doc))

    @routes.post("/jobs/<job_uuid>/resume")
    def resume_job(job_uuid: str) -> Response:
        """No job of ours ever waits for somebody to resume it."""
        job(job_uuid)
        raise RestError(409, "Conflict", "Only waiting jobs can be resumed")

    @routes.get("/jobs/<job_uuid>/info")
    def get_info(job_uuid: str) -> Response:
        return reply(job(job_uuid)["info"])

    @routes.post("/jobs/<job_uuid>/info")
    def add_info(job_uuid: str) -> Response:
        job(job_uuid)
        given = body()
        if not isinstance(given, dict):
            raise RestError(409, "Conflict", "Job info must be an object")
        engine.add_info(job_uuid, given)
        return reply(status=200)

    return routes


def _has(doc: Doc, wanted: Doc) -> bool:
    return all(doc["params"].get(name) == value or doc.get(name) == value for name, value in wanted.items())


def _number(asked: Doc, name: str, default: int) -> int:
    text = str(asked.get(name, default))
    if not text.isdecimal():
        raise RestError(409, "Conflict", f"{name} must be a number")
    return int(text)

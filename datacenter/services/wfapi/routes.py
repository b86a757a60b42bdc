"""WFAPI's routes. Its request ids are the uuids of what a request is about, as the real service has them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from datacenter.restify import RestError, body, not_found, params, reply, route_table
from datacenter.services.wfapi import definitions
from datacenter.workflow.job import full

if TYPE_CHECKING:
    from datacenter.services.wfapi import Wfapi

Doc = dict[str, Any]

EXECUTIONS = frozenset({"queued", "failed", "succeeded", "running", "canceled"})
SEARCHED = ("execution", "vm_uuid", "task", "target")
NOT_PARAMS = frozenset({"workflow", "target", "exec_after", "num_attempts", "locks"})
PAGE = 1000


class WfapiRoutes:
    """The routes of this module, each a method."""

    def __init__(self, wfapi: Wfapi) -> None:
        self._definitions = wfapi.definitions
        self._engine = wfapi.engine

    def blueprint(self) -> Blueprint:
        return route_table(
            "wfapi",
            {
                "GET /ping": self.ping,
                "GET /stats": self.stats,
                "GET /workflows": self.list_workflows,
                "POST /workflows": self.create_workflow,
                "GET /workflows/<workflow_uuid>": self.get_workflow,
                "PUT /workflows/<workflow_uuid>": self.update_workflow,
                "DELETE /workflows/<workflow_uuid>": self.delete_workflow,
                "GET /jobs": self.list_jobs,
                "POST /jobs": self.create_job,
                "GET /jobs/<job_uuid>": self.get_job,
                "POST /jobs/<job_uuid>/cancel": self.cancel_job,
                "POST /jobs/<job_uuid>/resume": self.resume_job,
                "GET /jobs/<job_uuid>/info": self.get_info,
                "POST /jobs/<job_uuid>/info": self.add_info,
            },
        )

    def _workflow(self, workflow_uuid: str) -> Doc:
        """A workflow by uuid: one of ours, or one that a client has stored."""
        built_in = next((known for known in self._engine.workflows() if known.uuid == workflow_uuid), None)
        found = built_in.definition() if built_in else self._definitions.get(workflow_uuid)
        if found is None:
            raise not_found(f"Workflow with uuid '{workflow_uuid}' does not exist")
        return found

    def _view(self, doc: Doc) -> Doc:
        return full(doc, self._engine.workflow_of(doc))

    def _job(self, job_uuid: str) -> Doc:
        found = self._engine.get(job_uuid)
        if found is None:
            raise not_found(f"Job with uuid '{job_uuid}' does not exist")
        return found

    def ping(self) -> Response:
        return reply({"pid": os.getpid(), "backend": "up"})

    def stats(self) -> Response:
        """How many jobs are in which state."""
        counted = {execution: self._engine.count({"execution": execution}) for execution in sorted(EXECUTIONS)}
        return reply({"all_time": counted, "current": counted})

    def list_workflows(self) -> Response:
        name = params().get("name")
        found = [known.definition() for known in self._engine.workflows()] + self._definitions.all()
        return reply([known for known in found if name is None or known["name"] == name])

    def create_workflow(self) -> Response:
        """Keep a workflow's definition. Its source text is never executed."""
        given = body()
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            raise RestError(409, "Conflict", "A workflow needs a name")
        taken = [known.name for known in self._engine.workflows()] + [
            known["name"] for known in self._definitions.all()
        ]
        if given["name"] in taken:
            raise RestError(409, "Conflict", "Workflow.name must be unique. A workflow with the same name exists")
        made = definitions.made(given)
        self._definitions.put(made["uuid"], made)
        g.request_id = made["uuid"]
        shown = {field: value for field, value in made.items() if field != "version"}
        return reply(shown, 201, location=f"/workflows/{made['uuid']}", request_id=made["uuid"])

    def get_workflow(self, workflow_uuid: str) -> Response:
        return reply(self._workflow(workflow_uuid), request_id=workflow_uuid)

    def update_workflow(self, workflow_uuid: str) -> Response:
        known = self._workflow(workflow_uuid)
        if workflow_uuid not in self._definitions:
            raise RestError(409, "Conflict", f"Workflow {known['name']} is built in")
        given = body()
        changes = given if isinstance(given, dict) else {}
        self._definitions.put(workflow_uuid, {**known, **changes, "uuid": workflow_uuid})
        return reply({"uuid": workflow_uuid, **changes}, request_id=workflow_uuid)

    def delete_workflow(self, workflow_uuid: str) -> Response:
        known = self._workflow(workflow_uuid)
        if workflow_uuid not in self._definitions:
            raise RestError(409, "Conflict", f"Workflow {known['name']} is built in")
        self._definitions.delete(workflow_uuid)
        return reply(status=204)

    def list_jobs(self) -> Response:
        """List jobs, newest first, by execution, vm_uuid, task, target or any of their params."""
        asked = params()
        if asked.get("execution", "queued") not in EXECUTIONS:
            raise RestError(409, "Conflict", "Execution is not valid")
        limit, offset = (_number(asked, name, default) for name, default in (("limit", PAGE), ("offset", 0)))
        equal = {name: str(asked[name]) for name in SEARCHED if asked.get(name)}
        rest = {name: value for name, value in asked.items() if name not in {*SEARCHED, "limit", "offset"}}
        if rest:
            found = [doc for doc in self._engine.find(equal, limit=-1) if _has(doc, rest)]
            page, total = found[offset : offset + limit], len(found)
        else:
            page, total = self._engine.find(equal, limit, offset), self._engine.count(equal)
        return reply([self._view(doc) for doc in page], x_count=str(total))

    def create_job(self) -> Response:
        """Queue a job of a built-in workflow; the definitions that clients store can't be run."""
        asked = params()
        known = self._workflow(str(asked.get("workflow", "")))
        task = next((built_in.task for built_in in self._engine.workflows() if built_in.uuid == known["uuid"]), None)
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
            for doc in self._engine.find({"execution": execution, "target": target}):
                if {**doc["params"], "x-request-id": None} == {**job_params, "x-request-id": None}:
                    raise RestError(409, "Conflict", f"Another job with the same target and params is {execution}")
        made = self._engine.submit(task, target, {"x-request-id": g.request_id, **job_params, "task": task})
        return reply(self._view(made.doc), 201, location=f"/jobs/{made.uuid}", request_id=made.uuid)

    def get_job(self, job_uuid: str) -> Response:
        return reply(self._view(self._job(job_uuid)), request_id=job_uuid)

    def cancel_job(self, job_uuid: str) -> Response:
        """Stop a job before its next task; the one that runs is let finish."""
        self._job(job_uuid)
        doc = self._engine.cancel(job_uuid)
        assert doc is not None
        return reply(self._view(doc))

    def resume_job(self, job_uuid: str) -> Response:
        """No job of ours ever waits for somebody to resume it."""
        self._job(job_uuid)
        raise RestError(409, "Conflict", "Only waiting jobs can be resumed")

    def get_info(self, job_uuid: str) -> Response:
        return reply(self._job(job_uuid)["info"])

    def add_info(self, job_uuid: str) -> Response:
        self._job(job_uuid)
        given = body()
        if not isinstance(given, dict):
            raise RestError(409, "Conflict", "Job info must be an object")
        self._engine.add_info(job_uuid, given)
        return reply(status=200)


def _has(doc: Doc, wanted: Doc) -> bool:
    return all(doc["params"].get(name) == value or doc.get(name) == value for name, value in wanted.items())


def _number(asked: Doc, name: str, default: int) -> int:
    text = str(asked.get(name, default))
    if not text.isdecimal():
        raise RestError(409, "Conflict", f"{name} must be a number")
    return int(text)

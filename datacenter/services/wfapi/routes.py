"""WFAPI's routes. Its request ids are the uuids of what a request is about, as the real service has them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from datacenter.restify import RestError, body, not_found, params, reply, route_table
from datacenter.services.wfapi import definitions, jobs
from datacenter.workflow.definition import Workflow
from datacenter.workflow.failure import TaskError
from datacenter.workflow.job import UNFINISHED, full

if TYPE_CHECKING:
    from datacenter.services.wfapi import Wfapi

Doc = dict[str, Any]

EXECUTIONS = frozenset({"queued", "failed", "succeeded", "running", "canceled"})
SEARCHED = ("execution", "vm_uuid", "task", "target")
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
        built_in = self._built_in(workflow_uuid)
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
        """How many jobs are in which state, by their age."""
        return reply(jobs.statistics(self._engine.find({}, limit=-1)))

    def list_workflows(self) -> Response:
        name = params().get("name")
        found = [known.definition() for known in self._engine.workflows()] + self._definitions.all()
        return reply([known for known in found if name is None or known["name"] == name])

    def create_workflow(self) -> Response:
        """Keep a workflow's definition. Its source text is never executed."""
        given = body()
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            raise RestError(409, "Conflict", 'Workflow "name" is required')
        definitions.check(given)
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
        return reply(self._workflow(workflow_uuid))

    def update_workflow(self, workflow_uuid: str) -> Response:
        known = self._workflow(workflow_uuid)
        if workflow_uuid not in self._definitions:
            raise RestError(409, "Conflict", f"Workflow {known['name']} is built in")
        given = body()
        changes = given if isinstance(given, dict) else {}
        definitions.check(changes)
        self._definitions.put(workflow_uuid, {**known, **changes, "uuid": workflow_uuid})
        return reply({"uuid": workflow_uuid, **changes})

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
            message = "Execution must be one of queued, failed, succeeded, canceled or running"
            raise RestError(409, "Conflict", message)
        limit, offset = (_number(asked, name, default) for name, default in (("limit", PAGE), ("offset", 0)))
        equal = {name: str(asked[name]) for name in SEARCHED if asked.get(name)}
        rest = {name: value for name, value in asked.items() if name not in {*SEARCHED, "limit", "offset"}}
        if rest:
            found = [doc for doc in self._engine.find(equal, limit=-1) if jobs.has(doc, rest)]
            page, total = found[offset : offset + limit], len(found)
        else:
            page, total = self._engine.find(equal, limit, offset), self._engine.count(equal)
        return reply([self._view(doc) for doc in page], x_count=str(total))

    def create_job(self) -> Response:
        """Queue a job. One of a workflow that a client brought fails at its first task: its text is not run."""
        asked = params()
        known = self._workflow(str(asked.get("workflow", "")))
        workflow = self._built_in(known["uuid"]) or jobs.brought(known)
        if not workflow.chain:
            raise RestError(409, "Conflict", "Cannot queue a job from a workflow without any task")
        job_params = {name: value for name, value in asked.items() if name not in jobs.NOT_PARAMS}
        target = asked.get("target")
        if workflow.brought is None:
            missing = [name for name in ("vm_uuid", "server_uuid") if not isinstance(job_params.get(name), str)]
            if missing:
                raise RestError(409, "Conflict", f"{', '.join(missing)} must be given")
            target = target or f"/{workflow.task}-{job_params['vm_uuid']}"
        how = jobs.options(asked)
        self._check_same(target, job_params)
        task = str(job_params.get("task") or workflow.task)
        full_params = {"x-request-id": g.request_id, **job_params, "task": task}
        made = self._engine.submit(workflow, str(target or ""), full_params, **how)
        return reply(self._view(made.doc), 201, location=f"/jobs/{made.uuid}", request_id=made.uuid)

    def _built_in(self, workflow_uuid: str) -> Workflow | None:
        return next((known for known in self._engine.workflows() if known.uuid == workflow_uuid), None)

    def _check_same(self, target: str | None, job_params: Doc) -> None:
        """Refuse what is under way already: a job on the same target with the same params."""
        for execution in UNFINISHED if target else ():
            for doc in self._engine.find({"execution": execution, "target": str(target)}, limit=-1):
                if jobs.is_same(doc, job_params):
                    message = "Another job with the same target and params is already queued"
                    raise RestError(409, "Conflict", message)

    def get_job(self, job_uuid: str) -> Response:
        return reply(self._view(self._job(job_uuid)))

    def cancel_job(self, job_uuid: str) -> Response:
        """Stop a job before its next task; the one that runs is let finish, and the job is ``running`` until then."""
        self._job(job_uuid)
        doc = self._engine.cancel(job_uuid)
        assert doc is not None
        return reply({**self._view(doc), "execution": "canceled"})

    def resume_job(self, job_uuid: str) -> Response:
        """Give a waiting job what it waits for: a ``result``, or an ``error``, a text or an object."""
        asked = params()
        told = asked.get("error")
        error = None
        if told:
            facts = told if isinstance(told, dict) else {"message": str(told)}
            code = str(facts.get("restCode") or facts.get("name") or "InternalError")
            error = TaskError(code, str(facts.get("message", "")))
        doc = self._engine.go_on(job_uuid, str(asked.get("result") or "OK"), error)
        return reply(self._view(doc or self._job(job_uuid)))

    def get_info(self, job_uuid: str) -> Response:
        return reply(self._job(job_uuid)["info"])

    def add_info(self, job_uuid: str) -> Response:
        self._job(job_uuid)
        given = body()
        if not isinstance(given, dict):
            raise RestError(409, "Conflict", "Job info must be an object")
        self._engine.add_info(job_uuid, given)
        return reply(status=200)


def _number(asked: Doc, name: str, default: int) -> int:
    text = str(asked.get(name, default))
    if not text.isdecimal():
        raise RestError(409, "Conflict", f"{name} must be a number")
    return int(text)

"""WFAPI: workflows and their jobs, as the workflow service shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datacenter.restify import full_response, service
from datacenter.services.wfapi import jobs
from datacenter.services.wfapi.routes import WfapiRoutes
from datacenter.workflow.definition import Workflow
from datacenter.workflow.engine import Engine

if TYPE_CHECKING:
    from datacenter.center import DataCenter


class Wfapi:
    """The service, and the engine that runs the data center's jobs."""

    def __init__(self, dc: DataCenter) -> None:
        self.engine = Engine(dc.store)
        self.definitions = dc.store.bucket("workflows")
        self.engine.elsewhere = self._brought
        self.app = service("wfapi", "WorkflowAPI")
        self.app.after_request(full_response)
        self.app.register_blueprint(WfapiRoutes(self).blueprint())

    def _brought(self, workflow_uuid: str) -> Workflow | None:
        """A workflow that a client brought."""
        definition = self.definitions.get(workflow_uuid)
        return None if definition is None else jobs.brought(definition)

"""CNAPI's routes for work on whole servers: what can be done here is, what cannot is refused in words that say why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from datacenter.restify import RestError, reply, route_table
from datacenter.services.cnapi.routes import check_uuid
from datacenter.workflow.failure import TaskError

if TYPE_CHECKING:
    from datacenter.services.cnapi import Cnapi

Doc = dict[str, Any]

SYSINFO_LIMIT = 60.0
"""Seconds that a node has to tell its sysinfo."""
REFUSED = {
    "POST reboot": "compute nodes of this data center share a machine: reboot that",
    "POST execute": "commands are run on compute nodes of this data center by whoever has a shell on the machine",
    "POST install-agent": "the agent of a compute node comes with this data center's own version",
    "POST uninstall-agents": "the agent of a compute node comes with this data center's own version",
    "PUT nics": "the nics of compute nodes are the machine's own: their tags stay",
}


class OperatorRoutes:
    """The routes of this module, each a method."""

    def __init__(self, cnapi: Cnapi) -> None:
        self._cnapi = cnapi
        self._servers = cnapi.servers

    def blueprint(self) -> Blueprint:
        rows: dict[str, Any] = {
            "POST /servers/<uuid>/sysinfo-refresh": self.refresh,
            "PUT /servers/<uuid>/setup": self.set_up,
            "PUT /servers/<uuid>/factory-reset": self.reset,
        }
        for row, sentence in REFUSED.items():
            method, work = row.split(" ")
            rows[f"{method} /servers/<uuid>/{work}"] = self._refusal(sentence)
        return route_table("operators", rows)

    def refresh(self, uuid: str) -> Response:
        """Ask a node for its sysinfo, and note it before answering."""
        check_uuid(uuid)
        try:
            told = self._cnapi.task(uuid, "server_sysinfo", {}, timeout=SYSINFO_LIMIT, req_id=g.request_id)
        except TaskError as error:
            raise RestError(500, "InternalError", str(error)) from error
        sysinfo = told.get("sysinfo")
        if not isinstance(sysinfo, dict):
            raise RestError(500, "InternalError", "the compute node told no sysinfo")
        self._servers.register(uuid, sysinfo)
        return reply({})

    def set_up(self, uuid: str) -> Response:
        """Nothing is left to do for a server that is set up; the others are set up by their own agents."""
        if self._known(uuid)["setup"]:
            return reply(None, 204)
        raise RestError(501, "NotImplemented", "compute nodes of this data center come set up")

    def reset(self, uuid: str) -> Response:
        """Refused: with VMs as everywhere, without as there is no pool to destroy."""
        self._known(uuid)
        vms = self._servers.vms(uuid)
        if vms:
            raise RestError(409, "Conflict", f"Server may not be reset because it has {len(vms)} vms")
        raise RestError(501, "NotImplemented", "compute nodes of this data center are removed with it")

    def _known(self, uuid: str) -> Doc:
        check_uuid(uuid)
        return self._servers.get(uuid)

    def _refusal(self, sentence: str) -> Any:
        def refuse(uuid: str) -> Response:
            self._known(uuid)
            raise RestError(501, "NotImplemented", sentence)

        return refuse

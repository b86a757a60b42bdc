"""FWAPI's HTTP side. Changes answer 202 and an update id: on a real Triton they spread to the nodes later."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from datacenter.restify import RestError, is_uuid, params, reply, service
from datacenter.services.fwapi import queries

if TYPE_CHECKING:
    from datacenter.services.fwapi.model import Fwapi, RuleDoc


def make_app(fwapi: Fwapi) -> Flask:
    app = service("fwapi", "SmartDC Firewall API")

    @app.get("/ping")
    def ping() -> Response:
        services = {"fast": "online", "moray": "online", "ufds": "online"}
        return reply({"healthy": True, "services": services, "status": "OK"})

    @app.get("/rules")
    def list_rules() -> Response:
        return reply(queries.select(fwapi, params(), _fields()))

    @app.post("/rules")
    def create_rule() -> Response:
        asked = params()
        if not asked.get("rule"):
            raise RestError(409, "MissingParameter", '"rule" parameter required')
        rule = fwapi.create(asked)
        return reply(rule, 202, x_update_id=str(uuid.uuid4()))

    @app.get("/rules/<rule_uuid>")
    def get_rule(rule_uuid: str) -> Response:
        return reply(queries.show(fwapi, _rule(fwapi, rule_uuid, _owner()), _fields()))

    @app.put("/rules/<rule_uuid>")
    def update_rule(rule_uuid: str) -> Response:
        changes = params()
        rule = _rule(fwapi, rule_uuid, changes.get("owner_uuid"))
        return reply(fwapi.update(rule, changes), 202, x_update_id=str(uuid.uuid4()))

    @app.delete("/rules/<rule_uuid>")
    def delete_rule(rule_uuid: str) -> Response:
        owner = params().get("owner_uuid")
        fwapi.delete(_rule(fwapi, rule_uuid, owner)["uuid"])
        return reply(None, 204, x_update_id=str(uuid.uuid4()))

    _vm_routes(app, fwapi)
    return app


def _vm_routes(app: Flask, fwapi: Fwapi) -> None:
    @app.get("/rules/<rule_uuid>/vms")
    def vms_of_rule(rule_uuid: str) -> Response:
        return reply(fwapi.vms_of_rule(_rule(fwapi, rule_uuid, _owner())))

    @app.get("/firewalls/vms/<vm_uuid>")
    def rules_of_vm(vm_uuid: str) -> Response:
        return reply(fwapi.rules_of_vm(vm_uuid, _owner()))

    @app.post("/updates")
    def vm_updated() -> Response:
        """A VM was made, changed or destroyed. Rules are matched when asked for, so only the form is checked."""
        if not params().get("type"):
            raise RestError(409, "MissingParameter", "type is required")
        return reply({"update_uuid": str(uuid.uuid4())}, 202)


def _rule(fwapi: Fwapi, rule_uuid: str, owner_uuid: str | None) -> RuleDoc:
    """A rule that the owner, if one is named, may see. Raises 403, 404, and 422 for what is no uuid."""
    if not is_uuid(rule_uuid):
        problem = {"field": "uuid", "code": "InvalidParameter", "message": "Invalid UUID"}
        raise RestError(422, "InvalidParameters", "Invalid parameters", [problem])
    return fwapi.rule(rule_uuid, owner_uuid)


def _owner() -> str | None:
    return request.args.get("owner_uuid")


def _fields() -> list[str]:
    """``fields`` as a list with commas, or given several times."""
    return [field for text in request.args.getlist("fields") for field in text.split(",") if field]

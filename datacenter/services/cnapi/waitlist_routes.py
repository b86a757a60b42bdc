"""CNAPI's routes about waitlist tickets and about tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from datacenter.clock import epoch
from datacenter.restify import RestError, params, reply, truthy

if TYPE_CHECKING:
    from datacenter.services.cnapi import Cnapi

TASK_WAIT = 3600.0


def waitlist_routes(cnapi: Cnapi) -> Blueprint:
    routes = Blueprint("waitlist", __name__)
    tickets = cnapi.tickets

    @routes.post("/servers/<server_uuid>/tickets")
    def create_ticket(server_uuid: str) -> Response:
        """Queue up. ``server_uuid`` may be ``default`` for what concerns no one server."""
        asked = params()
        _check(asked)
        ticket = tickets.create(
            server_uuid,
            asked["scope"],
            asked["id"],
            asked["expires_at"],
            action=asked.get("action"),
            extra=asked.get("extra"),
            reqid=g.request_id,
        )
        return reply({"uuid": ticket["uuid"], "queue": tickets.queue(ticket)}, 202)

    @routes.get("/servers/<server_uuid>/tickets")
    def list_tickets(server_uuid: str) -> Response:
        asked = params()
        attribute = str(asked.get("attribute", "created_at"))
        newest_first = str(asked.get("order", "asc")).lower() == "desc"
        found = sorted(
            tickets.of_server(server_uuid),
            key=lambda ticket: str(ticket.get(attribute, "")),
            reverse=newest_first,
        )
        offset, limit = _number(asked, "offset", 0), _number(asked, "limit", 1000)
        return reply(found[offset : offset + limit])

    @routes.delete("/servers/<server_uuid>/tickets")
    def delete_tickets(server_uuid: str) -> Response:
        if not truthy(params().get("force")):
            raise RestError(500, "InternalError", "deleting a server's tickets needs force=true")
        tickets.delete_all(server_uuid)
        return reply(status=204)

    @routes.get("/tickets/<uuid>")
    def get_ticket(uuid: str) -> Response:
        return reply(tickets.get(uuid))

    @routes.get("/tickets/<uuid>/wait")
    def wait_for_ticket(uuid: str) -> Response:
        tickets.wait(uuid)
        return reply(status=204)

    @routes.put("/tickets/<uuid>/release")
    def release_ticket(uuid: str) -> Response:
        tickets.release(uuid)
        return reply(status=204)

    @routes.delete("/tickets/<uuid>")
    def delete_ticket(uuid: str) -> Response:
        tickets.delete(uuid)
        return reply(status=204)

    @routes.get("/tasks/<task_id>")
    def get_task(task_id: str) -> Response:
        return reply(cnapi.tasks.get(task_id))

    @routes.get("/tasks/<task_id>/wait")
    def wait_for_task(task_id: str) -> Response:
        """Hold the answer until the task has ended; when time is up, answer with the task as it is."""
        seconds = _number(params(), "timeout", int(TASK_WAIT))
        return reply(cnapi.tasks.wait(task_id, float(seconds)))

    return routes


def _check(asked: dict[str, Any]) -> None:
    """Refuse a ticket without its coordinates; a real CNAPI dies of one."""
    wrong = [name for name in ("scope", "id", "expires_at") if not isinstance(asked.get(name), str)]
    if not wrong:
        try:
            epoch(asked["expires_at"])
        except ValueError:
            wrong = ["expires_at"]
    if wrong:
        errors = [{"field": name, "code": "Invalid", "message": "value is not a string."} for name in wrong]
        raise RestError(500, "InvalidParameters", "Request parameters failed validation", errors)


def _number(asked: dict[str, Any], name: str, default: int) -> int:
    text = str(asked.get(name, default))
    if not text.isdecimal():
        raise RestError(400, "InvalidArgument", f"invalid {name}: {text}")
    return int(text)

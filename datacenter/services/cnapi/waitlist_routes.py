"""CNAPI's routes about waitlist tickets and about tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from datacenter.clock import epoch
from datacenter.restify import RestError, params, reply, route_table, truthy

if TYPE_CHECKING:
    from datacenter.services.cnapi import Cnapi

TASK_WAIT = 3600.0
NO_SERVER = "default"
"""Stands in a path for what concerns no one server."""


class WaitlistRoutes:
    """The routes of this module, each a method."""

    def __init__(self, cnapi: Cnapi) -> None:
        self._servers = cnapi.servers
        self._tickets = cnapi.tickets
        self._tasks = cnapi.tasks

    def blueprint(self) -> Blueprint:
        return route_table(
            "waitlist",
            {
                "POST /servers/<server_uuid>/tickets": self.create_ticket,
                "GET /servers/<server_uuid>/tickets": self.list_tickets,
                "DELETE /servers/<server_uuid>/tickets": self.delete_tickets,
                "GET /tickets/<uuid>": self.get_ticket,
                "GET /tickets/<uuid>/wait": self.wait_for_ticket,
                "PUT /tickets/<uuid>/release": self.release_ticket,
                "DELETE /tickets/<uuid>": self.delete_ticket,
                "GET /tasks/<task_id>": self.get_task,
                "GET /tasks/<task_id>/wait": self.wait_for_task,
            },
        )

    def create_ticket(self, server_uuid: str) -> Response:
        """Queue up. ``server_uuid`` may be ``default`` for what concerns no one server."""
        self._check_server(server_uuid)
        asked = params()
        _check(asked)
        ticket = self._tickets.create(
            server_uuid,
            asked["scope"],
            asked["id"],
            asked["expires_at"],
            action=asked.get("action"),
            extra=asked.get("extra"),
            reqid=request.headers.get("x-request-id"),
        )
        return reply({"uuid": ticket["uuid"], "queue": self._tickets.queue(ticket)}, 202)

    def list_tickets(self, server_uuid: str) -> Response:
        """Tickets by the time they were made, or by ``attribute`` in ``order``; a page of ``limit`` from ``offset``."""
        self._check_server(server_uuid)
        asked = params()
        attribute = str(asked.get("attribute", "created_at"))
        newest_first = str(asked.get("order", "asc")).lower() == "desc"
        found = sorted(
            self._tickets.of_server(server_uuid),
            key=lambda ticket: str(ticket.get(attribute, "")),
            reverse=newest_first,
        )
        offset, limit = _number(asked, "offset", 0), _number(asked, "limit", 1000)
        return reply(found[offset : offset + limit])

    def delete_tickets(self, server_uuid: str) -> Response:
        self._check_server(server_uuid)
        if not truthy(params().get("force")):
            raise RestError(412, "PreconditionFailed", "Will not delete all tickets without ?force=true")
        self._tickets.delete_all(server_uuid)
        return reply(status=204)

    def _check_server(self, server_uuid: str) -> None:
        if server_uuid != NO_SERVER:
            self._servers.get(server_uuid)

    def get_ticket(self, uuid: str) -> Response:
        return reply(self._tickets.get(uuid))

    def wait_for_ticket(self, uuid: str) -> Response:
        self._tickets.wait(uuid)
        return reply(status=204)

    def release_ticket(self, uuid: str) -> Response:
        self._tickets.release(uuid)
        return reply(status=204)

    def delete_ticket(self, uuid: str) -> Response:
        self._tickets.delete(uuid)
        return reply(status=204)

    def get_task(self, task_id: str) -> Response:
        return reply(self._tasks.get(task_id))

    def wait_for_task(self, task_id: str) -> Response:
        """Hold the answer until the task has ended; when time is up, answer with the task as it is.

        A ``timeout`` that is no number of seconds is as none.
        """
        text = str(params().get("timeout", ""))
        return reply(self._tasks.wait(task_id, float(text) if text.isdecimal() and int(text) else TASK_WAIT))


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

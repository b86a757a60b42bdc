"""Waitlist tickets: whoever would change one VM queues up for it."""

from __future__ import annotations

import time
import uuid
from typing import Any

from gevent.event import Event

from datacenter.clock import epoch, iso
from datacenter.restify import RestError, not_found

Doc = dict[str, Any]
KEEP = 1000
"""Finished and expired tickets remembered, newest first."""


class Tickets:
    """The queues of all servers, one per (server, scope, id); only the head of a queue is active.

    Kept in memory: a ticket guards work under way in clients or in jobs, and jobs queue up anew after a restart.
    """

    def __init__(self) -> None:
        self._tickets: dict[str, Doc] = {}
        self._queues: dict[tuple[str, str, str], list[Doc]] = {}
        self._turns: dict[str, Event] = {}

    def create(self, server_uuid: str, scope: str, subject: str, expires_at: str, **extra: Any) -> Doc:
        """Queue up. ``expires_at`` is an ISO time, after which the ticket no longer keeps others waiting."""
        now = iso()
        ticket: Doc = {"action": extra["action"]} if extra.get("action") else {}
        ticket |= {
            "created_at": now,
            "expires_at": expires_at,
            "extra": extra.get("extra") or {},
            "id": subject,
            "scope": scope,
            "server_uuid": server_uuid,
            "status": "queued",
            "updated_at": now,
            "uuid": str(uuid.uuid4()),
        }
        if extra.get("reqid"):
            ticket["reqid"] = extra["reqid"]
        self._tickets[ticket["uuid"]] = ticket
        self._turns[ticket["uuid"]] = Event()
        self._queues.setdefault(self._key(ticket), []).append(ticket)
        self._advance(self._key(ticket))
        return ticket

    def hold(self, server_uuid: str, subject: str, action: str, seconds: float) -> Doc:
        """Queue up for one VM on behalf of a job."""
        return self.create(server_uuid, "vm", subject, iso(time.time() + seconds), action=action)

    def get(self, ticket_uuid: str) -> Doc:
        """Return a ticket as it is now. Raises RestError ResourceNotFound."""
        ticket = self._tickets.get(ticket_uuid)
        if ticket is None:
            raise not_found(f"ticket {ticket_uuid} not found")
        self._advance(self._key(ticket))
        return ticket

    def queue(self, ticket: Doc) -> list[Doc]:
        """Everybody in the ticket's queue, the active one first."""
        return list(self._queues.get(self._key(ticket), ()))

    def busy(self, server_uuid: str, subject: str) -> bool:
        """Whether somebody holds a VM at this moment."""
        key = (server_uuid, "vm", subject)
        self._advance(key)
        return bool(self._queues.get(key))

    def wait(self, ticket_uuid: str) -> None:
        """Wait for the ticket's turn. Raises RestError when it is unknown, expires or was released."""
        ticket = self.get(ticket_uuid)
        while ticket["status"] == "queued":
            head = self._queues[self._key(ticket)][0]
            self._turns[ticket_uuid].wait(max(epoch(head["expires_at"]) - time.time(), 0.001))
            self._advance(self._key(ticket))
        if ticket["status"] != "active":
            raise RestError(500, "InternalError", f"ticket {ticket_uuid} has {ticket['status']}")

    def release(self, ticket_uuid: str) -> None:
        """Leave the queue. Releasing twice is no error. Raises RestError ResourceNotFound."""
        ticket = self.get(ticket_uuid)
        if ticket["status"] in {"active", "queued"}:
            self._leave(ticket, "finished")
            self._advance(self._key(ticket))
            self._forget_old()

    def delete(self, ticket_uuid: str) -> None:
        self.release(ticket_uuid)
        self._tickets.pop(ticket_uuid, None)

    def delete_all(self, server_uuid: str) -> None:
        for ticket in self.of_server(server_uuid):
            self.delete(ticket["uuid"])

    def of_server(self, server_uuid: str) -> list[Doc]:
        """Tickets of one server, oldest first, ended ones among them."""
        found = [ticket for ticket in self._tickets.values() if ticket["server_uuid"] == server_uuid]
        for ticket in found:
            self._advance(self._key(ticket))
        return found

    @staticmethod
    def _key(ticket: Doc) -> tuple[str, str, str]:
        return ticket["server_uuid"], ticket["scope"], ticket["id"]

    def _advance(self, key: tuple[str, str, str]) -> None:
        """Drop expired tickets and wake the one whose turn it is."""
        queue = self._queues.get(key)
        now = iso()
        while queue and queue[0]["expires_at"] <= now:
            self._leave(queue[0], "expired")
        if queue and queue[0]["status"] == "queued":
            queue[0].update(status="active", updated_at=now)
            self._turns[queue[0]["uuid"]].set()

    def _leave(self, ticket: Doc, status: str) -> None:
        ticket.update(status=status, updated_at=iso())
        queue = self._queues[self._key(ticket)]
        queue.remove(ticket)
        if not queue:
            del self._queues[self._key(ticket)]
        self._turns.pop(ticket["uuid"]).set()

    def _forget_old(self) -> None:
        excess = len(self._tickets) - KEEP
        if excess > 0:
            ended = [key for key, ticket in self._tickets.items() if ticket["status"] in {"finished", "expired"}]
            for key in ended[:excess]:
                del self._tickets[key]

"""Waitlist tickets: whoever would change one VM queues up for it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection
from typing import Any

from gevent.event import Event

from datacenter.clock import epoch, iso
from datacenter.restify import RestError, not_found
from datacenter.store import Store

Doc = dict[str, Any]
Key = tuple[str, str, str]

KEEP = 500
"""Finished and expired tickets remembered, the newest: fewer than a list's page, so that it ends with open ones."""
OPEN = frozenset({"active", "queued"})
HOLDER = "holder"
"""The job that a ticket is for; only on record, clients have no such field."""


class Tickets:
    """The queues of all servers, one per (server, scope, id); only the head of a queue is active.

    Tickets are on disk before anybody is told of them, so a queue survives the death of this process: tickets of
    clients stay until they are released or expire, tickets of jobs until ``end_of_others`` has seen which jobs live.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._docs = store.bucket("tickets")
        self._queues: dict[Key, list[str]] = {}
        self._turns: dict[str, Event] = {}
        self._ended: dict[str, None] = {}
        self._held: dict[str, str] = {}
        for ticket in self._docs.all():
            if ticket["status"] in OPEN:
                self._enqueue(ticket)
            else:
                self._ended[ticket["uuid"]] = None

    def create(self, server_uuid: str, scope: str, subject: str, expires_at: str, **extra: Any) -> Doc:
        """Queue up. ``expires_at`` is an ISO time, after which the ticket no longer keeps others waiting."""
        now = iso()
        ticket: Doc = {"action": extra["action"]} if extra.get("action") else {}
        key = (server_uuid, scope, subject)
        self._advance(key)
        ticket |= {
            "created_at": now,
            "expires_at": expires_at,
            "extra": extra.get("extra") or {},
            "id": subject,
            "scope": scope,
            "server_uuid": server_uuid,
            "status": "queued" if key in self._queues else "active",
            "updated_at": now,
            "uuid": str(uuid.uuid4()),
        }
        ticket |= {name: extra[name] for name in ("reqid", HOLDER) if extra.get(name)}
        self._docs.put(ticket["uuid"], ticket)
        self._enqueue(ticket)
        self._advance(key)
        return self._shown(ticket["uuid"])

    def hold(self, server_uuid: str, subject: str, action: str, seconds: float, holder: str) -> Doc:
        """Queue up for one VM on behalf of a job; one that runs again after a crash keeps the place it had."""
        expires_at = iso(time.time() + seconds)
        kept = self._held.get(holder)
        if kept is not None:
            self._docs.update(kept, expires_at=expires_at, updated_at=iso())
            return self.get(kept)
        return self.create(server_uuid, "vm", subject, expires_at, action=action, holder=holder)

    def let_go(self, holder: str) -> None:
        """Release the ticket of a job, if it has one."""
        kept = self._held.get(holder)
        if kept is not None:
            self.release(kept)

    def end_of_others(self, living: Collection[str]) -> None:
        """Release the tickets of all jobs but the living ones: nobody else would ever do it."""
        for holder in [holder for holder in self._held if holder not in living]:
            self.let_go(holder)

    def get(self, ticket_uuid: str) -> Doc:
        """Return a ticket as it is now. Raises RestError ResourceNotFound."""
        ticket = self._docs.get(ticket_uuid)
        if ticket is None:
            raise not_found(f"ticket {ticket_uuid} not found")
        self._advance(_key(ticket))
        return self._shown(ticket_uuid)

    def queue(self, ticket: Doc) -> list[Doc]:
        """Everybody in the ticket's queue, the active one first."""
        return [self._shown(ticket_uuid) for ticket_uuid in self._queues.get(_key(ticket), ())]

    def busy(self, server_uuid: str, subject: str) -> bool:
        """Whether somebody holds a VM at this moment."""
        key = (server_uuid, "vm", subject)
        self._advance(key)
        return key in self._queues

    def wait(self, ticket_uuid: str) -> None:
        """Wait for the ticket's turn. Raises RestError when it is unknown, expires or was released."""
        if ticket_uuid not in self._docs:
            raise not_found(f"no such ticket {ticket_uuid}")
        ticket = self.get(ticket_uuid)
        while ticket["status"] == "queued":
            turn = self._turns[ticket_uuid]
            turn.wait(max(self._next_expiry(_key(ticket)) - time.time(), 0.001))
            if ticket_uuid not in self._docs:
                raise RestError(500, "InternalError", f"ticket {ticket_uuid} was deleted")
            ticket = self.get(ticket_uuid)
        if ticket["status"] != "active":
            raise RestError(500, "InternalError", f"ticket {ticket_uuid} is {ticket['status']}")

    def release(self, ticket_uuid: str) -> None:
        """Leave the queue. Releasing twice is no error. Raises RestError ResourceNotFound."""
        ticket = self.get(ticket_uuid)
        if ticket["status"] in OPEN:
            with self._store.transaction():
                self._leave(ticket_uuid, "finished")
                self._advance(_key(ticket))
                self._forget_old()

    def delete(self, ticket_uuid: str) -> None:
        self.release(ticket_uuid)
        self._ended.pop(ticket_uuid, None)
        self._docs.delete(ticket_uuid)

    def delete_all(self, server_uuid: str) -> None:
        for ticket in self.of_server(server_uuid):
            self.delete(ticket["uuid"])

    def of_server(self, server_uuid: str) -> list[Doc]:
        """Tickets of one server, oldest first, ended ones among them."""
        found = [ticket for ticket in self._docs.all() if ticket["server_uuid"] == server_uuid]
        for key in {_key(ticket) for ticket in found}:
            self._advance(key)
        return [self._shown(ticket["uuid"]) for ticket in found]

    def _enqueue(self, ticket: Doc) -> None:
        self._queues.setdefault(_key(ticket), []).append(ticket["uuid"])
        self._turns[ticket["uuid"]] = Event()
        if HOLDER in ticket:
            self._held[ticket[HOLDER]] = ticket["uuid"]

    def _advance(self, key: Key) -> None:
        """Drop expired tickets, wherever in the queue they stand, and wake the one whose turn it is."""
        now = iso()
        for ticket_uuid in list(self._queues.get(key, ())):
            if self._doc(ticket_uuid)["expires_at"] <= now:
                self._leave(ticket_uuid, "expired")
        queue = self._queues.get(key)
        if queue and self._doc(queue[0])["status"] == "queued":
            self._docs.update(queue[0], status="active", updated_at=now)
            self._turns[queue[0]].set()

    def _leave(self, ticket_uuid: str, status: str) -> None:
        ticket = self._docs.update(ticket_uuid, status=status, updated_at=iso())
        queue = self._queues[_key(ticket)]
        queue.remove(ticket_uuid)
        if not queue:
            del self._queues[_key(ticket)]
        self._turns.pop(ticket_uuid).set()
        self._held.pop(ticket.get(HOLDER, ""), None)
        self._ended[ticket_uuid] = None

    def _next_expiry(self, key: Key) -> float:
        """When the first of a queue expires, in epoch seconds."""
        return epoch(min(self._doc(ticket_uuid)["expires_at"] for ticket_uuid in self._queues[key]))

    def _doc(self, ticket_uuid: str) -> Doc:
        ticket = self._docs.get(ticket_uuid)
        assert ticket is not None
        return ticket

    def _shown(self, ticket_uuid: str) -> Doc:
        return {name: value for name, value in self._doc(ticket_uuid).items() if name != HOLDER}

    def _forget_old(self) -> None:
        while len(self._ended) > KEEP:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            self._docs.delete(oldest)


def _key(ticket: Doc) -> Key:
    return ticket["server_uuid"], ticket["scope"], ticket["id"]

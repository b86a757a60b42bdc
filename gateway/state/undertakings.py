"""What workers are in the middle of, written down before it begins, so that what a dead one leaves is found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.state.database import Database
from gateway.state.presence import Presence

CREATE, REMOVE, EXEC, ENDING, LAYER, BUILD, TURN = "create", "remove", "exec", "ending", "layer", "build", "turn"
NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undertaking:
    """Something begun that its worker will not bring to an end.

    ``subject`` is the uuid of a VM (create, remove, build) or of an image (layer), the id of an exec session, the token
    of announcements (ending), the holder of a place in a server's waitlist, after the server's uuid (turn), or the mark
    and number of a VLAN and the name of the network on it (network).
    """

    kind: str
    subject: str
    owner_uuid: str
    unwanted: bool
    """Its client was told that it came to nothing."""
    left: float
    """Epoch seconds at which it was found, or left, without anybody who sees to it."""


class Undertakings:
    """Begun with the worker's name, ended by it; or left, by choice or by death, for whoever settles it."""

    def __init__(self, database: Database, presence: Presence) -> None:
        self._db = database
        self._presence = presence
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS undertakings (kind TEXT, subject TEXT, worker TEXT, owner_uuid TEXT NOT NULL,"
            " unwanted INTEGER NOT NULL, changed REAL NOT NULL, PRIMARY KEY (kind, subject, worker))"
        )

    def begin(self, kind: str, subject: str, owner_uuid: str) -> None:
        """Write down, before anything is made, what is about to be."""
        self._put(kind, subject, owner_uuid, self._presence.token(), unwanted=False)

    def end(self, kind: str, subject: str, *, whoever: bool = False) -> None:
        """Strike out what was brought to an end: this worker's, or ``whoever`` has begun it. Not what was left."""
        self._db.execute(
            "DELETE FROM undertakings WHERE kind = ? AND subject = ? AND worker != '' AND (worker = ? OR ?)",
            (kind, subject, self._presence.token(), whoever),
        )

    def leave(self, kind: str, subject: str, owner_uuid: str, *, unwanted: bool = False) -> None:
        """Leave to others what could not be brought to an end; ``unwanted``: it must come to nothing."""
        with self._db.transaction():
            self.end(kind, subject)
            self._put(kind, subject, owner_uuid, "", unwanted=unwanted)

    def take_over(self, kind: str, subject: str) -> bool:
        """Have this worker bring to an end what a dead one was at, or a live one has left. False: it is not left.

        Within a transaction, so that one worker alone takes it.
        """
        rows = self._db.query("SELECT worker FROM undertakings WHERE kind = ? AND subject = ?", (kind, subject))
        if not rows or any(row["worker"] and self._presence.is_alive(row["worker"]) for row in rows):
            return False
        self._db.execute(
            "UPDATE OR REPLACE undertakings SET worker = ?, changed = ? WHERE kind = ? AND subject = ?",
            (self._presence.token(), time.time(), kind, subject),
        )
        return True

    @contextmanager
    def under_way(self, kind: str, subject: str, owner_uuid: str) -> Iterator[None]:
        """Begin and end something with the block; leave it when the block fails."""
        self.begin(kind, subject, owner_uuid)
        try:
            yield
        except BaseException:
            self.leave(kind, subject, owner_uuid)
            raise
        self.end(kind, subject)

    def left(self) -> list[Undertaking]:
        """Take over what dead workers were in the middle of, and return all that is to be settled, oldest first."""
        mine = self._presence.token()
        for row in self._db.query("SELECT DISTINCT worker FROM undertakings WHERE worker NOT IN ('', ?)", (mine,)):
            if not self._presence.is_alive(row["worker"]):
                self._db.execute(
                    "UPDATE OR REPLACE undertakings SET worker = '', changed = ? WHERE worker = ?",
                    (time.time(), row["worker"]),
                )
        rows = self._db.query("SELECT * FROM undertakings WHERE worker = '' ORDER BY changed")
        return [
            Undertaking(
                kind=row["kind"],
                subject=row["subject"],
                owner_uuid=row["owner_uuid"],
                unwanted=bool(row["unwanted"]),
                left=row["changed"],
            )
            for row in rows
        ]

    def is_under_way(self, kind: str, subject: str) -> bool:
        """Whether a worker is at it at this moment."""
        rows = self._db.query(
            "SELECT 1 FROM undertakings WHERE kind = ? AND subject = ? AND worker != ''", (kind, subject)
        )
        return bool(rows)

    def are_under_way(self, kind: str, owner_uuid: str) -> bool:
        """Whether any worker is at anything of the kind for an account."""
        rows = self._db.query(
            "SELECT 1 FROM undertakings WHERE kind = ? AND owner_uuid = ? AND worker != '' LIMIT 1", (kind, owner_uuid)
        )
        return bool(rows)

    def settled(self, one: Undertaking) -> None:
        """Strike out what was left."""
        self._db.execute(
            "DELETE FROM undertakings WHERE kind = ? AND subject = ? AND worker = ''", (one.kind, one.subject)
        )

    def _put(self, kind: str, subject: str, owner_uuid: str, worker: str, *, unwanted: bool) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO undertakings (kind, subject, worker, owner_uuid, unwanted, changed)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (kind, subject, worker, owner_uuid, unwanted, time.time()),
        )

"""What creates in flight will use, so that racing creates cannot pass an account's limits together."""

from __future__ import annotations

import time

from gateway.state.database import Database


class Reservations:
    """Amounts held for VMs that the data center does not list yet, by account.

    Each row is given back when its create ends; ``expires`` (epoch seconds) covers a gateway that died.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS reservations (vm_uuid TEXT PRIMARY KEY, owner_uuid TEXT NOT NULL,"
            " ram INTEGER NOT NULL, quota INTEGER NOT NULL, expires REAL NOT NULL, attributes TEXT NOT NULL)"
        )

    def active(self, owner_uuid: str) -> list[dict[str, object]]:
        rows = self._db.query(
            "SELECT * FROM reservations WHERE owner_uuid = ? AND expires > ?", (owner_uuid, time.time())
        )
        return [dict(row) for row in rows]

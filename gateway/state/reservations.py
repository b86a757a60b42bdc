"""What creates in flight will use, so that racing creates cannot pass an account's limits together."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.state.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What one VM will use: ``ram`` in MiB, ``disk`` in GiB; ``attributes`` mean something to who reserved."""

    vm_uuid: str
    ram: float
    disk: float
    attributes: Mapping[str, Any]


class Reservations:
    """Amounts held for VMs that the data center may not list yet, by account, in order of arrival.

    Who reserves is told of the reservations made before its own, and of no later ones. So of several that
    race, in any number of workers, each counts those before it: the first ones fit, and the limit is never
    passed. A row is given back when its create ends; ``expires`` (epoch seconds) covers a gateway that died.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS reservations (place INTEGER PRIMARY KEY AUTOINCREMENT,"
            " vm_uuid TEXT NOT NULL UNIQUE, owner_uuid TEXT NOT NULL, ram REAL NOT NULL, disk REAL NOT NULL,"
            " expires REAL NOT NULL, attributes TEXT NOT NULL)"
        )

    def reserve(
        self,
        owner_uuid: str,
        vm_uuid: str,
        *,
        ram: float,
        disk: float,
        attributes: Mapping[str, Any],
        seconds: float,
    ) -> list[Reservation]:
        """Hold what a VM will use, for at most ``seconds``; return what is held for earlier ones of the account.

        Reserving again for the same VM keeps its place.
        """
        now = time.time()
        with self._db.transaction():
            self._db.execute("DELETE FROM reservations WHERE expires <= ?", (now,))
            self._db.execute(
                "INSERT INTO reservations (vm_uuid, owner_uuid, ram, disk, expires, attributes)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (vm_uuid) DO UPDATE SET"
                " ram = excluded.ram, disk = excluded.disk, expires = excluded.expires",
                (vm_uuid, owner_uuid, ram, disk, now + seconds, json.dumps(dict(attributes))),
            )
            rows = self._db.query(
                "SELECT * FROM reservations WHERE owner_uuid = ? AND place <"
                " (SELECT place FROM reservations WHERE vm_uuid = ?) ORDER BY place",
                (owner_uuid, vm_uuid),
            )
        return [
            Reservation(
                vm_uuid=row["vm_uuid"],
                ram=row["ram"],
                disk=row["disk"],
                attributes=json.loads(row["attributes"]),
            )
            for row in rows
        ]

    def release(self, vm_uuid: str) -> None:
        """Give back what was held for a VM; it is no error when nothing was."""
        self._db.execute("DELETE FROM reservations WHERE vm_uuid = ?", (vm_uuid,))

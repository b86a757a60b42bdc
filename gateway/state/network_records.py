"""What Docker knows of a network beyond NAPI: when it was made, its labels, and how it was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.state.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecord:
    """One network that a Docker client made. ``asked`` is the request's ``Driver``, ``Labels``, ``Options`` ..."""

    owner_uuid: str
    network_uuid: str
    created: float
    """Epoch seconds."""
    asked: dict[str, Any]


class NetworkRecords:
    """Records by account and network."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS networks (owner_uuid TEXT, network_uuid TEXT, created REAL NOT NULL,"
            " asked TEXT NOT NULL, PRIMARY KEY (owner_uuid, network_uuid))"
        )

    def put(self, record: NetworkRecord) -> None:
        asked = msgspec.json.encode(record.asked).decode()
        self._db.execute(
            "INSERT OR REPLACE INTO networks VALUES (?, ?, ?, ?)",
            (record.owner_uuid, record.network_uuid, record.created, asked),
        )

    def of_account(self, owner_uuid: str) -> dict[str, NetworkRecord]:
        """Return an account's records by network; some may be of networks that went away by another door."""
        rows = self._db.query("SELECT * FROM networks WHERE owner_uuid = ?", (owner_uuid,))
        found = (NetworkRecord(**{**dict(row), "asked": msgspec.json.decode(row["asked"])}) for row in rows)
        return {record.network_uuid: record for record in found}

    def forget(self, owner_uuid: str, network_uuid: str) -> None:
        self._db.execute("DELETE FROM networks WHERE owner_uuid = ? AND network_uuid = ?", (owner_uuid, network_uuid))

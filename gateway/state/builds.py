"""Builds that clients gave an id, so that any worker can cancel what another one runs."""

from __future__ import annotations

from gateway.state.database import Database


class Builds:
    """The VM that each build runs in, by account and the client's own id; the newest of several with one id."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS builds (vm_uuid TEXT PRIMARY KEY, owner_uuid TEXT NOT NULL,"
            " build_id TEXT NOT NULL, cancelled INTEGER NOT NULL DEFAULT 0)"
        )

    def begin(self, vm_uuid: str, owner_uuid: str, build_id: str) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO builds (vm_uuid, owner_uuid, build_id) VALUES (?, ?, ?)",
            (vm_uuid, owner_uuid, build_id),
        )

    def cancel(self, owner_uuid: str, build_id: str) -> str | None:
        """Note that a build is not wanted any more; return its VM, None when there is no such build."""
        whose = (owner_uuid, build_id)
        rows = self._db.query(
            "SELECT vm_uuid FROM builds WHERE owner_uuid = ? AND build_id = ? ORDER BY rowid DESC LIMIT 1", whose
        )
        if not rows:
            return None
        self._db.execute("UPDATE builds SET cancelled = 1 WHERE vm_uuid = ?", (rows[0]["vm_uuid"],))
        return str(rows[0]["vm_uuid"])

    def is_cancelled(self, vm_uuid: str) -> bool:
        return bool(self._db.query("SELECT 1 FROM builds WHERE vm_uuid = ? AND cancelled = 1", (vm_uuid,)))

    def end(self, vm_uuid: str) -> None:
        self._db.execute("DELETE FROM builds WHERE vm_uuid = ?", (vm_uuid,))

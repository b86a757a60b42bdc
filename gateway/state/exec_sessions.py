"""Exec sessions: created by one request, started by another, looked at by a third, by whichever worker answers."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.state.database import Database, Row

_KEPT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSession:
    """One exec of a container. ``exit_code`` is None until it ended, or for ever when nobody could tell."""

    id: str
    owner_uuid: str
    vm_uuid: str
    container_id: str
    config: dict[str, Any]
    started: bool
    running: bool
    exit_code: int | None
    pid: int


class ExecSessions:
    """Sessions by id (64 hex). Those that ended, or were never started, go after an hour."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS exec_sessions (id TEXT PRIMARY KEY, owner_uuid TEXT NOT NULL,"
            " vm_uuid TEXT NOT NULL, container_id TEXT NOT NULL, config TEXT NOT NULL, started INTEGER NOT NULL,"
            " running INTEGER NOT NULL, exit_code INTEGER, pid INTEGER NOT NULL, changed REAL NOT NULL)"
        )

    def create(self, owner_uuid: str, vm_uuid: str, container_id: str, config: dict[str, Any]) -> ExecSession:
        self._db.execute("DELETE FROM exec_sessions WHERE running = 0 AND changed < ?", (time.time() - _KEPT_SECONDS,))
        session = ExecSession(
            id=secrets.token_hex(32),
            owner_uuid=owner_uuid,
            vm_uuid=vm_uuid,
            container_id=container_id,
            config=config,
            started=False,
            running=False,
            exit_code=None,
            pid=0,
        )
        self._db.execute(
            "INSERT INTO exec_sessions VALUES (?, ?, ?, ?, ?, 0, 0, NULL, 0, ?)",
            (session.id, owner_uuid, vm_uuid, container_id, msgspec.json.encode(config).decode(), time.time()),
        )
        return session

    def get(self, owner_uuid: str, session_id: str) -> ExecSession | None:
        rows = self._db.query("SELECT * FROM exec_sessions WHERE id = ? AND owner_uuid = ?", (session_id, owner_uuid))
        return _session(rows[0]) if rows else None

    def claim(self, session_id: str) -> bool:
        """Mark a session as started and running; False when somebody else started it before."""
        return bool(
            self._db.execute(
                "UPDATE exec_sessions SET started = 1, running = 1, changed = ? WHERE id = ? AND started = 0",
                (time.time(), session_id),
            )
        )

    def end(self, session_id: str, exit_code: int | None) -> bool:
        """Note how a session ended; False when that was known before."""
        return bool(
            self._db.execute(
                "UPDATE exec_sessions SET running = 0, exit_code = ?, changed = ? WHERE id = ? AND running = 1",
                (exit_code, time.time(), session_id),
            )
        )

    def forget(self, vm_uuid: str) -> None:
        """Remove all sessions of a container that is no more, also those whose gateway died before their end."""
        self._db.execute("DELETE FROM exec_sessions WHERE vm_uuid = ?", (vm_uuid,))

    def of_vm(self, vm_uuid: str) -> list[str]:
        """Ids of a container's running sessions, for its inspect."""
        rows = self._db.query("SELECT id FROM exec_sessions WHERE vm_uuid = ? AND running = 1", (vm_uuid,))
        return [row["id"] for row in rows]


def _session(row: Row) -> ExecSession:
    return ExecSession(
        id=row["id"],
        owner_uuid=row["owner_uuid"],
        vm_uuid=row["vm_uuid"],
        container_id=row["container_id"],
        config=msgspec.json.decode(row["config"]),
        started=bool(row["started"]),
        running=bool(row["running"]),
        exit_code=row["exit_code"],
        pid=row["pid"],
    )

"""How far the story of each container has been told in the event log, so that every turn of it is told once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.state.database import Database
from gateway.state.event_log import Happening

_FORGOTTEN_SECONDS = 3600.0
"""How long after its end news of a container may still come in."""
_STALE_SECONDS = 86400.0
"""After which an announcement is that of a gateway that died over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """What has been told of a container. Timestamps are VMAPI's own texts, which compare as times."""

    owner_uuid: str
    runs: int = 0
    """Starts that were told."""
    running: bool = False
    undated: bool = False
    """A call told the last start, before the data center said when it was."""
    boot: str = ""
    """The last start, by the data center's clock."""
    exit: str = ""
    """The last end; all ends up to it have been told."""
    told_start: int = 0
    """Epoch nanoseconds at which the last start was told."""
    gone: bool = False
    health: str = "none"
    """What was last known of its health."""
    health_seen: str = ""
    """When that was modified, by the data center's clock: older news is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a call is about to cause, to be told at the latest when the container is seen to have ended."""

    what: Happening
    if_killed_after: float | None = None
    """Told only when the container ended by SIGKILL, at least so many seconds after the announcement."""
    made: float = field(default_factory=time.time)


class ContainerJournal:
    """Chapters by VM uuid, and announcements of calls that are under way. Write inside ``EventLog.writing``."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS container_journal (vm_uuid TEXT PRIMARY KEY, chapter TEXT NOT NULL,"
            " gone INTEGER NOT NULL, changed REAL NOT NULL)"
        )
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS announcements (place INTEGER PRIMARY KEY AUTOINCREMENT, vm_uuid TEXT NOT NULL,"
            " token TEXT NOT NULL, made REAL NOT NULL, forced INTEGER NOT NULL, announcement TEXT NOT NULL)"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS journal_begun (at REAL NOT NULL)")

    def read(self, vm_uuid: str) -> Chapter | None:
        """Return what has been told of a container; None when nothing was ever noted."""
        rows = self._db.query("SELECT chapter FROM container_journal WHERE vm_uuid = ?", (vm_uuid,))
        return msgspec.json.decode(rows[0]["chapter"], type=Chapter) if rows else None

    def write(self, vm_uuid: str, chapter: Chapter) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO container_journal VALUES (?, ?, ?, ?)",
            (vm_uuid, msgspec.json.encode(chapter).decode(), chapter.gone, time.time()),
        )

    def alive(self) -> list[str]:
        """Return the VMs whose story has not ended; what ended long ago is forgotten."""
        self._db.execute(
            "DELETE FROM container_journal WHERE gone = 1 AND changed < ?", (time.time() - _FORGOTTEN_SECONDS,)
        )
        return [row["vm_uuid"] for row in self._db.query("SELECT vm_uuid FROM container_journal WHERE gone = 0")]

    def begun(self) -> bool:
        """Whether everything was listed once: a container unknown before that is old, one unknown since is new."""
        return bool(self._db.query("SELECT 1 FROM journal_begun"))

    def begin(self) -> None:
        self._db.execute("INSERT INTO journal_begun VALUES (?)", (time.time(),))

    def announce(self, vm_uuid: str, announcements: Sequence[Announcement]) -> str:
        """Keep announcements; return the token by which they are taken back."""
        token = secrets.token_hex(8)
        self._db.execute("DELETE FROM announcements WHERE made < ?", (time.time() - _STALE_SECONDS,))
        for announcement in announcements:
            self._db.execute(
                "INSERT INTO announcements (vm_uuid, token, made, forced, announcement) VALUES (?, ?, ?, ?, ?)",
                (
                    vm_uuid,
                    token,
                    announcement.made,
                    announcement.if_killed_after is not None,
                    msgspec.json.encode(announcement).decode(),
                ),
            )
        return token

    def announced(self, vm_uuid: str) -> dict[str, list[Announcement]]:
        """Return what is still announced about a VM, in order, by token."""
        query = "SELECT token, announcement FROM announcements WHERE vm_uuid = ? ORDER BY place"
        found: dict[str, list[Announcement]] = {}
        for row in self._db.query(query, (vm_uuid,)):
            found.setdefault(row["token"], []).append(msgspec.json.decode(row["announcement"], type=Announcement))
        return found

    def announced_of(self, token: str) -> str | None:
        """Return the VM about which something is still announced with a token."""
        rows = self._db.query("SELECT vm_uuid FROM announcements WHERE token = ? LIMIT 1", (token,))
        return str(rows[0]["vm_uuid"]) if rows else None

    def awaits_force(self, token: str) -> bool:
        """Whether it is still open if what was announced with a token happens by force."""
        return bool(self._db.query("SELECT 1 FROM announcements WHERE token = ? AND forced = 1", (token,)))

    def take(self, vm_uuid: str, *, token: str | None = None, most: int = -1) -> list[Announcement]:
        """Remove announcements about a VM, of one token or all, and return them in order."""
        rows = self._db.query(
            "SELECT place, announcement FROM announcements WHERE vm_uuid = ? AND (? IS NULL OR token = ?)"
            " ORDER BY place LIMIT ?",
            (vm_uuid, token, token, most),
        )
        for row in rows:
            self._db.execute("DELETE FROM announcements WHERE place = ?", (row["place"],))
        return [msgspec.json.decode(row["announcement"], type=Announcement) for row in rows]

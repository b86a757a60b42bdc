"""What happened, in order: one log for all accounts and workers, kept for a while, so that nobody has to be there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.state.database import Database, Row

KEPT_SECONDS = 7 * 86400.0
KEPT_EVENTS = 10_000
"""Of each account, so that a busy one pushes out nobody else's."""
KEPT_CHARACTERS = 32_000_000
"""Of each account's, too: commands and labels, which events carry, may be as long as requests are."""
LOOK_SECONDS = 0.05
"""Between two looks for what other workers wrote, while somebody here listens."""
_TIDY_EVERY = 64
_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to a container, an image, a network ...; Docker's ``Type``, ``Action`` and ``Actor``."""

    type: str
    action: str
    actor_id: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A happening with its place in the log; ``moment`` is epoch nanoseconds, later than that of any earlier event."""

    place: int
    moment: int
    what: Happening


class EventLog:
    """The log. Who reads says from which place on; who waits is woken by any worker's writing."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS events (place INTEGER PRIMARY KEY AUTOINCREMENT, owner_uuid TEXT NOT NULL,"
            " moment INTEGER NOT NULL, type TEXT NOT NULL, action TEXT NOT NULL, actor_id TEXT NOT NULL,"
            " attributes TEXT NOT NULL)"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS events_by_owner ON events (owner_uuid, place)")
        self._waiting: set[threading.Event] = set()
        self._looking = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make several appends, and what other records change with them, one; then wake who waits."""
        with self._db.transaction():
            yield
        self._wake()

    def append(self, owner_uuid: str, what: Happening) -> None:
        """Add an event of now, inside ``writing``.

        Its moment is that of the telling: who asks for what came since the last event it saw misses nothing that
        became known late.
        """
        last = self._db.query("SELECT moment FROM events ORDER BY place DESC LIMIT 1")
        moment = max(time.time_ns(), last[0]["moment"] + 1 if last else 0)
        attributes = msgspec.json.encode(what.attributes).decode()
        self._db.execute(
            "INSERT INTO events (owner_uuid, moment, type, action, actor_id, attributes) VALUES (?, ?, ?, ?, ?, ?)",
            (owner_uuid, moment, what.type, what.action, what.actor_id, attributes),
        )
        if self.head() % _TIDY_EVERY == 0:
            self._tidy(owner_uuid, moment)

    def _tidy(self, owner_uuid: str, now: int) -> None:
        self._db.execute("DELETE FROM events WHERE moment < ?", (now - int(KEPT_SECONDS * _NANO),))
        self._db.execute(
            "DELETE FROM events WHERE owner_uuid = ? AND place <="
            " (SELECT place FROM events WHERE owner_uuid = ? ORDER BY place DESC LIMIT 1 OFFSET ?)",
            (owner_uuid, owner_uuid, KEPT_EVENTS),
        )
        self._db.execute(
            "DELETE FROM events WHERE owner_uuid = ? AND place <= (SELECT MAX(place) FROM (SELECT place,"
            " SUM(LENGTH(action) + LENGTH(attributes)) OVER (ORDER BY place DESC) AS characters"
            " FROM events WHERE owner_uuid = ?) WHERE characters > ?)",
            (owner_uuid, owner_uuid, KEPT_CHARACTERS),
        )

    def head(self) -> int:
        """Return the place of the newest event of all accounts; 0 while there is none."""
        return int(self._db.query("SELECT COALESCE(MAX(place), 0) AS head FROM events")[0]["head"])

    def read(self, owner_uuid: str, *, after: int, most: int = 200) -> list[Event]:
        """Return an account's next events after a place, the oldest first."""
        rows = self._db.query(
            "SELECT * FROM events WHERE owner_uuid = ? AND place > ? ORDER BY place LIMIT ?", (owner_uuid, after, most)
        )
        return [_event(row) for row in rows]

    def news(self, *, after: int, most: int) -> list[tuple[int, str, Happening]]:
        """Return all accounts' next events after a place, the oldest first: place, owner and what happened."""
        rows = self._db.query("SELECT * FROM events WHERE place > ? ORDER BY place LIMIT ?", (after, most))
        return [(row["place"], row["owner_uuid"], _event(row).what) for row in rows]

    def before(self, owner_uuid: str, moment: int) -> int:
        """Return the place of the account's last event before a moment (epoch nanoseconds); 0 when there is none."""
        rows = self._db.query(
            "SELECT place FROM events WHERE owner_uuid = ? AND moment < ? ORDER BY place DESC LIMIT 1",
            (owner_uuid, moment),
        )
        return int(rows[0]["place"]) if rows else 0

    @contextmanager
    def listening(self) -> Iterator[threading.Event]:
        """Give an event that is set whenever something may have been added; clear it before you read."""
        news = threading.Event()
        self._waiting.add(news)
        if not self._looking:
            self._looking = True
            threading.Thread(target=self._look_out, name="event-log", daemon=True).start()
        try:
            yield news
        finally:
            self._waiting.discard(news)

    def _wake(self) -> None:
        for news in tuple(self._waiting):
            news.set()

    def _look_out(self) -> None:
        """Notice what other workers write, as long as anybody here listens."""
        pause, seen = threading.Event(), -1
        try:
            while self._waiting:
                head = self.head()
                if head != seen:
                    seen = head
                    self._wake()
                pause.wait(LOOK_SECONDS)
        finally:
            self._looking = False


def _event(row: Row) -> Event:
    attributes: dict[str, Any] = msgspec.json.decode(row["attributes"])
    what = Happening(type=row["type"], action=row["action"], actor_id=row["actor_id"], attributes=attributes)
    return Event(place=row["place"], moment=row["moment"], what=what)

"""The durable state of the embedded data center: documents by key, in SQLite, read from memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

Doc = dict[str, Any]
Watcher = Callable[[str, Doc | None, Doc | None], None]


ROOM = 4 << 20
"""Bytes that a store keeps for when the disk is full; as much as SQLite's log holds before it is written back."""


class StoreError(OSError):
    """The disk did not take what was to be kept; nothing of it is in memory either."""


class Store:
    """One SQLite file that holds every bucket of the data center.

    Each bucket is read into memory when it is opened and written through on every change, so reads
    cost nothing and a kill -9 loses nothing that was answered for. One process owns the file. Writing raises
    StoreError.
    """

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._buckets: dict[str, Bucket] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._undo: list[Callable[[], object]] | None = None

    def keep_room(self) -> None:
        """Have the files hold room for more: with that, removing what fills a full disk can be written down.

        SQLite writes again to where it has written before, in its file and in its log.
        """
        with suppress(StoreError):  # the disk is full already
            self.execute("CREATE TABLE IF NOT EXISTS room (filler BLOB)")
            self.execute("INSERT INTO room VALUES (zeroblob(?))", (ROOM,))
            self.execute("DELETE FROM room")

    def bucket(self, name: str) -> Bucket:
        """Open a bucket, creating it when it is new. ``name`` is a plain identifier."""
        if name not in self._buckets:
            self._check(name)
            self._db.execute(f"CREATE TABLE IF NOT EXISTS {name} (key TEXT PRIMARY KEY, doc BLOB NOT NULL)")
            self._buckets[name] = Bucket(name, self)
        return self._buckets[name]

    def ledger(self, name: str, *columns: str) -> Ledger:
        """Open a ledger, creating it when it is new. ``columns`` are the fields it can be searched by."""
        if name not in self._ledgers:
            for identifier in (name, *columns):
                self._check(identifier)
            self._ledgers[name] = Ledger(name, columns, self)
        return self._ledgers[name]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all changes made inside as one commit, or none. Must not span anything that waits.

        An exception takes every change back, in memory too, and so does a disk that refuses the commit. A transaction
        inside another one joins it.
        """
        if self._undo is not None:
            yield
            return
        self._undo = []
        self._db.execute("BEGIN")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself ends one for which the disk has no room
                self._db.execute("ROLLBACK")
            for undo in reversed(self._undo):
                undo()
            raise
        finally:
            self._undo = None

    def close(self) -> None:
        self._db.close()

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Carry a statement out. Raises StoreError."""
        try:
            return self._db.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise StoreError(str(error)) from error

    def on_rollback(self, undo: Callable[[], object]) -> None:
        """Have ``undo`` called when the transaction now open fails; nothing outside of one."""
        if self._undo is not None:
            self._undo.append(undo)

    @staticmethod
    def _check(name: str) -> None:
        if not name.isidentifier():
            raise ValueError(f"not a plain identifier: {name!r}")


class Bucket:
    """Documents by key. A document that was handed out is shared: copy it before changing it."""

    def __init__(self, name: str, store: Store) -> None:
        self._name = name
        self._store = store
        self._docs: dict[str, Doc] = {}
        self._watchers: list[Watcher] = []
        rows = store.execute(f"SELECT key, doc FROM {name} ORDER BY rowid")  # noqa: S608 - checked name
        for key, doc in rows:
            self._docs[key] = msgspec.json.decode(doc)

    def watch(self, watcher: Watcher) -> None:
        """Call ``watcher(key, before, after)`` on every change, also when a failed transaction takes it back.

        It is called at once for what is there already, so that an index is whole from its first moment.
        """
        self._watchers.append(watcher)
        for key, doc in self._docs.items():
            watcher(key, None, doc)

    def get(self, key: str) -> Doc | None:
        return self._docs.get(key)

    def put(self, key: str, doc: Doc) -> Doc:
        """Insert or replace a document; the stored one is ``doc`` itself."""
        self._store.execute(
            f"INSERT INTO {self._name} (key, doc) VALUES (?, ?) "  # noqa: S608 - checked name
            "ON CONFLICT(key) DO UPDATE SET doc = excluded.doc",
            (key, msgspec.json.encode(doc)),
        )
        self._swap(key, doc)
        return doc

    def update(self, key: str, **changes: Any) -> Doc:
        """Replace a document by a copy with some fields changed. Raises KeyError when there is none."""
        return self.put(key, {**self._docs[key], **changes})

    def delete(self, key: str) -> Doc | None:
        self._store.execute(f"DELETE FROM {self._name} WHERE key = ?", (key,))  # noqa: S608 - checked name
        return self._swap(key, None)

    def all(self) -> list[Doc]:
        """Every document, oldest insertion first."""
        return list(self._docs.values())

    def find(self, **equal: Any) -> list[Doc]:
        """Documents whose fields equal the given values."""
        items = equal.items()
        return [doc for doc in self._docs.values() if all(doc.get(k) == v for k, v in items)]

    def _swap(self, key: str, doc: Doc | None) -> Doc | None:
        before = self._set(key, doc)
        self._store.on_rollback(partial(self._set, key, before))
        return before

    def _set(self, key: str, doc: Doc | None) -> Doc | None:
        before = self._docs.get(key)
        if doc is not None:
            self._docs[key] = doc
        elif before is not None:
            del self._docs[key]
        else:
            return None
        for watcher in self._watchers:
            watcher(key, before, doc)
        return before

    def __contains__(self, key: str) -> bool:
        return key in self._docs

    def __len__(self) -> int:
        return len(self._docs)


class Ledger:
    """Documents on disk alone, for records that are many and seldom read. Newest first when listed."""

    def __init__(self, name: str, columns: tuple[str, ...], store: Store) -> None:
        self._name = name
        self._columns = columns
        self._store = store
        extra = "".join(f", {column} TEXT" for column in columns)
        store.execute(
            f"CREATE TABLE IF NOT EXISTS {name} "
            f"(seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE{extra}, doc BLOB NOT NULL)",
        )
        for column in columns:
            store.execute(f"CREATE INDEX IF NOT EXISTS {name}_{column} ON {name} ({column})")
        names = ", ".join(("key", *columns, "doc"))
        marks = ", ".join("?" * (len(columns) + 2))
        changes = ", ".join(f"{column} = excluded.{column}" for column in (*columns, "doc"))
        self._put = f"INSERT INTO {name} ({names}) VALUES ({marks}) ON CONFLICT(key) DO UPDATE SET {changes}"  # noqa: S608 - checked names

    def put(self, key: str, doc: Doc) -> bytes:
        """Insert or replace a document and return it as written."""
        written = msgspec.json.encode(doc)
        self._store.execute(self._put, (key, *(doc.get(column) for column in self._columns), written))
        return written

    def get(self, key: str) -> Doc | None:
        found = self._store.execute(f"SELECT doc FROM {self._name} WHERE key = ?", (key,)).fetchone()  # noqa: S608 - checked name
        return None if found is None else msgspec.json.decode(found[0])

    def select(self, equal: Mapping[str, str], limit: int = 1000, offset: int = 0) -> list[Doc]:
        """Documents whose columns equal the given values, newest insertion first."""
        where = self._where(equal)
        rows = self._store.execute(
            f"SELECT doc FROM {self._name}{where} ORDER BY seq DESC LIMIT ? OFFSET ?",  # noqa: S608 - checked names
            (*equal.values(), limit, offset),
        )
        return [msgspec.json.decode(doc) for (doc,) in rows]

    def count(self, equal: Mapping[str, str]) -> int:
        statement = f"SELECT count(*) FROM {self._name}{self._where(equal)}"  # noqa: S608 - checked names
        return int(self._store.execute(statement, tuple(equal.values())).fetchone()[0])

    def trim(self, keep: int, column: str, values: Collection[str]) -> None:
        """Forget all but the newest ``keep`` of the documents whose column has one of the values."""
        self._where({column: ""})
        marks = ", ".join("?" * len(values))
        chosen = f"SELECT seq FROM {self._name} WHERE {column} IN ({marks}) ORDER BY seq DESC LIMIT -1 OFFSET ?"  # noqa: S608 - checked names
        self._store.execute(f"DELETE FROM {self._name} WHERE seq IN ({chosen})", (*values, keep))  # noqa: S608 - checked names

    def _where(self, equal: Mapping[str, str]) -> str:
        unknown = equal.keys() - set(self._columns)
        if unknown:
            raise KeyError(f"{self._name} is not searched by {sorted(unknown)}")
        return " WHERE " + " AND ".join(f"{column} = ?" for column in equal) if equal else ""

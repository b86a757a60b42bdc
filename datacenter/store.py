"""The durable state of the embedded data center: documents by key, in SQLite, read from memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

Doc = dict[str, Any]


class Store:
    """One SQLite file that holds every bucket of the data center.

    Each bucket is read into memory when it is opened and written through on every change, so reads
    cost nothing and a kill -9 loses nothing that was answered for. One process owns the file.
    """

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._buckets: dict[str, Bucket] = {}
        self._depth = 0

    def bucket(self, name: str) -> Bucket:
        """Open a bucket, creating it when it is new. ``name`` is a plain identifier."""
        if name not in self._buckets:
            if not name.isidentifier():
                raise ValueError(f"not a bucket name: {name!r}")
            self._db.execute(f"CREATE TABLE IF NOT EXISTS {name} (key TEXT PRIMARY KEY, doc BLOB NOT NULL)")
            self._buckets[name] = Bucket(name, self._db)
        return self._buckets[name]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all changes made inside as one commit. Must not span anything that waits."""
        if self._depth:
            yield
            return
        self._depth += 1
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            for bucket in self._buckets.values():
                bucket.reload()
            raise
        else:
            self._db.execute("COMMIT")
        finally:
            self._depth -= 1

    def close(self) -> None:
        self._db.close()


class Bucket:
    """Documents by key. A document that was handed out is shared: copy it before changing it."""

    def __init__(self, name: str, db: sqlite3.Connection) -> None:
        self._name = name
        self._db = db
        self._docs: dict[str, Doc] = {}
        self.reload()

    def reload(self) -> None:
        rows = self._db.execute(f"SELECT key, doc FROM {self._name} ORDER BY rowid")  # noqa: S608 - checked name
        self._docs = {key: msgspec.json.decode(doc) for key, doc in rows}

    def get(self, key: str) -> Doc | None:
        return self._docs.get(key)

    def put(self, key: str, doc: Doc) -> Doc:
        """Insert or replace a document; the stored one is ``doc`` itself."""
        self._db.execute(
            f"INSERT INTO {self._name} (key, doc) VALUES (?, ?) "  # noqa: S608 - checked name
            "ON CONFLICT(key) DO UPDATE SET doc = excluded.doc",
            (key, msgspec.json.encode(doc)),
        )
        self._docs[key] = doc
        return doc

    def update(self, key: str, **changes: Any) -> Doc:
        """Replace a document by a copy with some fields changed. Raises KeyError when there is none."""
        return self.put(key, {**self._docs[key], **changes})

    def delete(self, key: str) -> Doc | None:
        self._db.execute(f"DELETE FROM {self._name} WHERE key = ?", (key,))  # noqa: S608 - checked name
        return self._docs.pop(key, None)

    def all(self) -> list[Doc]:
        """Every document, oldest insertion first."""
        return list(self._docs.values())

    def find(self, **equal: Any) -> list[Doc]:
        """Documents whose fields equal the given values."""
        items = equal.items()
        return [doc for doc in self._docs.values() if all(doc.get(k) == v for k, v in items)]

    def __contains__(self, key: str) -> bool:
        return key in self._docs

    def __len__(self) -> int:
        return len(self._docs)

"""Names, configs and manifests of images, by account: IMGAPI holds their layers and knows none of this.

sdc-docker kept the same rows in Moray (``docker_images_v2``, ``docker_image_tags_v2``); they are also the only
access control to image content, so every question carries the owner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from gateway.state.database import Database, Row
from grammars import imageconfig

_COLUMNS = "owner_uuid, config_digest, image_uuid, manifest_digest, manifest_str, size, created, image, parent"

_TABLES = """
CREATE TABLE IF NOT EXISTS images (
    owner_uuid TEXT, config_digest TEXT, image_uuid TEXT NOT NULL, manifest_digest TEXT NOT NULL,
    manifest_str TEXT NOT NULL, size INTEGER NOT NULL, created REAL NOT NULL, image TEXT NOT NULL,
    PRIMARY KEY (owner_uuid, config_digest));
CREATE TABLE IF NOT EXISTS image_tags (
    owner_uuid TEXT, repo TEXT, tag TEXT, config_digest TEXT NOT NULL, PRIMARY KEY (owner_uuid, repo, tag));
CREATE TABLE IF NOT EXISTS image_digests (
    owner_uuid TEXT, repo TEXT, digest TEXT, config_digest TEXT NOT NULL, PRIMARY KEY (owner_uuid, repo, digest));
CREATE INDEX IF NOT EXISTS images_by_uuid ON images (image_uuid);
CREATE INDEX IF NOT EXISTS tags_by_image ON image_tags (owner_uuid, config_digest)
"""


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """One image of one account."""

    owner_uuid: str
    config_digest: str
    """``sha256:...`` of the config: Docker's image id."""
    image_uuid: str
    """IMGAPI's uuid of the top layer."""
    manifest_digest: str
    manifest_str: str
    size: int
    """Bytes of all layers, as the manifest tells them."""
    created: float
    """Epoch seconds at which the record was made."""
    parent: str = ""
    """Id of the image that it was made from, by commit or build."""
    config: dict[str, Any]
    """The image's config document: ``config``, ``rootfs``, ``history``, ``architecture`` ..."""
    config_str: str = ""
    """That document's text, where it is known: as it came, its digest is ``config_digest``."""
    tags: tuple[str, ...] = ()
    """``repo:tag`` names, sorted."""
    digests: tuple[str, ...] = ()
    """``repo@sha256:...`` names, sorted."""

    @cached_property
    def layers(self) -> list[dict[str, Any]]:
        """The manifest's layer descriptors, base first: ``digest``, ``size`` (bytes), ``mediaType``."""
        layers: list[dict[str, Any]] = msgspec.json.decode(self.manifest_str).get("layers", [])
        return layers

    @cached_property
    def config_bytes(self) -> bytes | None:
        """The config as its digest is of it; None when only a document is known whose form can't be told."""
        text = self.config_str.encode()
        if f"sha256:{hashlib.sha256(text).hexdigest()}" == self.config_digest:
            return text
        return imageconfig.exact(self.config, self.config_digest)


class ImageRecords:
    """Image rows, tag rows and digest rows of all accounts."""

    def __init__(self, database: Database) -> None:
        self._db = database
        for statement in _TABLES.split(";"):
            self._db.execute(statement)
        self._add_columns()

    def _add_columns(self) -> None:
        """Bring the table of an older gateway up to date."""
        with self._db.transaction():
            known = {row["name"] for row in self._db.query("PRAGMA table_info(images)")}
            if "parent" not in known:
                self._db.execute("ALTER TABLE images ADD COLUMN parent TEXT NOT NULL DEFAULT ''")
            self._db.execute("CREATE INDEX IF NOT EXISTS images_by_parent ON images (owner_uuid, parent)")

    def put(self, record: ImageRecord) -> None:
        """Insert or replace an image; its names are left as they are."""
        image = record.config_str or msgspec.json.encode(record.config).decode()
        self._db.execute(
            f"INSERT OR REPLACE INTO images ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
            (
                record.owner_uuid,
                record.config_digest,
                record.image_uuid,
                record.manifest_digest,
                record.manifest_str,
                record.size,
                record.created,
                image,
                record.parent,
            ),
        )

    def tag(self, owner_uuid: str, repo: str, tag: str, config_digest: str) -> None:
        """Point a name at an image, taking it away from the one that had it."""
        self._db.execute(
            "INSERT OR REPLACE INTO image_tags VALUES (?, ?, ?, ?)", (owner_uuid, repo, tag, config_digest)
        )

    def add_digest(self, owner_uuid: str, repo: str, digest: str, config_digest: str) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO image_digests VALUES (?, ?, ?, ?)", (owner_uuid, repo, digest, config_digest)
        )

    def tags(self, owner_uuid: str, repo: str) -> list[str]:
        """The tags of a repository, sorted."""
        rows = self._db.query(
            "SELECT tag FROM image_tags WHERE owner_uuid = ? AND repo = ? ORDER BY tag", (owner_uuid, repo)
        )
        return [row["tag"] for row in rows]

    def untag(self, owner_uuid: str, repo: str, tag: str) -> None:
        self._db.execute(
            "DELETE FROM image_tags WHERE owner_uuid = ? AND repo = ? AND tag = ?", (owner_uuid, repo, tag)
        )

    def remove_digest(self, owner_uuid: str, repo: str, digest: str) -> None:
        self._db.execute(
            "DELETE FROM image_digests WHERE owner_uuid = ? AND repo = ? AND digest = ?", (owner_uuid, repo, digest)
        )

    def delete(self, owner_uuid: str, config_digest: str) -> None:
        """Remove an image with all its names; those that were made from it have no parent any more."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE images SET parent = '' WHERE owner_uuid = ? AND parent = ?", (owner_uuid, config_digest)
            )
            for table in ("images", "image_tags", "image_digests"):
                self._db.execute(
                    f"DELETE FROM {table} WHERE owner_uuid = ? AND config_digest = ?",  # noqa: S608 - constants
                    (owner_uuid, config_digest),
                )

    def get(self, owner_uuid: str, config_digest: str) -> ImageRecord | None:
        rows = self._db.query(
            f"SELECT {_COLUMNS} FROM images WHERE owner_uuid = ? AND config_digest = ?",  # noqa: S608 - constant
            (owner_uuid, config_digest),
        )
        return self._record(rows[0]) if rows else None

    def by_tag(self, owner_uuid: str, repo: str, tag: str) -> ImageRecord | None:
        return self._named("image_tags", "tag", owner_uuid, repo, tag)

    def by_digest(self, owner_uuid: str, repo: str, digest: str) -> ImageRecord | None:
        return self._named("image_digests", "digest", owner_uuid, repo, digest)

    def _named(self, table: str, column: str, owner_uuid: str, repo: str, value: str) -> ImageRecord | None:
        rows = self._db.query(
            f"SELECT config_digest FROM {table} WHERE owner_uuid = ? AND repo = ? AND {column} = ?",  # noqa: S608
            (owner_uuid, repo, value),
        )
        return self.get(owner_uuid, rows[0]["config_digest"]) if rows else None

    def by_id_prefix(self, owner_uuid: str, prefix: str) -> list[ImageRecord]:
        """Images whose id begins with these hex digits."""
        rows = self._db.query(
            f"SELECT {_COLUMNS} FROM images WHERE owner_uuid = ? AND config_digest >= ? AND config_digest < ?",  # noqa: S608
            (owner_uuid, f"sha256:{prefix}", f"sha256:{prefix}g"),
        )
        return [self._record(row) for row in rows]

    def all(self, owner_uuid: str) -> list[ImageRecord]:
        """Every image of an account, newest first."""
        rows = self._db.query(
            f"SELECT {_COLUMNS} FROM images WHERE owner_uuid = ? ORDER BY created DESC",  # noqa: S608 - constant
            (owner_uuid,),
        )
        names = self._names("image_tags", "tag", ":", owner_uuid)
        digests = self._names("image_digests", "digest", "@", owner_uuid)
        return [
            _record(row, names.get(row["config_digest"], ()), digests.get(row["config_digest"], ())) for row in rows
        ]

    def parents(self, owner_uuid: str) -> set[str]:
        """Ids of the account's images that others were made from."""
        rows = self._db.query("SELECT DISTINCT parent FROM images WHERE owner_uuid = ? AND parent != ''", (owner_uuid,))
        return {row["parent"] for row in rows}

    def children(self, owner_uuid: str, config_digest: str) -> list[ImageRecord]:
        """Images that were made from this one, the newest first."""
        rows = self._db.query(
            f"SELECT {_COLUMNS} FROM images WHERE owner_uuid = ? AND parent = ? ORDER BY created DESC",  # noqa: S608 - constant
            (owner_uuid, config_digest),
        )
        return [self._record(row) for row in rows]

    def count(self, owner_uuid: str) -> int:
        rows = self._db.query("SELECT count(*) AS n FROM images WHERE owner_uuid = ?", (owner_uuid,))
        return int(rows[0]["n"])

    def uses_layer(self, image_uuid: str) -> bool:
        """Whether any account's image ends in this layer."""
        return bool(self._db.query("SELECT 1 FROM images WHERE image_uuid = ? LIMIT 1", (image_uuid,)))

    def _names(
        self, table: str, column: str, between: str, owner_uuid: str, config_digest: str | None = None
    ) -> dict[str, tuple[str, ...]]:
        where = "" if config_digest is None else " AND config_digest = ?"
        values = (owner_uuid,) if config_digest is None else (owner_uuid, config_digest)
        rows = self._db.query(
            f"SELECT repo, {column} AS name, config_digest FROM {table} WHERE owner_uuid = ?{where}",  # noqa: S608
            values,
        )
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row["config_digest"], []).append(f"{row['repo']}{between}{row['name']}")
        return {digest: tuple(sorted(names)) for digest, names in found.items()}

    def _record(self, row: Row) -> ImageRecord:
        owner, digest = row["owner_uuid"], row["config_digest"]
        tags: Iterable[str] = self._names("image_tags", "tag", ":", owner, digest).get(digest, ())
        digests: Iterable[str] = self._names("image_digests", "digest", "@", owner, digest).get(digest, ())
        return _record(row, tags, digests)


def _record(row: Row, tags: Iterable[str], digests: Iterable[str]) -> ImageRecord:
    return ImageRecord(
        owner_uuid=row["owner_uuid"],
        config_digest=row["config_digest"],
        image_uuid=row["image_uuid"],
        manifest_digest=row["manifest_digest"],
        manifest_str=row["manifest_str"],
        size=row["size"],
        created=row["created"],
        parent=row["parent"],
        config=msgspec.json.decode(row["image"]),
        config_str=row["image"],
        tags=tuple(tags),
        digests=tuple(digests),
    )

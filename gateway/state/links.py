"""Legacy links between an account's containers. sdc-docker kept the same rows in Moray (``docker_links``).

The data center holds what a link amounts to (the variables and host names in a VM's metadata), but not what it
came from; without that it could not follow a container that changes, nor be shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.state.database import Database, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """``docker run --name <container> --link <target>:<alias>``. Names are without their leading slash."""

    owner_uuid: str
    container_uuid: str
    container_name: str
    target_uuid: str
    target_name: str
    alias: str
    cut: bool = False
    """Removed, or its target is; kept until the container starts next and learns of it."""


class Links:
    """Links by account, container and alias."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS links (owner_uuid TEXT, container_uuid TEXT, container_name TEXT NOT NULL,"
            " target_uuid TEXT NOT NULL, target_name TEXT NOT NULL, alias TEXT, cut INTEGER NOT NULL DEFAULT 0,"
            " PRIMARY KEY (owner_uuid, container_uuid, alias))"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS links_by_target ON links (owner_uuid, target_uuid)")

    def add(self, links: Iterable[Link]) -> None:
        """Keep links, all or none. One that a container has already is replaced."""
        with self._db.transaction():
            for link in links:
                self._db.execute(
                    "INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        link.owner_uuid,
                        link.container_uuid,
                        link.container_name,
                        link.target_uuid,
                        link.target_name,
                        link.alias,
                        link.cut,
                    ),
                )

    def of_container(self, owner_uuid: str, container_uuid: str) -> list[Link]:
        """Return what a container links to, cut links too, in the order in which they were made."""
        return self._select("owner_uuid = ? AND container_uuid = ?", owner_uuid, container_uuid)

    def of_account(self, owner_uuid: str) -> list[Link]:
        """Return the links of all containers of an account that are not cut."""
        return self._select("owner_uuid = ? AND NOT cut", owner_uuid)

    def rename(self, owner_uuid: str, vm_uuid: str, name: str) -> None:
        """Follow a container to its new name, in its own links and in those to it."""
        with self._db.transaction():
            for side in ("container", "target"):
                self._db.execute(
                    f"UPDATE links SET {side}_name = ? WHERE owner_uuid = ? AND {side}_uuid = ?",  # noqa: S608
                    (name, owner_uuid, vm_uuid),
                )

    def cut(self, owner_uuid: str, container_uuid: str, alias: str) -> bool:
        """Cut one link; False when the container has no such link."""
        sql = "UPDATE links SET cut = 1 WHERE owner_uuid = ? AND container_uuid = ? AND alias = ? AND NOT cut"
        return bool(self._db.execute(sql, (owner_uuid, container_uuid, alias)))

    def drop_cut(self, owner_uuid: str, container_uuid: str) -> None:
        """Forget the cut links of a container that has learnt of them."""
        sql = "DELETE FROM links WHERE owner_uuid = ? AND container_uuid = ? AND cut"
        self._db.execute(sql, (owner_uuid, container_uuid))

    def remove_container(self, owner_uuid: str, vm_uuid: str) -> None:
        """Forget what a removed container linked to, and cut the links to it."""
        with self._db.transaction():
            self._db.execute("DELETE FROM links WHERE owner_uuid = ? AND container_uuid = ?", (owner_uuid, vm_uuid))
            self._db.execute("UPDATE links SET cut = 1 WHERE owner_uuid = ? AND target_uuid = ?", (owner_uuid, vm_uuid))

    def _select(self, condition: str, *values: str) -> list[Link]:
        rows = self._db.query(f"SELECT * FROM links WHERE {condition} ORDER BY rowid", values)  # noqa: S608 - constant
        return [_link(row) for row in rows]


def _link(row: Row) -> Link:
    return Link(**{**dict(row), "cut": bool(row["cut"])})

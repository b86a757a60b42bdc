"""Nic tags: names of the physical networks that nodes are plugged into."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from datacenter.restify import is_uuid, not_found
from datacenter.services.napi.errors import InUse, InvalidParameters, duplicate, invalid, missing, used_by
from datacenter.services.napi.networks import MTU_RANGE, whole

if TYPE_CHECKING:
    from datacenter.services.napi.model import Napi

Tag = dict[str, Any]

BUILT_IN = ("admin", "external", "sdc_overlay")
"""What the data center itself stands on: neither renamed nor deleted."""
SETTABLE = frozenset(("name", "uuid", "mtu"))

_NAME = re.compile(r"[a-zA-Z0-9_]{1,31}")


class NicTags:
    """The data center's nic tags: ``name``, ``uuid``, ``mtu``."""

    def __init__(self, napi: Napi) -> None:
        self._napi = napi
        self._tags = napi.dc.store.bucket("nic_tags")

    def all(self) -> list[Tag]:
        """Every tag, by name."""
        return sorted(self._tags.all(), key=lambda tag: str(tag["name"]))

    def get(self, name: str) -> Tag:
        """A tag by name. Raises 404."""
        tag = self._tags.get(name)
        if tag is None:
            raise not_found("nic tag not found")
        return tag

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._tags

    def seed(self) -> None:
        for name in BUILT_IN:
            self._put({"uuid": str(uuid.uuid4())}, {"name": name, "mtu": 1500})

    def create(self, given: Tag) -> Tag:
        """Make a tag. Raises 422 InvalidParameters."""
        problems = [] if given.get("name") else [missing("name")]
        if given.get("uuid") is not None and not is_uuid(given["uuid"]):
            problems.append(invalid("uuid", "invalid UUID"))
        if problems:
            raise InvalidParameters(*problems)
        return self._put({"uuid": given.get("uuid") or str(uuid.uuid4()), "mtu": 1500}, given)

    def update(self, tag: Tag, changes: Tag) -> Tag:
        """Rename a tag that nobody uses, or change its MTU, never below its networks'. Raises 422."""
        if changes.get("name", tag["name"]) != tag["name"]:
            self._check_unused(tag)
        with self._napi.dc.store.transaction():
            changed = self._put(tag, changes)
            if changed["name"] != tag["name"]:
                self._tags.delete(tag["name"])
        return changed

    def delete(self, tag: Tag) -> None:
        """Delete a tag that no network is on. Raises 422 InUse."""
        self._check_unused(tag)
        self._tags.delete(tag["name"])

    def _put(self, tag: Tag, given: Tag) -> Tag:
        changed = {**tag, **{field: given[field] for field in ("name", "mtu") if given.get(field) is not None}}
        problems = []
        if not isinstance(changed["name"], str) or not _NAME.fullmatch(changed["name"]):
            problems.append(invalid("name", "must only contain numbers, letters and underscores, 31 at most"))
        elif changed["name"] != tag.get("name") and changed["name"] in self:
            problems.append(duplicate("name"))
        if not whole(changed["mtu"]) or int(changed["mtu"]) not in MTU_RANGE:
            problems.append(invalid("mtu", "mtu must be a number between 576 and 9000"))
        elif any(network["mtu"] > int(changed["mtu"]) for network in self._users(tag)):
            problems.append(invalid("mtu", "nic_tag mtu must be greater than its networks"))
        if problems:
            raise InvalidParameters(*problems)
        shown = {"mtu": int(changed["mtu"]), "name": changed["name"], "uuid": changed["uuid"]}
        return self._tags.put(changed["name"], shown)

    def _users(self, tag: Tag) -> list[dict[str, Any]]:
        return self._napi.networks(nic_tag=tag["name"], limit=1000) if "name" in tag else []

    def _check_unused(self, tag: Tag) -> None:
        if tag["name"] in BUILT_IN:
            raise InUse("nic tag is the data center's own", [used_by("datacenter", tag["name"])])
        users = [used_by("network", network["uuid"]) for network in self._users(tag)]
        if users:
            raise InUse("nic tag is in use", users)

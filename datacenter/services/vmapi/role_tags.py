"""Role tags: the uuids of the roles that a VM is open to."""

from __future__ import annotations

from typing import Any

from datacenter.restify import RestError, is_uuid
from datacenter.store import Store


class RoleTags:
    """Role tags by VM; kept apart from the VMs, which are told without them unless somebody asks."""

    def __init__(self, store: Store) -> None:
        self._kept = store.bucket("vm_role_tags")

    def of(self, vm_uuid: str) -> list[str]:
        kept = self._kept.get(vm_uuid)
        return [] if kept is None else list(kept["role_tags"])

    def put(self, vm_uuid: str, role_tags: list[str]) -> list[str]:
        """Replace a VM's role tags; none twice."""
        wanted = list(dict.fromkeys(role_tags))
        self._kept.put(vm_uuid, {"role_tags": wanted})
        return wanted

    def vm_changed(self, uuid: str, _before: Any, after: Any) -> None:
        """Forget the tags of a VM that is forgotten itself."""
        if after is None and uuid in self._kept:
            self.forget(uuid)

    def forget(self, vm_uuid: str) -> None:
        self._kept.delete(vm_uuid)


def read_role_tags(asked: dict[str, Any], message: str) -> list[str]:
    """The role tags in a request. Raises RestError ValidationFailed."""
    role_tags = asked.get("role_tags")
    if not isinstance(role_tags, list) or not role_tags:
        told = "Must be an array of UUIDs"
    else:
        wrong = next((tag for tag in role_tags if not is_uuid(tag)), None)
        if wrong is None:
            return role_tags
        told = f"{wrong} is not a UUID"
    raise RestError(409, "ValidationFailed", message, [{"field": "role_tags", "code": "Invalid", "message": told}])

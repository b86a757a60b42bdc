"""Role tags: which roles an account's resources bear, so that these roles' rules count for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError, not_found

if TYPE_CHECKING:
    from datacenter.center import DataCenter

MACHINES = "/machines/"
RESOURCES = frozenset(
    (
        "machines",
        "users",
        "roles",
        "packages",
        "images",
        "policies",
        "keys",
        "datacenters",
        "fwrules",
        "networks",
        "services",
    )
)


class RoleTags:
    """The tags of all accounts' resources, by the path below the account; ``""`` is the account itself.

    Those of machines are VMAPI's, which has doors to them of its own.
    """

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self._mahi = dc.mahi
        self._tags = dc.store.bucket("role_tags")

    def get(self, account_uuid: str, resource: str) -> list[str]:
        """The uuids of a resource's roles, without those that are no more."""
        if resource.startswith(MACHINES):
            machine = self._machine(account_uuid, resource)
            known = [] if machine is None else self._dc.vmapi.role_tags.of(machine)
        else:
            known = (self._tags.get(account_uuid + resource) or {"roles": []})["roles"]
        return [uuid for uuid in known if self._mahi.roles.get(uuid)]

    def names(self, account_uuid: str, resource: str) -> list[str]:
        found = (self._mahi.roles.get(uuid) for uuid in self.get(account_uuid, resource))
        return [role["name"] for role in found if role]

    def put(self, account_uuid: str, resource: str, role_uuids: Iterable[str]) -> None:
        """Replace a resource's tags. A machine that the account has not gets none."""
        if not resource.startswith(MACHINES):
            self._tags.put(account_uuid + resource, {"roles": list(role_uuids)})
        elif machine := self._machine(account_uuid, resource):
            self._dc.vmapi.role_tags.put(machine, list(role_uuids))

    def drop(self, account_uuid: str, resource: str) -> None:
        if not resource.startswith(MACHINES):
            self._tags.delete(account_uuid + resource)
        elif machine := self._machine(account_uuid, resource):
            self._dc.vmapi.role_tags.forget(machine)

    def _machine(self, account_uuid: str, resource: str) -> str | None:
        vm_uuid = resource.removeprefix(MACHINES)
        vm = self._dc.vmapi.vm(vm_uuid)
        return vm_uuid if vm and vm["owner_uuid"] == account_uuid else None

    def read(self, account_uuid: str, names: Any) -> list[str]:
        """The uuids of roles by name: a list, or a text with commas. Raises 409 InvalidArgument."""
        given = names.split(",") if isinstance(names, str) else names
        if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
            raise RestError(409, "InvalidArgument", "role-tag must be a list of names of roles")
        wanted = list(dict.fromkeys(name.strip() for name in given if name.strip()))
        found = {name: self._mahi.roles.find(account_uuid, name) for name in wanted}
        missing = [name for name, role in found.items() if role is None]
        if missing:
            raise RestError(409, "InvalidArgument", f"Role(s) {', '.join(missing)} not found")
        return [role["uuid"] for role in found.values() if role]


def resource_of(path: str) -> str:
    """The resource that a path below the account is about: what lies below a machine or rule is that one's.

    Keys of sub-users are resources of their own.
    """
    parts = path.strip("/").split("/") if path.strip("/") else []
    keep = len(parts) if parts[:1] == ["users"] and parts[2:3] == ["keys"] else 2
    return "".join(f"/{part}" for part in parts[:keep])


def check_taggable(resource: str) -> None:
    """Raise 404 for what bears no tags."""
    kind = resource.split("/")[1] if resource else ""
    if kind and kind not in RESOURCES:
        raise not_found(f"{kind} is not a valid resource")


def is_collection(resource: str) -> bool:
    """Whether a resource is where others that bear tags are made: ``/machines``, ``/users/alice/keys``."""
    kind, *below = resource.strip("/").split("/")
    return kind in RESOURCES and (not below or (kind == "users" and below[1:] == ["keys"]))

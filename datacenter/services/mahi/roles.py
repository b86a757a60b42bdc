"""Roles: who of an account's sub-users, and which other accounts, act under which policies."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError
from datacenter.services.mahi.attributes import check_name

if TYPE_CHECKING:
    from datacenter.services.mahi.model import Account, Mahi
    from datacenter.store import Store

Role = dict[str, Any]

ADMINISTRATOR = "administrator"
"""The role whose members may do anything to its account; it has no policies."""


class Roles:
    """The roles of all accounts.

    A role: ``uuid``, ``name``, ``account``, ``members`` and ``default_members`` (uuids of sub-users and of other
    accounts; default members are members, too) and ``policies`` (uuids). A default member acts under the role
    without asking for it.
    """

    def __init__(self, mahi: Mahi, store: Store) -> None:
        self._mahi = mahi
        self._roles = store.bucket("account_roles")

    def get(self, role_uuid: str) -> Role | None:
        return self._roles.get(role_uuid)

    def of(self, account_uuid: str) -> list[Role]:
        return self._roles.find(account=account_uuid)

    def find(self, account_uuid: str, name_or_uuid: str) -> Role | None:
        for role in self.of(account_uuid):
            if name_or_uuid in (role["name"], role["uuid"]):
                return role
        return None

    def require(self, account_uuid: str, name_or_uuid: str) -> Role:
        """The role, or 404 ResourceNotFound."""
        role = self.find(account_uuid, name_or_uuid)
        if role is None:
            raise RestError(404, "ResourceNotFound", f"{name_or_uuid} does not exist")
        return role

    def with_member(self, member_uuid: str, kind: str = "members") -> list[Role]:
        """The roles that a sub-user or account is in; ``default_members`` for those it acts under unasked."""
        return [role for role in self._roles.all() if member_uuid in role[kind]]

    def create(self, account: Account, given: dict[str, Any]) -> Role:
        """Make a role of ``name``, ``members``, ``default_members``, ``policies``. Raises 409 InvalidArgument."""
        empty: dict[str, list[str]] = {"members": [], "default_members": [], "policies": []}
        return self._put(account, {"uuid": str(uuid.uuid4()), "account": account["uuid"], **empty}, given)

    def update(self, account: Account, role: Role, changes: dict[str, Any]) -> Role:
        """Change what is given of a role; lists are replaced. Raises 409 InvalidArgument."""
        return self._put(account, role, {"name": role["name"], **changes})

    def delete(self, role: Role) -> None:
        self._roles.delete(role["uuid"])

    def forget(self, kind: str, uuid: str) -> None:
        """Take a member (a default one, too) or policy that is no more out of every role."""
        for role in self.with_member(uuid, kind):
            kinds = ("members", "default_members") if kind == "members" else (kind,)
            self._roles.update(role["uuid"], **{name: [one for one in role[name] if one != uuid] for name in kinds})

    def _put(self, account: Account, role: Role, given: dict[str, Any]) -> Role:
        name = check_name(given.get("name"))
        known = self.find(account["uuid"], name)
        if known is not None and known["uuid"] != role["uuid"]:
            raise RestError(409, "InvalidArgument", f"role {name} exists already")
        changes = {"name": name, **self._members(account, role, given)}
        if "policies" in given:
            changes["policies"] = self._policies(account, given["policies"])
        if name == ADMINISTRATOR and changes.get("policies", role["policies"]):
            raise RestError(409, "InvalidArgument", "Administrator role cannot have policies")
        return self._roles.put(role["uuid"], {**role, **changes})

    def _members(self, account: Account, role: Role, given: dict[str, Any]) -> dict[str, list[str]]:
        """Both lists of members, after what is given of them.

        A member is a sub-user's login, or ``{"type": "subuser"|"account", "login"|"id", "default"?}``. Given in
        that form alone, ``members`` says of the default ones, too.
        """
        if not {"members", "default_members"} & given.keys():
            return {}
        members, defaults = role["members"], role["default_members"]
        if "members" in given:
            named = _listed(given["members"], "members")
            members = [self._member(account, one) for one in named]
            if any(isinstance(one, dict) for one in named):
                asked = (isinstance(one, dict) and one.get("default") is True for one in named)
                defaults = [member for member, default in zip(members, asked, strict=True) if default]
            else:
                defaults = [member for member in defaults if member in members]
        if "default_members" in given:
            defaults = [self._member(account, one) for one in _listed(given["default_members"], "default_members")]
        return {"members": _once([*members, *defaults]), "default_members": _once(defaults)}

    def _member(self, account: Account, given: Any) -> str:
        kind, name = "subuser", given
        if isinstance(given, dict):
            kind, name = given.get("type", "subuser"), given.get("id") or given.get("login")
        if not isinstance(name, str) or kind not in ("subuser", "account"):
            raise RestError(409, "InvalidArgument", f"Invalid member: {json.dumps(given)}")
        found = self._mahi.users.find(account["uuid"], name) if kind == "subuser" else self._mahi.account(name)
        if found is None or found["uuid"] == account["uuid"]:
            raise RestError(409, "InvalidArgument", f"Invalid {kind}: {name}")
        return str(found["uuid"])

    def _policies(self, account: Account, given: Any) -> list[str]:
        found = []
        for one in _listed(given, "policies"):
            name = (one.get("id") or one.get("name")) if isinstance(one, dict) else one
            policy = self._mahi.policies.find(account["uuid"], name) if isinstance(name, str) else None
            if policy is None:
                raise RestError(409, "InvalidArgument", f"Invalid policy: {name}")
            found.append(policy["uuid"])
        return _once(found)


def _listed(given: Any, field: str) -> list[Any]:
    """A list, or the one value of a list; nothing stands for an empty one."""
    if given is None or given == "":
        return []
    if isinstance(given, str | dict):
        return [given]
    if not isinstance(given, list):
        raise RestError(409, "InvalidArgument", f"{field} must be a list")
    return given


def _once(uuids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(uuids))

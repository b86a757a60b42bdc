"""What authenticators read: accounts, sub-users and roles as MAHI shows them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from grammars import aperture
from grammars.apertypes import RuleError

if TYPE_CHECKING:
    from datacenter.services.mahi.model import Account, Mahi
    from datacenter.services.mahi.roles import Role
    from datacenter.services.mahi.subusers import User

Shown = dict[str, Any]

_EXTRAS = ("disabled", "tenant", "allowed_dcs", "limits", "email")
"""Attributes a real MAHI keeps to itself or leaves to UFDS; served when set."""


def auth_info(mahi: Mahi, account: Account, user: User | None = None) -> Shown:
    """The document that authenticators work with: the caller, and the roles it may act under with their rules."""
    caller = user or account
    roles = {
        role["uuid"]: {**role_view(role), "rules": rules(mahi, role)} for role in mahi.roles.with_member(caller["uuid"])
    }
    info: Shown = {"roles": roles, "account": account_view(mahi, account)}
    if user is not None:
        info["user"] = user_view(mahi, user)
    return info


def account_view(mahi: Mahi, account: Account) -> Shown:
    """An account. Flags that UFDS holds as text stay text; roles are those of other accounts that it is in."""
    groups = account.get("groups", [])
    shown: Shown = {
        "type": "account",
        "uuid": account["uuid"],
        "login": account["login"],
        "groups": groups,
        "approved_for_provisioning": account["approved_for_provisioning"],
        "isOperator": "operators" in groups,
        "keys": account["keys"],
    }
    if "triton_cns_enabled" in account:
        shown["triton_cns_enabled"] = "true" if account["triton_cns_enabled"] else "false"
    shown.update((name, account[name]) for name in _EXTRAS if name in account)
    memberships = _memberships(mahi, account["uuid"])
    return shown | (memberships if memberships["roles"] else {})


def user_view(mahi: Mahi, user: User) -> Shown:
    return {
        "type": "user",
        "uuid": user["uuid"],
        "account": user["account"],
        "login": user["login"],
        "keys": user["keys"],
        **_memberships(mahi, user["uuid"]),
    }


def role_view(role: Role) -> Shown:
    shown = {"type": "role", "uuid": role["uuid"], "name": role["name"], "account": role["account"]}
    return {**shown, "policies": role["policies"]}


def members(mahi: Mahi, role: Role) -> dict[str, Shown]:
    """Everybody in a role by uuid, each with its keys and its own roles: sub-users, and other accounts."""
    found: dict[str, Shown] = {}
    for uuid in role["members"]:
        user, account = mahi.users.get(uuid), mahi.account(uuid)
        if user is not None:
            found[uuid] = user_view(mahi, user)
        elif account is not None:
            found[uuid] = account_view(mahi, account)
    return found


def rules(mahi: Mahi, role: Role) -> list[list[Any]]:
    """The rules of a role's policies, each as written and as read; what can't be read any more counts for nothing."""
    found = []
    for policy in filter(None, map(mahi.policies.get, role["policies"])):
        for rule in policy["rules"]:
            with suppress(RuleError):  # kept since before it was refused
                found.append([rule, aperture.parse(rule)])
    return found


def _memberships(mahi: Mahi, uuid: str) -> dict[str, list[str]]:
    of = {"roles": "members", "defaultRoles": "default_members"}
    return {name: sorted(role["uuid"] for role in mahi.roles.with_member(uuid, kind)) for name, kind in of.items()}

"""May the caller do this? Owners and operators may; others as far as the account's roles and policies let them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError
from datacenter.services.mahi.roles import ADMINISTRATOR
from datacenter.services.mahi.views import rules
from grammars import aperture
from grammars.apertypes import RuleError

if TYPE_CHECKING:
    from datacenter.services.mahi import Mahi

Account = dict[str, Any]
Role = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request: an account, or one of its sub-users."""

    account: Account
    user: Mapping[str, Any] | None = None

    @property
    def uuid(self) -> str:
        return str((self.user or self.account)["uuid"])

    @property
    def login(self) -> str:
        return str((self.user or self.account)["login"])

    @property
    def operator(self) -> bool:
        """Operators may see every account; a sub-user of one is none."""
        return self.user is None and "operators" in self.account.get("groups", ())

    def owns(self, account: Account) -> bool:
        return self.user is None and self.account["uuid"] == account["uuid"]


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody is about to do: ``action`` on ``path``, which bears the roles of ``tags``."""

    action: str
    path: str
    tags: frozenset[str]
    """Uuids of roles."""
    context: Mapping[str, Any]
    """What conditions are weighed against."""


def roles_of(mahi: Mahi, caller: Caller, account: Account, asked: str | None) -> list[Role]:
    """The roles of the account that the caller acts under: those it asks for, else those it has by default.

    Raises 403 when it asks for one that it is not in.
    """
    kind = "members" if asked else "default_members"
    roles = [role for role in mahi.roles.with_member(caller.uuid, kind) if role["account"] == account["uuid"]]
    if not asked:
        return roles
    by_name = {role["name"]: role for role in roles}
    wanted = [name.strip() for name in asked.split(",") if name.strip()]
    missing = [name for name in wanted if name not in by_name]
    if missing:
        raise forbidden(f"{caller.login} is not in the role {', '.join(missing)}")
    return [by_name[name] for name in wanted]


def check(mahi: Mahi, caller: Caller, account: Account, roles: list[Role], deed: Deed) -> None:
    """Raise 403 NotAuthorized unless one of the roles lets the caller do the deed.

    A role counts for what is tagged with it, and with those of its rules that name resources, for these. Who
    is in the role ``administrator`` may do everything. A rule that denies takes nothing from one that allows,
    and one that cannot be weighed ends the search, as in Triton.
    """
    told = f"{deed.path} ({deed.action})"
    for one in (caller.account, account):
        if not one.get("approved_for_provisioning", True) and "operators" not in one.get("groups", ()):
            raise forbidden(told)
    for role in roles:
        if role["name"] == ADMINISTRATOR:
            return
        tagged = role["uuid"] in deed.tags
        for _, rule in rules(mahi, role):
            if not tagged and "resources" not in rule:
                continue
            try:
                if aperture.allows(rule, deed.action, deed.path, deed.context):
                    return
            except RuleError as error:
                raise forbidden(told) from error
    raise forbidden(told)


def context(
    user_agent: str | None, method: str, address: str | None, machine: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the conditions of rules can ask about: the time, the request, and the machine it is about."""
    now = datetime.now(UTC)
    known: dict[str, Any] = {"date": now, "day": now, "time": now, "method": method.lower()}
    if address:
        known |= {"sourceip": address, "requestip": address}
    if user_agent:
        known["user-agent"] = user_agent
    if machine is not None:
        known["ip"] = [nic["ip"] for nic in machine.get("nics") or () if nic.get("ip")]
        known |= {f"tag_{name}": value for name, value in (machine.get("tags") or {}).items()}
    return known


def forbidden(what: str) -> RestError:
    return RestError(403, "NotAuthorized", f"You do not have permission to access {what}")

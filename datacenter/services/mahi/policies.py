"""Policies: named sets of rules, which roles bring to their members."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError
from datacenter.services.mahi.attributes import check_name
from grammars import aperture
from grammars.apertypes import RuleError

if TYPE_CHECKING:
    from datacenter.services.mahi.model import Mahi
    from datacenter.store import Store

Policy = dict[str, Any]

MOST_RULES = 100


class Policies:
    """The policies of all accounts: ``uuid``, ``name``, ``account``, ``rules`` as written, ``description``."""

    def __init__(self, mahi: Mahi, store: Store) -> None:
        self._mahi = mahi
        self._policies = store.bucket("account_policies")

    def get(self, policy_uuid: str) -> Policy | None:
        return self._policies.get(policy_uuid)

    def of(self, account_uuid: str) -> list[Policy]:
        return self._policies.find(account=account_uuid)

    def find(self, account_uuid: str, name_or_uuid: str) -> Policy | None:
        for policy in self.of(account_uuid):
            if name_or_uuid in (policy["name"], policy["uuid"]):
                return policy
        return None

    def require(self, account_uuid: str, name_or_uuid: str) -> Policy:
        """The policy, or 404 ResourceNotFound."""
        policy = self.find(account_uuid, name_or_uuid)
        if policy is None:
            raise RestError(404, "ResourceNotFound", f"{name_or_uuid} does not exist")
        return policy

    def create(self, account_uuid: str, name: Any, rules: Any, description: Any = None) -> Policy:
        """Make a policy. Raises 409 InvalidArgument, with what is wrong with the rules."""
        policy = {"uuid": str(uuid.uuid4()), "account": account_uuid}
        return self._put(policy, name=name, rules=rules, description=description)

    def update(self, policy: Policy, **changes: Any) -> Policy:
        """Change ``name``, ``rules`` or ``description``; those left out stay. Raises 409 InvalidArgument."""
        return self._put(
            policy, **{**{field: policy.get(field) for field in ("name", "rules", "description")}, **changes}
        )

    def delete(self, policy: Policy) -> None:
        """Delete a policy, and take it out of every role."""
        with self._mahi.store.transaction():
            self._mahi.roles.forget("policies", policy["uuid"])
            self._policies.delete(policy["uuid"])

    def _put(self, policy: Policy, *, name: Any, rules: Any, description: Any) -> Policy:
        check_name(name)
        known = self.find(policy["account"], name)
        if known is not None and known["uuid"] != policy["uuid"]:
            raise RestError(409, "InvalidArgument", f"policy {name} exists already")
        if description is not None and not isinstance(description, str):
            raise RestError(409, "InvalidArgument", "description must be a string")
        policy = {**policy, "name": name, "rules": _check_rules(rules), "description": description}
        return self._policies.put(policy["uuid"], {key: value for key, value in policy.items() if value is not None})


def _check_rules(rules: Any) -> list[str]:
    rules = [rules] if isinstance(rules, str) else rules
    if not (isinstance(rules, list) and rules and all(isinstance(rule, str) for rule in rules)):
        raise RestError(409, "InvalidArgument", "rules must be a rule or a list of rules")
    if len(rules) > MOST_RULES:
        raise RestError(409, "InvalidArgument", f"a policy has at most {MOST_RULES} rules")
    wrong = []
    for rule in rules:
        try:
            aperture.parse(rule)
        except RuleError as error:
            wrong.append(f"{rule}: {error}")
    if wrong:
        raise RestError(409, "InvalidArgument", ", ".join(wrong))
    return rules

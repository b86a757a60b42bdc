"""The rule store: rules as text in normal form, parsed once."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from flask import Flask

from datacenter.restify import RestError, is_uuid, not_found, truthy
from datacenter.services.fwapi import routes
from datacenter.services.fwapi.spread import Spread
from grammars import firewall

if TYPE_CHECKING:
    from datacenter.center import DataCenter

RuleDoc = dict[str, Any]

_ORDER = ("created_by", "description", "enabled", "global", "log", "owner_uuid", "rule", "uuid", "version")
_FLAGS = ("enabled", "global", "log")
GLOBAL = "global"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Fwapi:
    """Firewall rules. A rule belongs to an account and touches that account's VMs alone, or is global."""

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self._rules = dc.store.bucket("firewall_rules")
        self._parsed: dict[str, firewall.Rule] = {}
        self._by: dict[str, dict[str, None]] = defaultdict(dict)
        """Uuids of rules by their owner's uuid, by every uuid that their text names, and by GLOBAL."""
        self._rules.watch(self._forget)
        self._rules.watch(self._index)
        self.spread = Spread(dc)
        self._rules.watch(self.spread.rule_changed)
        self.app: Flask = routes.make_app(self)

    def rules(self, key: str | None = None) -> list[RuleDoc]:
        """All rules; or those that an account has, those that name a VM, or with GLOBAL those of everybody."""
        if key is None:
            return self._rules.all()
        return [rule for uuid in self._by.get(key, ()) if (rule := self._rules.get(uuid)) is not None]

    def find(self, rule_uuid: str) -> RuleDoc | None:
        return self._rules.get(rule_uuid)

    def rule(self, rule_uuid: str, owner_uuid: str | None = None) -> RuleDoc:
        """One rule, checked against its owner when one is given. Raises 404, 403 Forbidden."""
        found = self._rules.get(rule_uuid)
        if found is None:
            raise not_found("Rule not found")
        if owner_uuid is not None and found.get("owner_uuid") != owner_uuid:
            problem = _problem("owner_uuid", "InvalidParameter", "owner_uuid does not match")
            raise RestError(403, "Forbidden", "owner does not match", [problem])
        return found

    def parsed(self, rule: RuleDoc) -> firewall.Rule:
        """A rule's meaning, read once for each version of it."""
        if rule["uuid"] not in self._parsed:
            self._parsed[rule["uuid"]] = firewall.parse(rule["rule"])
        return self._parsed[rule["uuid"]]

    def create(self, given: dict[str, Any]) -> RuleDoc:
        """Add a rule. Raises 422 InvalidParameters."""
        problems = []
        if not given.get("owner_uuid") and not truthy(given.get("global")):
            problems.append(_problem("owner_uuid", "MissingParameter", "Missing parameter"))
        if str(given.get("uuid")) in self._rules:
            problems.append(_problem("uuid", "Duplicate", "Already exists"))
        return self._put({"enabled": False, "log": False, "uuid": str(uuid.uuid4()), **given}, problems)

    def update(self, rule: RuleDoc, changes: dict[str, Any]) -> RuleDoc:
        """Change some fields of a rule. Raises 422 InvalidParameters."""
        return self._put({**rule, **changes, "uuid": rule["uuid"]}, [])

    def delete(self, rule_uuid: str) -> None:
        self._rules.delete(rule_uuid)

    def rules_for_vm(self, vm: dict[str, Any]) -> list[RuleDoc]:
        """The rules that touch a VM by its uuid, its tags or with all VMs of its owner; disabled ones too."""
        tags = vm.get("tags") or {}
        known = {rule["uuid"]: rule for key in (vm["owner_uuid"], GLOBAL) for rule in self.rules(key)}
        return [rule for rule in known.values() if self.parsed(rule).touches(vm["uuid"], tags)]

    def vm_destroyed(self, vm_uuid: str) -> None:
        """Delete the rules that were about this VM alone; a rule that names other VMs or tags stays."""
        for rule in self.rules(vm_uuid):
            parsed = self.parsed(rule)
            selecting = {
                (target.kind, target.name) for target in parsed.targets if target.kind in ("vm", "tag", "all vms")
            }
            if selecting == {("vm", vm_uuid)}:
                self.delete(rule["uuid"])

    def vms_of_rule(self, rule: RuleDoc) -> list[dict[str, Any]]:
        """The VMs a rule touches now."""
        owner = {} if rule.get("global") else {"owner_uuid": rule["owner_uuid"]}
        parsed = self.parsed(rule)
        return [
            vm
            for vm in self._dc.vmapi.vms(**owner)
            if vm.get("state") != "destroyed" and parsed.touches(vm["uuid"], vm.get("tags") or {})
        ]

    def rules_of_vm(self, vm_uuid: str, owner_uuid: str | None) -> list[RuleDoc]:
        """The rules of a VM by uuid. Raises 404 ResourceNotFound when there is no such VM of that owner."""
        vm = self._dc.vmapi.vm(vm_uuid)
        if vm is None or owner_uuid not in (None, vm["owner_uuid"]):
            raise not_found("VM not found")
        return self.rules_for_vm(vm)

    def _put(self, fields: dict[str, Any], problems: list[dict[str, Any]]) -> RuleDoc:
        fields = {name: value for name, value in fields.items() if value is not None}
        problems += _check_types(fields)
        parsed = self._read(fields.get("rule"), problems)
        if problems or parsed is None:
            raise _invalid_parameters(problems)
        fields.update((name, truthy(fields[name])) for name in _FLAGS if name in fields)
        fields.update(rule=str(parsed), version=f"{int(time.time() * 1000)}.{os.getpid():06d}")
        return self._rules.put(fields["uuid"], {name: fields[name] for name in _ORDER if name in fields})

    def _forget(self, key: str, _before: RuleDoc | None, _after: RuleDoc | None) -> None:
        self._parsed.pop(key, None)

    def _index(self, key: str, before: RuleDoc | None, after: RuleDoc | None) -> None:
        old, new = _keys(before), _keys(after)
        for gone in old - new:
            del self._by[gone][key]
            if not self._by[gone]:
                del self._by[gone]
        for come in new - old:
            self._by[come][key] = None

    def _read(self, text: Any, problems: list[dict[str, Any]]) -> firewall.Rule | None:
        if not text:
            problems.append(_problem("rule", "MissingParameter", "Missing parameter"))
            return None
        try:
            return firewall.parse(str(text))
        except firewall.RuleError as error:
            problems.append(_problem("rule", "InvalidParameter", str(error)))
            return None


def _check_types(fields: RuleDoc) -> list[dict[str, Any]]:
    wrong = [
        (name, "invalid UUID") for name in ("uuid", "owner_uuid") if fields.get(name) and not is_uuid(fields[name])
    ]
    wrong += [
        (name, "must be true or false")
        for name in _FLAGS
        if str(fields.get(name, False)).lower() not in ("true", "false")
    ]
    wrong += [
        (name, "must be a string")
        for name in ("description", "created_by")
        if not isinstance(fields.get(name, ""), str)
    ]
    return [_problem(name, "InvalidParameter", message) for name, message in wrong]


def _invalid_parameters(problems: list[dict[str, Any]]) -> RestError:
    ordered = sorted(problems, key=lambda problem: str(problem["field"]))
    return RestError(422, "InvalidParameters", "Invalid parameters", ordered)


def _problem(field: str, code: str, message: str) -> dict[str, Any]:
    return {"field": field, "code": code, "message": message}


def _keys(rule: RuleDoc | None) -> set[str]:
    """What a rule is found by."""
    if rule is None:
        return set()
    named = set(_UUID.findall(str(rule["rule"]).lower()))
    return (
        named
        | {str(rule["owner_uuid"]) if rule.get("owner_uuid") else GLOBAL}
        | ({GLOBAL} if rule.get("global") else set())
    )

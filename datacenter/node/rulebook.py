"""The firewall rules that a node knows, found by the VMs that they are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from datacenter.node.peers import Peer
from datacenter.node.rulesets import OwnedRule
from grammars import firewall as grammar

EVERYBODY = "*"


def read(rule: dict[str, Any]) -> OwnedRule:
    """A rule as FWAPI keeps it. Raises KeyError or RuleError."""
    return OwnedRule(None if rule.get("global") else str(rule["owner_uuid"]), grammar.parse(str(rule["rule"])))


class Rulebook:
    """Rules by uuid. One that names single VMs alone is looked at for these only, however many others there are."""

    def __init__(self) -> None:
        self._rules: dict[str, OwnedRule] = {}
        self._by: dict[str, dict[str, OwnedRule]] = defaultdict(dict)

    def put(self, uuid: str, rule: OwnedRule) -> None:
        self.drop(uuid)
        self._rules[uuid] = rule
        for key in _keys(rule):
            self._by[key][uuid] = rule

    def drop(self, uuid: str) -> None:
        before = self._rules.pop(uuid, None)
        for key in _keys(before) if before else ():
            del self._by[key][uuid]
            if not self._by[key]:
                del self._by[key]

    def get(self, uuid: str) -> OwnedRule | None:
        return self._rules.get(uuid)

    def about(self, vm: Peer) -> list[OwnedRule]:
        """The rules that a VM is on either side of."""
        found = {uuid: rule for key in (vm.uuid, vm.owner, EVERYBODY) for uuid, rule in self._by.get(key, {}).items()}
        return [rule for rule in found.values() if rule.inwards(vm) or rule.outwards(vm)]


def _keys(owned: OwnedRule) -> Iterator[str]:
    selecting = [target for target in owned.rule.targets if target.kind in ("vm", "tag", "all vms")]
    if all(target.kind == "vm" for target in selecting):
        yield from {target.name for target in selecting}
    else:
        yield owned.owner or EVERYBODY

"""The firewall rules of a container: planned early, made late, deleted with it. Facts: docker-on-triton 4.10."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from functools import cache
from typing import Any

from gateway.call import Call
from gateway.state.undertakings import CREATE
from grammars import firewall as grammar
from sdc.errors import SdcError
from sdc.fwapi import Fwapi
from translators.containers.ports import Port, only_about, publish_rules, published_by
from translators.errors import speaking_docker

Rule = dict[str, Any]
Vm = dict[str, Any]

TAG = "sdc_docker"
FRESH_SECONDS = 10.0
_EVERY_CONTAINER = (grammar.Target("tag", TAG),)


class AccountRules:
    """The rules of every account that concern the tag of all containers, ten seconds old at most."""

    def __init__(self, fwapi: Fwapi) -> None:
        self._fwapi = fwapi
        self._known: dict[str, tuple[float, list[Rule]]] = {}

    def list(self, owner_uuid: str) -> list[Rule]:
        read_at, rules = self._known.get(owner_uuid, (0.0, []))
        if not rules or time.monotonic() - read_at > FRESH_SECONDS:
            rules = self._fwapi.list_rules(owner_uuid, tag=TAG)
            if len(self._known) > 1000:
                self._known.clear()
            self._known[owner_uuid] = (time.monotonic(), rules)
        return rules

    def forget(self, owner_uuid: str) -> None:
        self._known.pop(owner_uuid, None)


@cache
def _account_rules(fwapi: Fwapi) -> AccountRules:
    return AccountRules(fwapi)


def plan_rules(call: Call, vm_uuid: str, published: Iterable[Port]) -> list[Rule]:
    """Write the rules of a new container; those that exist already have a ``version``.

    Containers of an account reach one another by two rules of the account's, made with its first container. A
    disabled one was disabled by somebody: it is not made again.

    SDC: FWAPI GET /rules?tag=sdc_docker
    """
    with speaking_docker("problem listing firewall rules"):
        known = _account_rules(call.services.fwapi).list(call.owner.uuid)
    rules = [rule for rule in known if rule.get("enabled") and _joins_containers(rule)]
    texts = [
        f'FROM tag "{TAG}" TO tag "{TAG}" ALLOW {protocol} PORT all'
        for protocol in ("tcp", "udp")
        if not any(_joins_containers(rule, protocol) for rule in known)
    ]
    texts += publish_rules(vm_uuid, published, call.config.fwrule_version)
    new = [{"uuid": str(uuid.uuid4()), "enabled": True, "owner_uuid": call.owner.uuid, "rule": t} for t in texts]
    return [*({k: v for k, v in rule.items() if k != "parsed"} for rule in rules), *new]


def _joins_containers(rule: Rule, protocol: str = "") -> bool:
    try:
        parsed = grammar.parse(str(rule.get("rule", "")))
    except grammar.RuleError:
        return False
    return (
        parsed.action == "allow"
        and parsed.sources == parsed.destinations == _EVERY_CONTAINER
        and not parsed.matches
        and parsed.protocol in ({protocol} if protocol else {"tcp", "udp"})
    )


def add_rules(call: Call, planned: list[Rule], vm_uuid: str) -> list[Rule]:
    """Make the rules that do not exist yet; return all as FWAPI keeps them.

    Rules about this VM alone are taken back when the call fails. The account's own pair is not: a container made
    meanwhile may already rely on it.

    SDC: FWAPI POST /rules
    """
    fwapi, owner_uuid, made = call.services.fwapi, call.owner.uuid, []
    for rule in planned:
        if "version" in rule:
            made.append(rule)
            continue
        if only_about(rule, vm_uuid):
            call.undo.append(lambda gone=rule["uuid"]: _take_back(call, gone, vm_uuid))  # type: ignore[misc]
        else:
            _account_rules(fwapi).forget(owner_uuid)
        made.append({key: value for key, value in fwapi.create_rule(rule).items() if key != "parsed"})
    return made


def _take_back(call: Call, rule_uuid: str, vm_uuid: str) -> None:
    """Delete a rule, now or as soon as FWAPI can be reached."""
    try:
        _delete(call.services.fwapi, rule_uuid, call.owner.uuid)
    except SdcError:
        call.state.undertakings.leave(CREATE, vm_uuid, call.owner.uuid, unwanted=True)


def _delete(fwapi: Fwapi, rule_uuid: str, owner_uuid: str) -> None:
    try:
        fwapi.delete_rule(rule_uuid, owner_uuid)
    except SdcError as error:
        if error.status != 404:
            raise


def remove_rules(fwapi: Fwapi, vm_uuid: str, owner_uuid: str) -> None:
    """Delete the rules that named a VM which is gone and nothing else; sdc-docker lets them pile up. Raises SdcError.

    SDC: FWAPI GET /rules?vm=, DELETE /rules/:uuid
    """
    for rule in fwapi.list_rules(owner_uuid, vm=vm_uuid):
        if only_about(rule, vm_uuid):
            _delete(fwapi, rule["uuid"], owner_uuid)


def published_ports(call: Call, vm: Vm) -> set[Port]:
    """Return the ports of one container that the firewall opens to everybody. Raises SdcError.

    SDC: FWAPI GET /firewalls/vms/:uuid
    """
    if not may_publish(vm):
        return set()
    return published_by(call.services.fwapi.vm_rules(vm["uuid"], vm["owner_uuid"])).get(vm["uuid"], set())


def may_publish(vm: Vm) -> bool:
    """Whether a VM has an address outside its account's fabrics; only such a one has published ports."""
    return any("/" not in str(nic.get("nic_tag", "")) for nic in vm.get("nics") or [])

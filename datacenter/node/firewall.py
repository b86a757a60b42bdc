"""The firewall of a node's VMs: which rules there are, whom they name, and a table in the namespace of each VM.

What a VM's rules say is worked out here, of FWAPI's rules, the node's own zones and what the services tell of VMs on
other nodes. Tables are in the VMs' network namespaces: they outlive the agent, and vanish with the container.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from datacenter.node import nft, rulebook, sharing
from datacenter.node.address_sets import AddressSets
from datacenter.node.peers import Change, Group, Peers, peer_of
from datacenter.node.rulebook import Rulebook
from datacenter.node.rulesets import NONE, TABLE, OwnedRule, Ruleset, ruleset
from datacenter.node.tasks import Params, Result, Task, TaskError
from datacenter.node.whole import write_whole

if TYPE_CHECKING:
    from datacenter.node.agent import Node
    from datacenter.node.home import Home
    from datacenter.node.zone import Zone

logger = logging.getLogger(__name__)

Doc = dict[str, Any]


class _Told(msgspec.Struct):
    """What the services told: documents by uuid. The content of ``firewall.json``."""

    rules: dict[str, Doc] = {}
    vms: dict[str, Doc] = {}


class Firewall:
    """Keeps the tables of all running VMs to the rules. Nothing here lets another greenlet run.

    ``zones`` are the node's own, by uuid.
    """

    def __init__(self, home: Home, zones: Mapping[str, Zone]) -> None:
        self._home = home
        self._zones = zones
        self._told = _Told()
        self._rules = Rulebook()
        self._peers = Peers()
        self._tables: dict[str, Ruleset | None] = {}
        """What is in the namespace of each VM that has one; None for a VM without firewall."""
        self._sets: dict[str, AddressSets] = {}
        """The ways to the sets of the tables that have some."""

    @property
    def _kept(self) -> Path:
        return self._home.real / "firewall.json"

    def take_up(self) -> None:
        """Read what an earlier agent was told, and bring the tables of running zones to it.

        A node that never was told anything leaves them alone: its services are about to tell.
        """
        for zone in self._zones.values():
            self._peers.put(peer_of(zone.record))
            own = not zone.linux.get(sharing.OPTION)
            if own and zone.running and (self._home.netns / zone.uuid).exists():
                self._tables[zone.uuid] = None
        if self._kept.exists():
            self._learn(msgspec.json.decode(self._kept.read_bytes(), type=_Told))
            for uuid in self._tables:
                self._rebuild(uuid)

    def shield(self, zone: Zone) -> None:
        """Make the table of a zone whose namespace is fresh and whose process doesn't run yet. Raises OSError."""
        wanted = self._wanted(zone)
        if wanted is not None:
            nft.run(wanted.script(self._peers.members, anew=False), self._home.netns / zone.uuid)
        self._tables[zone.uuid] = wanted
        self._open_sets(zone.uuid)

    def unshield(self, uuid: str) -> None:
        """A zone's namespace is gone, and its table with it."""
        if self._tables.pop(uuid, None) is not None:
            self._forget_unused()
        if uuid in self._sets:
            self._sets.pop(uuid).close()

    def zone_changed(self, zone: Zone) -> None:
        """Take in a zone that was made, or has other nics, tags, another owner, or its firewall on or off."""
        self._spread(self._peers.put(peer_of(zone.record)))
        self._rebuild_if_changed(zone.uuid)

    def zone_gone(self, uuid: str) -> None:
        self._spread(self._peers.drop(uuid))

    def update(self, params: Params) -> None:
        """Take in rules and VMs of other nodes: those given, without those ``gone``; ``whole``: these and no others."""
        whole = bool(params.get("whole"))
        gone = params.get("gone") or {}
        told = _Told() if whole else self._told
        rules = {key: doc for key, doc in told.rules.items() if key not in set(gone.get("rules") or ())}
        vms = {key: doc for key, doc in told.vms.items() if key not in set(gone.get("vms") or ())}
        rules |= {str(rule["uuid"]): rule for rule in params.get("rules") or ()}
        vms |= {str(vm["uuid"]): vm for vm in params.get("vms") or ()}
        fresh = _Told(rules, vms)
        self._check(fresh)
        write_whole(self._kept, msgspec.json.encode(fresh))
        changed = self._learn(fresh)
        for uuid in self._tables:
            peer = self._peers.get(uuid)
            if whole or (peer and any(rule.inwards(peer) or rule.outwards(peer) for rule in changed)):
                self._rebuild_if_changed(uuid)

    def _check(self, told: _Told) -> None:
        """Raises TaskError InvalidArgument before anything has changed."""
        try:
            for uuid, rule in told.rules.items():
                if self._told.rules.get(uuid) != rule:
                    rulebook.read(rule)
            for vm in told.vms.values():
                peer_of(vm)
        except (KeyError, TypeError, ValueError) as error:
            raise TaskError("InvalidArgument", f"firewall: {error}") from error

    def _learn(self, told: _Told) -> list[OwnedRule]:
        """Take in what is told now; the rules that were changed, as they were and as they are."""
        before, self._told = self._told, told
        changed = [uuid for uuid, rule in before.rules.items() if told.rules.get(uuid) != rule]
        fresh = {uuid: rulebook.read(rule) for uuid, rule in told.rules.items() if before.rules.get(uuid) != rule}
        old = [rule for uuid in changed if (rule := self._rules.get(uuid)) is not None]
        for uuid in changed:
            self._rules.drop(uuid)
        for uuid, rule in fresh.items():
            self._rules.put(uuid, rule)
        for uuid, vm in told.vms.items():
            if uuid not in self._zones and before.vms.get(uuid) != vm:
                self._spread(self._peers.put(peer_of(vm)))
        for uuid in before.vms.keys() - told.vms.keys() - self._zones.keys():
            self._spread(self._peers.drop(uuid))
        return [*old, *fresh.values()]

    def _wanted(self, zone: Zone) -> Ruleset | None:
        if not zone.record.get("firewall_enabled"):
            return None
        vm = peer_of(zone.record)
        return ruleset(vm, self._rules.about(vm))

    def _rebuild_if_changed(self, uuid: str) -> None:
        zone = self._zones.get(uuid)
        if zone is not None and uuid in self._tables and self._wanted(zone) != self._tables[uuid]:
            self._rebuild(uuid)

    def _rebuild(self, uuid: str) -> None:
        """Make a running VM's table anew; its connections go on."""
        self._tables[uuid] = self._wanted(self._zones[uuid])
        self._make_anew(uuid)
        self._forget_unused()

    def _make_anew(self, uuid: str) -> None:
        table, namespace = self._tables[uuid], self._home.netns / uuid
        try:
            nft.run(NONE if table is None else table.script(self._peers.members, anew=True), namespace)
            self._open_sets(uuid)
        except OSError:
            if namespace.exists():  # else it ended just now, and its table with it
                logger.exception("firewall of VM %s", uuid)

    def _open_sets(self, uuid: str) -> None:
        table = self._tables[uuid]
        if table is not None and table.groups and uuid not in self._sets:
            self._sets[uuid] = AddressSets(self._home.netns / uuid, TABLE)

    def _spread(self, changes: Iterable[Change]) -> None:
        """Bring the sets of all tables to what their groups have become."""
        for change in changes:
            for uuid, table in self._tables.items():
                if table is not None and change.group in table.groups:
                    self._change_set(uuid, change)

    def _change_set(self, uuid: str, change: Change) -> None:
        """Bring one set to what its group has become; where that goes wrong, the whole table."""
        try:
            self._sets[uuid].change(change.group.name, change.come, change.gone)
        except (KeyError, OSError):
            self._make_anew(uuid)

    def _forget_unused(self) -> None:
        used: set[Group] = {group for table in self._tables.values() if table is not None for group in table.groups}
        self._peers.keep(used)


def fw_update(node: Node, params: Params) -> Result:
    """Take in what has changed of rules and of VMs on other nodes; answered when it holds."""
    node.firewall.update(params)
    return {}


TASKS: dict[str, Task] = {"fw_update": fw_update}

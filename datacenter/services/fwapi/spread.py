"""Rules on their way to the compute nodes that hold VMs to them, and what they need to know of VMs on other nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from datacenter.restify import RestError
from datacenter.workflow.failure import TaskError

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Doc = dict[str, Any]

AGENT = "firewaller"
"""A node that holds its VMs to rules lists an agent of this name in its sysinfo."""
TASK = "fw_update"
TASK_LIMIT = 30.0
GONE = frozenset({"destroyed", "failed"})


class _Mailbox:
    """What one node has still to be told: keys of rules and VMs, looked up when they are sent, or everything."""

    def __init__(self) -> None:
        self.whole = True
        self.rules: set[str] = set()
        self.vms: set[str] = set()
        self.away = False
        """The node could not be told: nothing is tried until it is heard of, and then everything."""
        self.quiet = Event()
        """Set while nothing is on its way."""
        self.quiet.set()

    @property
    def owes(self) -> bool:
        return bool(self.whole or self.rules or self.vms)

    def take(self) -> tuple[bool, set[str], set[str]]:
        """All that is owed; from now on it isn't."""
        taken = self.whole, self.rules, self.vms
        self.whole, self.rules, self.vms = False, set(), set()
        return taken


class Spread:
    """Tells nodes of changes one after another, each as it is by then, and everything to a node that was away.

    A VM's own node knows it from the tasks that make and change it.
    """

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self._boxes: dict[str, _Mailbox] = {}

    def begin(self) -> None:
        """Tell every node everything: an earlier process may have died before it told what it had accepted."""
        for server in self._dc.cnapi.servers.all():
            self.node_started(server["uuid"])

    def node_started(self, server_uuid: str) -> None:
        """A node has announced itself: it may be another one than before, and know nothing."""
        agents = self._dc.cnapi.servers.get(server_uuid)["sysinfo"].get("SDC Agents") or ()
        if any(agent.get("name") == AGENT for agent in agents):
            self._boxes.setdefault(server_uuid, _Mailbox()).whole = True
            self.node_heard(server_uuid)

    def node_heard(self, server_uuid: str) -> None:
        """A node is there: what it could not be told is sent again."""
        if server_uuid in self._boxes:
            self._boxes[server_uuid].away = False
            self._wake(server_uuid)

    def rule_changed(self, rule_uuid: str, _before: Doc | None, _after: Doc | None) -> None:
        for server_uuid, box in self._boxes.items():
            box.rules.add(rule_uuid)
            self._wake(server_uuid)

    def vm_changed(self, vm_uuid: str, before: Doc | None, after: Doc | None) -> None:
        if not self._boxes:
            return
        old, new = _facts(before), _facts(after)
        if old == new:
            return
        for server_uuid, box in self._boxes.items():
            if any(facts and facts["server_uuid"] != server_uuid for facts in (old, new)):
                box.vms.add(vm_uuid)
                self._wake(server_uuid)

    def settle(self, seconds: float, server_uuid: str | None = None) -> None:
        """Wait until one node, or every one that is there, has heard all there is to say; ``seconds`` at most."""
        with gevent.Timeout(seconds, False):
            for uuid, box in list(self._boxes.items()):
                if server_uuid in (None, uuid):
                    box.quiet.wait()

    def _wake(self, server_uuid: str) -> None:
        box = self._boxes[server_uuid]
        if box.owes and box.quiet.is_set() and not box.away:
            box.quiet.clear()
            gevent.spawn(self._send, server_uuid, box)

    def _send(self, server_uuid: str, box: _Mailbox) -> None:
        try:
            while box.owes and self._boxes.get(server_uuid) is box:
                params = self._letter(server_uuid, *box.take())
                self._dc.cnapi.task(server_uuid, TASK, params, timeout=TASK_LIMIT)
        except TaskError:
            box.whole = box.away = True  # it may have heard, or not
        except RestError:
            self._boxes.pop(server_uuid, None)  # CNAPI has forgotten the server
        finally:
            box.quiet.set()

    def _letter(self, server_uuid: str, whole: bool, rules: set[str], vms: set[str]) -> Doc:
        if whole:
            told_rules = {rule["uuid"]: _enabled(rule) for rule in self._dc.fwapi.rules()}
            told_vms = {vm["uuid"]: self._elsewhere(server_uuid, vm) for vm in self._dc.vmapi.vms()}
        else:
            told_rules = {uuid: _enabled(self._dc.fwapi.find(uuid)) for uuid in rules}
            told_vms = {uuid: self._elsewhere(server_uuid, self._dc.vmapi.vm(uuid)) for uuid in vms}
        return {
            "whole": whole,
            "rules": [rule for rule in told_rules.values() if rule],
            "vms": [vm for vm in told_vms.values() if vm],
            "gone": {
                "rules": [uuid for uuid, rule in told_rules.items() if not rule],
                "vms": [uuid for uuid, vm in told_vms.items() if not vm],
            },
        }

    def _elsewhere(self, server_uuid: str, vm: Doc | None) -> Doc | None:
        """What a node is told of a VM that is not its own."""
        facts = _facts(vm)
        return None if facts is None or facts["server_uuid"] == server_uuid else facts


def _enabled(rule: Doc | None) -> Doc | None:
    return rule if rule and rule.get("enabled") else None


def _facts(vm: Doc | None) -> Doc | None:
    """What rules may ask of a VM; None for one that is no more."""
    if vm is None or vm["state"] in GONE:
        return None
    return {
        "uuid": vm["uuid"],
        "owner_uuid": vm["owner_uuid"],
        "server_uuid": vm.get("server_uuid"),
        "tags": vm.get("tags") or {},
        "ips": sorted(nic["ip"] for nic in vm.get("nics") or () if nic.get("ip")),
    }

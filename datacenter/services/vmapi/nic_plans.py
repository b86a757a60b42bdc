"""The actions that add, change and remove a VM's nics."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from datacenter.services.vmapi.networks import read_networks
from datacenter.services.vmapi.plans import Plan, Planner
from datacenter.services.vmapi.record import Vm
from datacenter.services.vmapi.validation import refuse

Doc = dict[str, Any]

MESSAGE = "Invalid VM update parameters"
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
INTERFACE = re.compile(r"net(0|[1-9][0-9]?)")
SPOOF_FLAGS = ("allow_dhcp_spoofing", "allow_ip_spoofing", "allow_mac_spoofing", "allow_restricted_traffic")
CHANGEABLE = frozenset({"mac", "interface", "primary", *SPOOF_FLAGS})


def nic_plans(new_mac: Callable[[], str]) -> dict[str, Planner]:
    """``new_mac`` finds a MAC that no nic has."""

    def add(vm: Vm, asked: Doc) -> Plan:
        """Networks get nics made by the job; ``macs`` names nics that NAPI has for the VM already.

        The MACs of nics to be made are chosen here, so that a job which is run again knows its own nics.
        """
        params = _common(vm)
        if not asked.get("networks"):
            return Plan("add_nics", {**params, "macs": _macs(asked)})
        try:
            refs = read_networks(asked["networks"])
        except ValueError as error:
            raise refuse("networks", "Invalid", str(error), MESSAGE) from error
        provisions = [{**ref, "mac": new_mac()} for ref in refs]
        return Plan("add_nics", {**params, "networks": asked["networks"], "provisions": provisions})

    def remove(vm: Vm, asked: Doc) -> Plan:
        return Plan("remove_nics", {**_common(vm), "remove_nics": _macs(asked)})

    def update(vm: Vm, asked: Doc) -> Plan:
        return Plan("update_nics", {**_common(vm), "update_nics": _updates(vm, asked)})

    return {"add_nics": add, "remove_nics": remove, "update_nics": update}


def _common(vm: Vm) -> Doc:
    return {
        "current_state": vm["state"],
        "last_modified": vm["last_modified"],
        "oldMacs": [nic["mac"] for nic in vm["nics"]],
    }


def _macs(asked: Doc) -> list[str]:
    """A list of MACs, or some with commas between them, in NAPI's form."""
    macs = asked.get("macs")
    if not macs:
        raise refuse("macs", "MissingParameter", "Missing parameter", MESSAGE)
    macs = macs.split(",") if isinstance(macs, str) else macs
    if not isinstance(macs, list) or not all(isinstance(mac, str) and MAC.fullmatch(mac.lower()) for mac in macs):
        raise refuse("macs", "Invalid", "Must be an array of MAC addresses", MESSAGE)
    return list(dict.fromkeys(mac.lower() for mac in macs))


def _updates(vm: Vm, asked: Doc) -> list[Doc]:
    """Changes of nics. Raises RestError."""
    nics = asked.get("nics")
    if not nics:
        raise refuse("nics", "MissingParameter", "Missing parameter", MESSAGE)
    if not isinstance(nics, list) or not all(isinstance(nic, dict) for nic in nics):
        raise refuse("nics", "Invalid", "Must be an array of objects", MESSAGE)
    updates = [_update(nic) for nic in nics]
    if len({update["mac"] for update in updates}) != len(updates):
        raise refuse("nics", "Invalid", "A NIC may be named only once", MESSAGE)
    if sum(1 for update in updates if "primary" in update) > 1:
        raise refuse("nics", "Invalid", "Only one NIC may be primary", MESSAGE)
    interfaces = {update["interface"] for update in updates if "interface" in update}
    if interfaces and (len(interfaces) != len(vm["nics"]) or len(updates) != len(vm["nics"])):
        raise refuse("nics", "Invalid", "To reorder NICs, give each of them an interface of its own", MESSAGE)
    return updates


def _update(nic: Doc) -> Doc:
    for field in nic:
        if field not in CHANGEABLE:
            raise refuse("nics", "Invalid", f"'{field}' of a NIC can't be updated", MESSAGE)
    mac = str(nic.get("mac", "")).lower()
    if not MAC.fullmatch(mac):
        raise refuse("nics", "Invalid", "Every NIC needs its mac", MESSAGE)
    update: Doc = {"mac": mac}
    if nic.get("primary") in (True, "true"):
        update["primary"] = True
    if "interface" in nic:
        if not isinstance(nic["interface"], str) or not INTERFACE.fullmatch(nic["interface"]):
            raise refuse("nics", "Invalid", f"Invalid interface: {nic['interface']}", MESSAGE)
        update["interface"] = nic["interface"]
    for flag in SPOOF_FLAGS:
        if flag in nic:
            if not isinstance(nic[flag], bool):
                raise refuse("nics", "Invalid", f"{flag} must be a boolean", MESSAGE)
            update[flag] = nic[flag]
    return update

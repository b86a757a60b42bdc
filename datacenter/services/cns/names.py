"""Names of VMs in an account's zone: instances by uuid and alias, services by what their tags say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from datacenter.restify import truthy

DOMAIN = "cns.test"

_FOREIGN = re.compile(r"[^a-z0-9-]+")
_SERVICE = re.compile(r"([a-z0-9-]{1,63})(?::[^,]*)?", re.IGNORECASE)
_LONGEST_LABEL = 62


def zone(account_uuid: str, datacenter: str) -> str:
    """The zone that an account's names end in."""
    return f"{account_uuid}.{datacenter}.{DOMAIN}"


def suffixes(account: Mapping[str, Any], datacenter: str) -> list[str]:
    """The DNS search suffixes of an account's containers; none unless its CNS is switched on."""
    if not account.get("triton_cns_enabled"):
        return []
    own = zone(account["uuid"], datacenter)
    return [f"svc.{own}", f"inst.{own}"]


def names(vm: Mapping[str, Any], account: Mapping[str, Any], datacenter: str) -> list[str]:
    """The full names of a VM. Services are those of the tag ``triton.cns.services``, while the VM runs.

    There are none for VMs without addresses, and where the account or the tag ``triton.cns.disable`` wants none.
    """
    tags = vm.get("tags") or {}
    addressed = any(nic.get("ip") for nic in vm.get("nics") or ())
    if not account.get("triton_cns_enabled") or truthy(tags.get("triton.cns.disable")) or not addressed:
        return []
    own = zone(account["uuid"], datacenter)
    labels = [vm["uuid"]]
    alias = str(vm.get("alias") or "")
    if 0 < len(alias) <= _LONGEST_LABEL:
        labels.append(_FOREIGN.sub("-", alias.lower()))
    found = [f"{label}.inst.{own}" for label in dict.fromkeys(labels)]
    return found + [f"{service}.svc.{own}" for service in _services(vm, tags)]


def _services(vm: Mapping[str, Any], tags: Mapping[str, Any]) -> list[str]:
    """Names of the services a VM offers, from ``web:8080,db``."""
    if vm.get("state") != "running":
        return []
    told = (_SERVICE.fullmatch(part.strip()) for part in str(tags.get("triton.cns.services") or "").split(","))
    return list(dict.fromkeys(part[1].lower() for part in told if part))

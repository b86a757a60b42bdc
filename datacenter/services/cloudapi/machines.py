"""VMs as machines: CloudAPI's words for what VMAPI keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datacenter.restify import truthy

Vm = dict[str, Any]
Machine = dict[str, Any]

_STATES = {
    "configured": "provisioning",
    "incomplete": "provisioning",
    "provisioning": "provisioning",
    "ready": "stopping",
    "running": "running",
    "halting": "stopping",
    "stopping": "stopping",
    "shutting_down": "stopping",
    "off": "stopped",
    "down": "stopped",
    "installed": "stopped",
    "stopped": "stopped",
    "unreachable": "offline",
    "destroyed": "deleted",
    "failed": "failed",
}


def machine(vm: Vm, package_name: str | None, dns_names: list[str]) -> Machine:
    """Translate a VM. Sizes become MiB, ``quota`` (GiB) too."""
    nics = vm.get("nics") or []
    ips = [nic["ip"] for nic in nics if nic.get("ip")]
    primary = next((nic["ip"] for nic in nics if nic.get("primary") and nic.get("ip")), ips[0] if ips else None)
    shown: Machine = {
        "id": vm["uuid"],
        "name": vm.get("alias") or vm["uuid"],
        "type": "virtualmachine" if vm.get("brand") in ("kvm", "bhyve") else "smartmachine",
        "brand": vm.get("brand"),
        "state": state(vm),
        "image": vm.get("image_uuid"),
        "memory": vm.get("ram") or vm.get("max_physical_memory"),
        "disk": int(vm.get("quota") or 0) * 1024,
        "metadata": vm.get("customer_metadata") or {},
        "tags": vm.get("tags") or {},
        "created": vm.get("create_timestamp"),
        "updated": vm.get("last_modified"),
        "ips": ips,
        "networks": [nic["network_uuid"] for nic in nics if nic.get("network_uuid")],
        "nics": [_nic(nic) for nic in nics],
        "firewall_enabled": bool(vm.get("firewall_enabled")),
        "deletion_protection": bool(vm.get("indestructible_zoneroot")),
        "compute_node": vm.get("server_uuid"),
        "package": package_name or "",
    }
    if primary:
        shown["primaryIp"] = primary
    if vm.get("docker"):
        shown["docker"] = True
    if dns_names:
        shown["dns_names"] = dns_names
    return shown


def state(vm: Vm) -> str:
    """A machine's state; what the server no longer tells is ``unknown``."""
    return _STATES.get(str(vm.get("state")), "unknown")


def matches(shown: Machine, filters: Mapping[str, str]) -> bool:
    """Whether a machine passes the filters of a list; ``tag.KEY`` filters look at its tags."""
    for name, wanted in filters.items():
        if name.startswith("tag.") or name == "tags":
            tags = shown["tags"]
            if wanted == "*" and name == "tags":
                continue
            if str(tags.get(name.removeprefix("tag."))) not in (wanted, wanted.capitalize()):
                return False
        elif name in ("docker", "tombstone"):
            if name == "docker" and truthy(wanted) != bool(shown.get("docker")):
                return False
        elif str(shown.get(name)) != wanted:
            return False
    return True


FILTERS = frozenset(("name", "state", "brand", "type", "image", "memory", "package", "docker"))


def _nic(nic: dict[str, Any]) -> dict[str, Any]:
    shown = {name: nic[name] for name in ("mac", "ip", "netmask", "gateway") if nic.get(name)}
    return {**shown, "primary": bool(nic.get("primary")), "network": nic.get("network_uuid"), "state": "running"}

"""A VM's record: how it is made of a provisioning payload, and how news from its node go into it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from datacenter.clock import iso

Vm = dict[str, Any]

NODE_FIELDS = frozenset(
    {
        "boot_timestamp",
        "create_timestamp",
        "datasets",
        "exit_status",
        "exit_timestamp",
        "pid",
        "platform_buildstamp",
        "snapshots",
        "state",
        "zfs_filesystem",
        "zone_state",
        "zonepath",
        "zpool",
    },
)
"""What a node knows best about a VM."""
NOT_ON_NODES = frozenset({"provisioning", "failed", "destroyed"})
"""States that a VM has whatever becomes of its node."""
LIFE_FIELDS = frozenset({"boot_timestamp", "exit_status", "exit_timestamp", "pid", "state", "zone_state"})
"""What goes out of date when the VM has started or ended once more."""
LIFE_METADATA = frozenset(
    {"docker:health", "docker:lastend", "docker:oomkilled", "docker:paused", "docker:restartcount"}
)
"""Keys of ``internal_metadata`` that tell of the VM's life, and go out of date with LIFE_FIELDS."""
SETTABLE = frozenset(
    {
        "alias",
        "autoboot",
        "billing_id",
        "cpu_cap",
        "cpu_shares",
        "customer_metadata",
        "delegate_dataset",
        "dns_domain",
        "do_not_inventory",
        "filesystems",
        "firewall_enabled",
        "fs_allowed",
        "hostname",
        "image_uuid",
        "indestructible_delegated",
        "indestructible_zoneroot",
        "internal_metadata",
        "limit_priv",
        "maintain_resolvers",
        "max_locked_memory",
        "max_lwps",
        "max_physical_memory",
        "max_swap",
        "mdata_exec_timeout",
        "nics",
        "owner_uuid",
        "package_name",
        "package_version",
        "quota",
        "ram",
        "resolvers",
        "server_uuid",
        "tags",
        "tmpfs",
        "zfs_data_compression",
        "zfs_io_priority",
    },
)
"""What a put of the whole VM may bring beside NODE_FIELDS."""
HARDWARE_BRANDS = frozenset({"bhyve", "kvm"})
OPTIONAL = (
    "docker",
    "filesystems",
    "hostname",
    "dns_domain",
    "init_name",
    "kernel_version",
    "tmpfs",
    "delegate_dataset",
    "do_not_inventory",
    "maintain_resolvers",
    "mdata_exec_timeout",
    "package_name",
    "package_version",
    "zfs_data_compression",
    "zfs_snapshot_limit",
    "indestructible_zoneroot",
    "indestructible_delegated",
    "fs_allowed",
)


def as_put(vm: Vm, update: Vm) -> Vm:
    """A VM as a put of it is answered: empty fields that were not part of the put are left out."""
    return {field: value for field, value in vm.items() if value is not None and (value != {} or field in update)}


def new_vm(payload: Vm, nics: list[Vm], server: Vm, resolvers: list[str]) -> Vm:
    """The record of a VM that is about to be provisioned; ``payload`` is validated and has its package's sizes."""
    now = iso()
    uuid = payload["uuid"]
    vm = {
        "uuid": uuid,
        "alias": payload["alias"],
        "autoboot": payload.get("autoboot", True),
        "brand": payload["brand"],
        "billing_id": payload.get("billing_id"),
        "cpu_cap": payload.get("cpu_cap"),
        "cpu_shares": payload.get("cpu_shares"),
        "create_timestamp": now,
        "customer_metadata": payload.get("customer_metadata") or {},
        "datasets": [],
        "destroyed": None,
        "firewall_enabled": payload.get("firewall_enabled", False),
        "internal_metadata": payload.get("internal_metadata") or {},
        "last_modified": now,
        "limit_priv": payload.get("limit_priv"),
        "max_locked_memory": payload.get("max_locked_memory"),
        "max_lwps": payload.get("max_lwps"),
        "max_physical_memory": payload.get("max_physical_memory"),
        "max_swap": payload.get("max_swap"),
        "nics": nics,
        "owner_uuid": payload["owner_uuid"],
        "platform_buildstamp": server["current_platform"],
        "quota": payload.get("quota"),
        "ram": payload.get("ram"),
        "resolvers": resolvers,
        "server_uuid": server["uuid"],
        "snapshots": [],
        "state": "provisioning",
        "tags": payload.get("tags") or {},
        "zfs_filesystem": f"zones/{uuid}",
        "zfs_io_priority": payload.get("zfs_io_priority"),
        "zone_state": None,
        "zonepath": f"/zones/{uuid}",
        "zpool": "zones",
    }
    vm |= {field: payload[field] for field in OPTIONAL if payload.get(field) is not None}
    if payload["brand"] in HARDWARE_BRANDS and payload.get("vcpus") is not None:
        vm["vcpus"] = payload["vcpus"]
    if "filesystems" in vm:
        vm["filesystems"] = [_placed(uuid, filesystem) for filesystem in vm["filesystems"]]
    vm["image_uuid"] = payload["image_uuid"]
    return vm


def _placed(uuid: str, filesystem: Vm) -> Vm:
    """An anonymous volume, asked for by a fresh uuid as its source, lies in the zone's own folder."""
    source = str(filesystem["source"])
    return filesystem if source.startswith("/") else {**filesystem, "source": f"/zones/{uuid}/volumes/{source}"}


WHOLE = ("owner_uuid", "brand", "state", "server_uuid")
"""What tells a VM apart from news of one: a put that brings all of these can make a record."""


def adopted(told: Vm) -> Vm | None:
    """A record for a VM that VMAPI did not make, of what a put tells; None when that is not the whole VM."""
    if any(told.get(field) is None for field in WHOLE):
        return None
    now = iso()
    maps: Vm = {"customer_metadata": {}, "internal_metadata": {}, "tags": {}}
    lists: Vm = {"datasets": [], "nics": [], "resolvers": [], "snapshots": []}
    sizes: Vm = dict.fromkeys(("billing_id", "cpu_cap", "cpu_shares", "max_locked_memory", "max_lwps", "limit_priv"))
    sizes |= dict.fromkeys(("max_physical_memory", "max_swap", "quota", "ram", "zfs_io_priority", "image_uuid"))
    vm: Vm = {
        "alias": told["uuid"],
        "autoboot": True,
        "create_timestamp": now,
        "destroyed": None,
        "firewall_enabled": False,
        "last_modified": now,
        "platform_buildstamp": None,
        "zfs_filesystem": f"zones/{told['uuid']}",
        "zone_state": None,
        "zonepath": f"/zones/{told['uuid']}",
        "zpool": "zones",
        **maps,
        **lists,
        **sizes,
    }
    known = {*NODE_FIELDS, *SETTABLE, *OPTIONAL, *WHOLE, "uuid", "last_modified", "vcpus"}
    vm |= {field: value for field, value in told.items() if field in known and value is not None}
    if vm["state"] != "running":
        vm.pop("pid", None)
    return vm


def news(vm: Vm, update: Vm) -> Vm:
    """The VM after an update from its node; the same object when the update changes nothing.

    ``internal_metadata`` is merged key by key, the rest replaced. News of an earlier life, older than the last
    start or end on record, must not undo a later one, and neither must a verdict on health undo that of a later probe:
    agents repeat their news until somebody listens, and may be asked meanwhile.
    """
    changes = {key: value for key, value in update.items() if key in NODE_FIELDS or key in SETTABLE}
    if _is_stale(vm, update):
        changes = {key: value for key, value in changes.items() if key not in LIFE_FIELDS}
        if "internal_metadata" in changes:
            told = changes["internal_metadata"]
            changes["internal_metadata"] = {key: told[key] for key in told.keys() - LIFE_METADATA}
    elif _is_old_health(vm, update):
        told = changes["internal_metadata"]
        changes["internal_metadata"] = {key: told[key] for key in told if key != "docker:health"}
    if vm["state"] in {"destroyed", "failed"}:
        changes = {key: value for key, value in changes.items() if key not in {"state", "zone_state"}}
    if "internal_metadata" in changes:
        changes["internal_metadata"] = {**vm["internal_metadata"], **changes["internal_metadata"]}
    for nullable in ("tags", "customer_metadata", "nics", "snapshots", "datasets", "resolvers"):
        if changes.get(nullable, ...) is None:
            del changes[nullable]
    if all(vm.get(key) == value for key, value in changes.items()):
        return vm
    after = {**vm, **changes, "last_modified": max(iso(), vm["last_modified"])}
    if after["state"] != "running":
        after.pop("pid", None)
    if after["state"] == "running":
        after.pop("exit_status", None)
        after.pop("exit_timestamp", None)
    return after


def changed(vm: Vm, update: Vm) -> Vm:
    """The fields after an update, in which ``set_<map>`` and ``remove_<map>`` change a map that others write, too."""
    after: Vm = {}
    for field, value in update.items():
        verb, _, name = field.partition("_")
        held: Vm = after.get(name, vm.get(name)) or {}
        if verb == "set":
            after[name] = {**held, **value}
        elif verb == "remove":
            after[name] = {key: kept for key, kept in held.items() if key not in value}
        else:
            after[field] = value
    return after


def _is_stale(vm: Vm, update: Vm) -> bool:
    """Whether an update tells of a start or an end before the last one that is on record.

    A life that has ended does not run again: what is told of its start after that of its end is old, however close the
    two are. An end may even be dated before the start, by whoever noted how soon the process was over.
    """
    told, known = _last_event(update), _last_event(vm) or ""
    if told == known and vm["state"] == "stopped" and update.get("state") == "running":
        return bool(update.get("boot_timestamp") == vm.get("boot_timestamp"))
    return told is not None and told < known


def _is_old_health(vm: Vm, update: Vm) -> bool:
    """Whether an update of the present life tells of a probe before the last one that is on record."""
    told = (update.get("internal_metadata") or {}).get("docker:health")
    known = vm["internal_metadata"].get("docker:health")
    if not told or not known or told == known or _last_event(update) != _last_event(vm):
        return False
    return _last_probe(told) < _last_probe(known)


def _last_probe(health: str) -> datetime:
    try:
        return max(datetime.fromisoformat(probe["End"]) for probe in json.loads(health)["Log"])
    except (KeyError, TypeError, ValueError):
        return datetime.min.replace(tzinfo=UTC)  # none yet


def _last_event(vm: Vm) -> str | None:
    moments = [vm.get("boot_timestamp"), vm.get("exit_timestamp")]
    known = [moment for moment in moments if isinstance(moment, str)]
    return max(known) if known else None


def destroyed(vm: Vm) -> Vm:
    """The VM as it is listed once it is gone."""
    now = iso()
    after = {**vm, "state": "destroyed", "zone_state": "destroyed", "destroyed": now, "last_modified": now}
    after.pop("pid", None)
    return after


def failed(vm: Vm) -> Vm:
    """A VM whose provisioning did not succeed."""
    after = {**vm, "state": "failed", "last_modified": iso()}
    after.pop("pid", None)
    return after

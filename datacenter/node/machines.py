"""The machine tasks, as cn-agent names them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from datacenter.node import nics, proc, rootfs, seeding, spec, users
from datacenter.node.hotplug import change_nics
from datacenter.node.lifecycle import node_fields
from datacenter.node.names import resolvconf
from datacenter.node.resources import resources
from datacenter.node.tasks import Params, Result, Task, TaskError
from datacenter.node.zone import Zone

if TYPE_CHECKING:
    from datacenter.node.agent import Node

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RESOURCES = {
    "max_physical_memory",
    "max_swap",
    "cpu_cap",
    "max_lwps",
    "internal_metadata",
    "set_internal_metadata",
    "remove_internal_metadata",
}


def _vm(zone: Zone) -> Result:
    return {"vm": node_fields(zone)}


def image_ensure_present(node: Node, params: Params) -> Result:
    """Fetch and unpack an image and its origins, once."""
    node.images.ensure(str(params["image_uuid"]))
    return {}


def machine_create(node: Node, params: Params) -> Result:
    """Make a zone's folder; start nothing. Making it again, after an answer got lost, is no error.

    Options this node can't honour are refused here, before anything starts. Raises TaskError.
    """
    uuid = str(params.get("uuid", ""))
    if not _UUID.fullmatch(uuid):
        raise TaskError("InvalidArgument", f"not a VM uuid: {uuid}")
    node.lifecycle.hurry()  # most are booted next
    with node.turns.of(uuid):
        if uuid in node.zones:
            return _vm(node.zones[uuid])
        zone = Zone(node.home.zones / uuid, dict(params))
        node.outside.check(zone)
        node.images.ensure(str(params["image_uuid"]))
        place = spec.Place(zone.rootfs, zone.bundle, node.home.zones, None)
        spec.oci_config(zone.record, zone.linux, users.User(0, 0, (), "/"), node.host, place)
        node.discard(zone.folder)
        try:
            rootfs.make_folders(zone)
            seeding.fill_volumes(zone, node.home, node.images.ensure(zone.record["image_uuid"]), node.exports)
            zone.save()
        except (TaskError, OSError):
            node.discard(zone.folder)
            raise
        node.zones[uuid] = zone
        node.firewall.zone_changed(zone)
        return _vm(zone)


def machine_boot(node: Node, params: Params) -> Result:
    """Start a zone; ``set_internal_metadata`` is merged before. Nothing is done for a running one.

    Nor for one that the same ``job`` has started before.
    """
    zone = node.zone(params["uuid"])
    with zone.lock:
        return _boot(node, zone, params)


def machine_shutdown(node: Node, params: Params) -> Result:
    """Stop a zone: ``timeout`` seconds until SIGKILL, 0 at once, negative never."""
    zone = node.zone(params["uuid"])
    with zone.lock:
        node.lifecycle.stop(zone, zone.stop_timeout(params.get("timeout")))
    return _vm(zone)


def machine_reboot(node: Node, params: Params) -> Result:
    """Stop a zone as machine_shutdown does, then boot it; once for each ``job``."""
    zone = node.zone(params["uuid"])
    with zone.lock:
        if "job" not in params or zone.life.asked_by != params["job"]:
            node.lifecycle.stop(zone, zone.stop_timeout(params.get("timeout")))
        return _boot(node, zone, params)


def _boot(node: Node, zone: Zone, params: Params) -> Result:
    """Take new metadata and boot; the metadata comes back with the result, so that VMAPI has it too."""
    fresh = params.get("set_internal_metadata") or {}
    if fresh:
        _change(zone, {"set_internal_metadata": fresh})
    node.lifecycle.boot(zone, params.get("job"))
    fields = node_fields(zone)
    told = {**fresh, **fields.get("internal_metadata", {})}
    return {"vm": {**fields, **({"internal_metadata": told} if told else {})}}


def machine_kill(node: Node, params: Params) -> Result:
    """Send a signal; doesn't wait for its turn, as it must reach a zone that is slow to stop."""
    zone = node.zone(params["uuid"])
    node.lifecycle.kill(zone, params.get("signal") or "SIGKILL")
    return _vm(zone)


def machine_pause(node: Node, params: Params) -> Result:
    """Freeze a zone's processes."""
    zone = node.zone(params["uuid"])
    with zone.lock:
        node.lifecycle.pause(zone)
    return _vm(zone)


def machine_unpause(node: Node, params: Params) -> Result:
    """Let a paused zone's processes go on."""
    zone = node.zone(params["uuid"])
    with zone.lock:
        node.lifecycle.unpause(zone)
    return _vm(zone)


def machine_destroy(node: Node, params: Params) -> Result:
    """Kill a zone and remove all of it, also one that is being made. A zone that isn't there is no error."""
    uuid = str(params["uuid"])
    with node.turns.of(uuid):
        zone = node.zones.get(uuid)
        if zone is not None:
            _destroy(node, zone)
    return {}


def _destroy(node: Node, zone: Zone) -> None:
    if zone.running:
        node.lifecycle.kill(zone, "SIGKILL")
    with zone.lock:
        if zone.life.waiting or not zone.ended.is_set():  # others nothing starts again
            node.lifecycle.stop(zone, 0)
        zone.tell_not_started()
        node.lifecycle.cleared(zone)
        rootfs.unmount_root(zone)  # a copy may still have it
        node.discard(zone.folder)
        del node.zones[zone.uuid]
        node.firewall.zone_gone(zone.uuid)


def machine_update(node: Node, params: Params) -> Result:
    """Take changed fields into the record, limits and nics into the running container."""
    zone = node.zone(params["uuid"])
    with zone.lock:
        resolv_conf = resolvconf.text(zone)
        if params.keys() & set(nics.CHANGES):
            change_nics(node.network, zone, params)
        _change(zone, {key: value for key, value in params.items() if key not in nics.CHANGES})
        if zone.running:
            node.names.follow(zone, resolv_conf)
        node.firewall.zone_changed(zone)
        if zone.running and RESOURCES & params.keys():
            limits = resources(zone.record, zone.linux, swap_accounting=node.host.swap_accounting)
            del limits["devices"]
            path = zone.bundle / "resources.json"
            path.write_bytes(msgspec.json.encode(limits))
            node.runtime.call("update", f"--resources={path}", zone.uuid)
    return _vm(zone)


def _change(zone: Zone, params: Params) -> None:
    """Apply plain fields, and vmadm's ``set_<map>`` and ``remove_<map>`` for tags and metadata."""
    record: dict[str, Any] = dict(zone.record)
    for key, value in params.items():
        if key.startswith("set_") and isinstance(value, dict):
            name = key.removeprefix("set_")
            record[name] = {**(record.get(name) or {}), **value}
        elif key.startswith("remove_") and isinstance(value, list):
            name = key.removeprefix("remove_")
            record[name] = {k: v for k, v in (record.get(name) or {}).items() if k not in value}
        elif key not in {"uuid", "state", "zone_state"}:
            record[key] = value
    zone.change_record(record)


def machine_update_nics(node: Node, params: Params) -> Result:
    """Take changed nics into the zones that they belong to; those of zones elsewhere are left to other nodes."""
    for uuid in {str(nic.get("belongs_to_uuid")) for nic in params["nics"]} & node.zones.keys():
        mine = [nic for nic in params["nics"] if nic.get("belongs_to_uuid") == uuid]
        machine_update(node, {"uuid": uuid, "update_nics": mine})
    return {}


def machine_load(node: Node, params: Params) -> Result:
    """What the node knows of a zone. Raises TaskError VmNotFound."""
    return _vm(node.zone(params["uuid"]))


def machine_proc(node: Node, params: Params) -> Result:
    """The zone's processes. Raises TaskError VmNotRunning."""
    zone = node.zone(params["uuid"])
    if not zone.running:
        raise TaskError("VmNotRunning", f"VM {zone.uuid} is not running")
    return {"result": proc.processes(f"{node.host.cgroup}/{zone.uuid}")}


TASKS: dict[str, Task] = {
    "image_ensure_present": image_ensure_present,
    "machine_create": machine_create,
    "machine_boot": machine_boot,
    "machine_shutdown": machine_shutdown,
    "machine_reboot": machine_reboot,
    "machine_kill": machine_kill,
    "machine_pause": machine_pause,
    "machine_unpause": machine_unpause,
    "machine_destroy": machine_destroy,
    "machine_update": machine_update,
    "machine_update_nics": machine_update_nics,
    "machine_load": machine_load,
    "machine_proc": machine_proc,
}

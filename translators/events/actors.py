"""Who events are about: containers, their networks, images; with the attributes that Docker's clients select by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.state.event_log import Happening
from gateway.state.image_records import ImageRecord
from grammars import dockerids
from translators.containers import view
from translators.ids import container_name, docker_id
from translators.networks.predefined import DRIVERS, predefined_id

Vm = dict[str, Any]

NETWORK_DRIVER = "Triton"


def container(vm: Vm, action: str, package_name: str | None, **more: str) -> Happening:
    """Make an event of a container; all its labels come along, with its image and name."""
    attributes = {
        **view.labels(vm, package_name),
        "image": view.image_name(vm),
        "name": container_name(vm).removeprefix("/"),
        **more,
    }
    return Happening(type="container", action=action, actor_id=docker_id(vm), attributes=attributes)


def endpoints(vm: Vm, name_of: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """Return the networks that a container joins with its start and leaves with its end: attributes by id."""
    uuids = dict.fromkeys(str(nic["network_uuid"]) for nic in view.nics(vm) if nic.get("network_uuid"))
    found = {}
    for uuid in uuids:
        name = name_of(uuid)
        actor_id = predefined_id(name) if name == "bridge" else dockerids.network_docker_id(uuid)
        found[actor_id] = {"container": docker_id(vm), "name": name, "type": DRIVERS.get(name, NETWORK_DRIVER)}
    return found


def networks(joined: Mapping[str, Mapping[str, str]], action: str) -> list[Happening]:
    """Make an event of each of a container's networks: ``connect``, ``disconnect``."""
    return [
        Happening(type="network", action=action, actor_id=actor_id, attributes=attributes)
        for actor_id, attributes in joined.items()
    ]


def volumes(vm: Vm, action: str) -> list[Happening]:
    """Make an event of each volume that a container mounts with its start, or unmounts with its end."""
    found = []
    for mount in view.mounts(vm):
        if mount["Type"] != "volume":
            continue
        attributes = {"container": docker_id(vm), "driver": mount["Driver"]}
        if action == "mount":
            more = {"destination": mount["Destination"], "propagation": mount["Propagation"]}
            attributes |= {**more, "read/write": str(mount["RW"]).lower()}
        found.append(Happening(type="volume", action=action, actor_id=mount["Name"], attributes=attributes))
    return found


def image(record: ImageRecord, action: str, *, actor_id: str = "", name: str = "") -> Happening:
    """Make an event of an image, by its id unless told otherwise; the labels of its config come along."""
    labels: Mapping[str, Any] = (record.config.get("config") or {}).get("Labels") or {}
    attributes = {**{key: str(value) for key, value in labels.items()}, "name": name or record.config_digest}
    return Happening(type="image", action=action, actor_id=actor_id or record.config_digest, attributes=attributes)

"""Make volumes: asked for as such, or with a container that mounts one with labels or options of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.call import Call
from gateway.errors import Conflict, InternalError, InvalidParameter, NotFound, NotImplementedHere
from gateway.state.event_log import Happening
from sdc.errors import SdcError
from translators.containers.networks import network_book
from translators.errors import speaking_docker
from translators.events.recorder import tell_happening
from translators.volumes import naming, view
from translators.volumes.lookup import find_shared
from translators.volumes.model import VolumeCreate
from translators.volumes.waiting import settled

Volume = dict[str, Any]
Json = dict[str, Any]

MIB_IN_GIB = 1024
_SIZE = re.compile(r"\d+G")
_MOUNT_OPTIONS = frozenset({"type", "o", "device"})
"""What dockerd's own driver takes: a file system to be mounted on the host."""


def create(call: Call, body: VolumeCreate) -> Json:
    """Make a volume and return it once it can be mounted; one that is there already is returned as it is.

    Docker: POST /volumes/create   SDC: VOLAPI POST /volumes, GET /volumes/:uuid
    """
    if body.ClusterVolumeSpec is not None:
        raise NotImplementedHere("cluster volumes are not supported: a data center is no swarm")
    name, labels = body.Name, body.Labels
    if not name:
        name, labels = naming.random_name(), {**labels, view.ANONYMOUS_LABEL: ""}
    volume = make(call, name, driver=body.Driver, options=body.DriverOpts, labels=labels)
    return view.described(volume)


def make(
    call: Call,
    name: str,
    *,
    driver: str = "",
    options: Mapping[str, str],
    labels: Mapping[str, str],
    networks: list[str] | None = None,
) -> Volume:
    """Have a volume of that name, as VOLAPI describes it; one that is there already is taken as it is.

    Without ``networks`` or an option ``network`` it is on the account's default one.

    Raises InvalidParameter, NotFound for drivers and networks, Conflict for a name that another driver has.
    """
    naming.check_name(name)
    naming.check_driver(driver, name)
    payload = _payload(call, name, driver, options, labels)
    if networks and "network" not in options:
        payload["networks"] = networks
    known = find_shared(call, name)
    if known is None:
        with speaking_docker(f"create {name}: problem creating volume"):
            made = _create(call, payload)
        if made is not None:
            return _finished(call, made)
        known = find_shared(call, name)
        if known is None:
            raise InternalError(f"create {name}: the volume went away while it was looked at")
    if driver and driver != view.driver(known):
        holder = view.driver(known)
        raise Conflict(f"create {name}: conflict: driver '{holder}' already has volume '{name}'")
    return settled(call, known)


def _create(call: Call, payload: Volume) -> Volume | None:
    """Ask for a volume; None when somebody else has just made one of that name."""
    try:
        return call.services.volapi.create_volume(payload)
    except SdcError as error:
        if error.code == "VolumeAlreadyExists":
            return None
        if error.code == "VolumeSizeNotAvailable":
            sizes = ", ".join(f"{size // MIB_IN_GIB}G" for size in call.services.volapi.list_volume_sizes())
            raise Conflict(f"create {payload['name']}: Volume size not available. Available sizes: {sizes}") from error
        raise


def _finished(call: Call, made: Volume) -> Volume:
    """Wait for what was asked for; what fails is taken away."""
    owner_uuid = call.owner.uuid
    try:
        volume = settled(call, made)
    except InternalError:
        with speaking_docker("problem removing the failed volume"):
            call.services.volapi.delete_volume(made["uuid"], owner_uuid)
        raise
    tell(call, volume, "create")
    return volume


def tell(call: Call, volume: Volume, action: str) -> None:
    """Tell an event of a volume."""
    attributes = {"driver": view.driver(volume)}
    what = Happening(type="volume", action=action, actor_id=str(volume["name"]), attributes=attributes)
    tell_happening(call, call.owner.uuid, what)


def _payload(call: Call, name: str, driver: str, options: Mapping[str, str], labels: Mapping[str, str]) -> Volume:
    unknown = [option for option in options if option not in {"size", "network"}]
    if _MOUNT_OPTIONS & set(unknown):
        raise NotImplementedHere(
            f"create {name}: options type, o and device would mount a file system of a compute node, which belongs "
            "to everybody: a volume here has the options size (10G) and network"
        )
    if unknown:
        raise InvalidParameter(f'create {name}: invalid option: "{unknown[0]}"')
    payload: Volume = {
        "owner_uuid": call.owner.uuid,
        "name": name,
        "type": naming.TRITON_DRIVER,
        "networks": [_network(call, options.get("network"))],
    }
    if "size" in options:
        payload["size"] = _size(options["size"])
    kept = view.kept_labels(labels, driver, options)
    return payload | ({"labels": kept} if kept else {})


def _size(text: str) -> int:
    if not _SIZE.fullmatch(text):
        raise InvalidParameter(f'Volume size: "{text}" is not a valid volume size')
    return int(text[:-1]) * MIB_IN_GIB


def _network(call: Call, ref: str | None) -> str:
    """Find the network that a volume is reached on: the account's default one, unless told otherwise."""
    with speaking_docker("problem choosing the volume's network"):
        found = network_book(call).find(call.owner.uuid, ref or call.config.default_fabric)
    if found is None:
        raise NotFound(f"network {ref or call.config.default_fabric} not found")
    return str(found["uuid"])

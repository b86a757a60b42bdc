"""Volumes that come with a container: VMAPI makes what is missing, save for those that are to be made otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from gateway.call import Call
from sdc.errors import SdcError
from translators.containers.named_volumes import NamedVolume
from translators.containers.networks import network_book
from translators.errors import speaking_docker
from translators.volumes.create import make, tell
from translators.volumes.lookup import THERE, find_shared

Volume = dict[str, Any]


def make_special(call: Call, payload: dict[str, Any], special: Iterable[NamedVolume]) -> list[str]:
    """Make what is missing of the ``special`` ones, on the container's networks; return the names VMAPI will make.

    What is made is taken back by ``call.undo``.

    SDC: VOLAPI GET /volumes, POST /volumes
    """
    wanted = dict.fromkeys(volume["name"] for volume in payload.get("volumes") or ())
    if not wanted:
        return []
    with speaking_docker("problem loading volumes"):
        found = call.services.volapi.list_volumes(owner_uuid=call.owner.uuid, predicate=THERE)
    known = {volume["name"] for volume in found}
    for volume in special:
        if volume.name not in known:
            _make(call, volume, _fabrics(call, payload["networks"]))
            known.add(volume.name)
    return [name for name in wanted if name not in known]


def _make(call: Call, asked: NamedVolume, networks: list[str]) -> None:
    owner_uuid = call.owner.uuid
    options = asked.options
    made = make(call, asked.name, driver=asked.driver, options=options, labels=asked.labels, networks=networks)

    def take_back() -> None:
        with suppress(SdcError):  # somebody uses it by now, or it is gone: either way it is no business of ours
            call.services.volapi.delete_volume(made["uuid"], owner_uuid)

    call.undo.append(take_back)


def _fabrics(call: Call, networks: list[dict[str, Any]]) -> list[str]:
    """Choose those of a payload's networks that a volume can be on."""
    joined = {str(network.get("uuid") or network.get("ipv4_uuid")) for network in networks}
    with speaking_docker("problem choosing the volume's network"):
        known = network_book(call).networks(call.owner.uuid)
    return [network["uuid"] for network in known if network.get("fabric") and network["uuid"] in joined]


def tell_made(call: Call, names: Iterable[str]) -> None:
    """Tell of the volumes that VMAPI has made for a container."""
    for name in names:
        volume = find_shared(call, name)
        if volume is not None:
            tell(call, volume, "create")

"""Remove networks: one by name, or all of Docker's that no container is on. Facts: moby ``daemon/network.go``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from gateway.call import Call
from gateway.errors import DockerError, Forbidden
from gateway.state.undertakings import NETWORK
from sdc.errors import SdcError
from translators.containers.networks import network_book
from translators.errors import speaking_docker
from translators.events.recorder import tell_prune
from translators.filters import parse_filters
from translators.ids import container_name, docker_id
from translators.networks import unfinished, view
from translators.networks.create import tell
from translators.networks.lookup import containers, find, visible
from translators.networks.view import SeenNetwork
from translators.prune_filters import COMMON, until, wants

Json = dict[str, Any]


def remove(call: Call, ref: str) -> None:
    """Remove a network of the account's own. Raises Forbidden while something is on it, and for all others.

    Docker: DELETE /networks/{id}   SDC: NAPI DELETE /fabrics/:owner/vlans/:vlan_id/networks/:uuid, the VLAN with it
    """
    network = find(call, ref)
    if network.builtin:
        raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
    _delete(call, network)


def _delete(call: Call, network: SeenNetwork) -> None:
    owner_uuid, document = call.owner.uuid, network.document
    with speaking_docker(f"error while removing network: {network.name}"), _under_way(call, network):
        try:
            call.services.napi.delete_fabric_network(owner_uuid, document["vlan_id"], document["uuid"])
        except SdcError as error:
            if error.code == "InUse":
                raise _in_use(call, network) from error
            if error.status != 404:  # somebody else was faster
                raise
        call.state.networks.forget(owner_uuid, document["uuid"])
        if network.record is not None:  # then the VLAN was made for it
            with suppress(SdcError):  # another network was put on it since
                call.services.napi.delete_vlan(owner_uuid, document["vlan_id"])
    with suppress(SdcError):  # it will be read when it is needed
        network_book(call).networks(owner_uuid, fresh=True)
    tell(call, network.id, network.name, network.driver, "destroy")


@contextmanager
def _under_way(call: Call, network: SeenNetwork) -> Iterator[None]:
    """Have the VLAN of a network that Docker made go with it, whatever becomes of this gateway meanwhile."""
    vlan_id = network.document["vlan_id"]
    vlans = call.services.napi.list_vlans(call.owner.uuid) if network.record else []
    vlan = next((vlan for vlan in vlans if vlan["vlan_id"] == vlan_id), None)
    undertaking = unfinished.begin(call, vlan, network.name) if vlan else ""
    try:
        yield
    except DockerError:
        call.state.undertakings.end(NETWORK, undertaking)  # refused: all is as it was
        raise
    except BaseException:
        if undertaking:
            call.state.undertakings.leave(NETWORK, undertaking, call.owner.uuid)
        raise
    call.state.undertakings.end(NETWORK, undertaking)


def _in_use(call: Call, network: SeenNetwork) -> Forbidden:
    on_it = [
        f'name:"{container_name(vm).removeprefix("/")}" id:"{docker_id(vm)[:12]}"'
        for vm in containers(call)
        if view.is_used(network, [vm])
    ]
    who = ", ".join(on_it) or "of volumes or virtual machines"
    return Forbidden(f"error while removing network: network {network.name} has active endpoints ({who})")


def prune(call: Call) -> Json:
    """Remove the networks that Docker clients made and that nothing is on; what is taken meanwhile stays.

    Docker: POST /networks/prune   SDC: NAPI DELETE /fabrics/:owner/vlans/:vlan_id/networks/:uuid
    """
    filters = parse_filters(call.arg("filters"), COMMON)
    before = until(filters)
    vms = containers(call)
    deleted = []
    for network in visible(call):
        record = network.record
        if network.builtin or record is None or view.is_used(network, vms) or not wants(network.labels, filters):
            continue
        if before is not None and record.created > before:
            continue
        try:
            _delete(call, network)
        except DockerError:
            continue
        deleted.append(network.name)
    tell_prune(call, "network", 0)
    return {"NetworksDeleted": deleted or None}

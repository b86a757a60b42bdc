"""Containers join networks and leave them, also while they run. Facts: moby ``daemon/container_operations.go``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from gateway.call import Call
from gateway.errors import DockerError, Forbidden, InvalidParameter, NotImplementedHere
from gateway.state.event_log import Happening
from sdc.errors import SdcError
from translators.capabilities import capabilities
from translators.containers.endpoint_names import NETWORK_NAMES, stale_keys
from translators.containers.endpoints import (
    ASKED_ENDPOINTS,
    NO_MAC,
    check_addresses,
    endpoint_warnings,
    refuse_aliases,
    shown_again,
)
from translators.containers.lookup import find_container
from translators.containers.model import EndpointSettings
from translators.containers.network_sharing import NO_OTHER, OPTION
from translators.containers.networks import endpoint_names, network_entry
from translators.containers.states import is_running, json_metadata, json_text, linux_options, metadata
from translators.errors import speaking_docker
from translators.events.recorder import tell_happening
from translators.ids import container_name, docker_id
from translators.jobs import run_job
from translators.networks.lookup import find
from translators.networks.model import NetworkConnect, NetworkDisconnect
from translators.networks.view import SeenNetwork

Vm = dict[str, Any]
Json = dict[str, Any]

HOTPLUG = "nic-hotplug"


def connect(call: Call, ref: str, body: NetworkConnect) -> list[str]:
    """Have a container join a network: at once, or with its next start. Return what of the request has no effect.

    Docker: POST /networks/{id}/connect   SDC: VMAPI POST /vms/:uuid?action=add_nics
    """
    network, vm = find(call, ref), find_container(call, body.Container)
    _refuse(call, network, vm)
    endpoint = body.EndpointConfig
    if endpoint:
        check_addresses(endpoint)
    if network.name == "bridge":
        refuse_aliases(endpoint)
    if _macs(network, vm):
        name = container_name(vm).removeprefix("/")
        raise Forbidden(f"endpoint with name {name} already exists in network {network.name}")
    entry = network_entry(network.document, endpoint)
    if not vm.get("nics"):
        entry["primary"] = True
    named = network.name != "bridge" and NETWORK_NAMES in capabilities(call, vm.get("server_uuid") or "")
    names = endpoint_names(network.document, endpoint) if named else {}
    _name(call, vm, names)
    try:
        _change(call, vm, network, "connect", "add_nics", networks=[entry])
    except DockerError:
        _unname(call, vm, names)
        raise
    _remember(call, vm, network, shown_again(endpoint).get("IPAMConfig") if endpoint else None)
    return _warnings(network.name, endpoint, named=named)


def _warnings(name: str, endpoint: EndpointSettings | None, *, named: bool) -> list[str]:
    lost = [NO_MAC] if endpoint and endpoint.MacAddress else []
    if endpoint and endpoint.GwPriority:
        lost.append(f"GwPriority on the network {name} has no effect: the default route stays where it is.")
    return endpoint_warnings(name, endpoint, names=named) + lost


def disconnect(call: Call, ref: str, body: NetworkDisconnect) -> None:
    """Have a container leave a network, its last one too. ``Force`` changes nothing: leaving needs nobody's consent.

    Docker: POST /networks/{id}/disconnect   SDC: VMAPI POST /vms/:uuid?action=remove_nics
    """
    network, vm = find(call, ref), find_container(call, body.Container)
    _refuse(call, network, vm)
    macs = _macs(network, vm)
    if not macs:
        raise Forbidden(f"container {docker_id(vm)} is not connected to network {network.name}")
    _change(call, vm, network, "disconnect", "remove_nics", macs=macs)
    _unname(call, vm, stale_keys(vm, network.document))
    _remember(call, vm, network, None)


def _refuse(call: Call, network: SeenNetwork, vm: Vm) -> None:
    """Raise for what cannot be joined or left, and for a node that cannot change networks of what runs."""
    if network.name == "host":
        raise InvalidParameter("container cannot be disconnected from host network or connected to host network")
    if network.name == "none" or linux_options(vm).get("NetworkNone"):
        raise InvalidParameter(
            "container cannot be connected to multiple networks with one of the networks in private (none) mode"
        )
    if linux_options(vm).get(OPTION):
        raise InvalidParameter(NO_OTHER)
    if is_running(vm) and HOTPLUG not in capabilities(call, vm.get("server_uuid") or ""):
        raise NotImplementedHere(
            f"networks of a running container need the capability {HOTPLUG}, which its compute node does not have: "
            "stop the container first"
        )


def _macs(network: SeenNetwork, vm: Vm) -> list[str]:
    return [nic["mac"] for nic in vm.get("nics") or () if nic.get("network_uuid") in network.uuids]


def _name(call: Call, vm: Vm, names: Mapping[str, str]) -> None:
    """Have a container's node know its names on a network before it is there.

    SDC: VMAPI POST /vms/:uuid/internal_metadata
    """
    if any(metadata(vm).get(key) != value for key, value in names.items()):
        vmapi, owner_uuid = call.services.vmapi, call.owner.uuid
        with speaking_docker(f"problem naming {container_name(vm)[1:]}"):
            run_job(call, vm["uuid"], "update", lambda: vmapi.add_metadata(vm["uuid"], owner_uuid, names))


def _unname(call: Call, vm: Vm, keys: Iterable[str]) -> None:
    """Take names on a network back. What stays does nothing without a nic, and the next connect writes it anew.

    SDC: VMAPI DELETE /vms/:uuid/internal_metadata/:key
    """
    vmapi, owner_uuid = call.services.vmapi, call.owner.uuid
    for key in keys:
        with suppress(SdcError, DockerError):
            run_job(call, vm["uuid"], "update", partial(vmapi.delete_metadata, vm["uuid"], owner_uuid, key))


def _remember(call: Call, vm: Vm, network: SeenNetwork, addresses: Json | None) -> None:
    """Have inspect show the addresses that were asked for on a network, and no more those asked for before.

    It is not worth an error: the network is joined or left by now.
    """
    before = json_metadata(vm, ASKED_ENDPOINTS, {})
    after = {uuid: asked for uuid, asked in before.items() if uuid not in network.uuids}
    if addresses:
        after[network.document["uuid"]] = {"IPAMConfig": addresses}
    if after != before:
        with suppress(SdcError, DockerError):
            _name(call, vm, {ASKED_ENDPOINTS: json_text(after)})


def _change(call: Call, vm: Vm, network: SeenNetwork, word: str, action: str, **what: Any) -> None:
    """Have VMAPI do it; of a container that does not run its start tells the event, as it tells the others."""
    name = container_name(vm).removeprefix("/")
    vmapi, owner_uuid = call.services.vmapi, call.owner.uuid
    with speaking_docker(f"problem with {word} of {name} and network {network.name}"):
        run_job(call, vm["uuid"], action, lambda: vmapi.act(vm["uuid"], action, owner_uuid, **what))
    if is_running(vm):
        attributes = {"container": docker_id(vm), "name": network.name, "type": network.driver}
        told = Happening(type="network", action=word, actor_id=network.id, attributes=attributes)
        tell_happening(call, owner_uuid, told)

"""``--network container:x``: a container in another one's network, with its addresses, names and files about names.

Facts: moby ``runconfig/hostconfig_unix.go``, ``daemon/container_operations.go``.
"""

from __future__ import annotations

from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter, NotFound, NotImplementedHere
from translators.capabilities import capabilities
from translators.containers.linux import LinuxPlan
from translators.containers.lookup import find_container
from translators.containers.model import ContainerCreate
from translators.ids import container_name, docker_id

Vm = dict[str, Any]

NETWORK_SHARING = "network-sharing"
"""The capability of nodes that put a container into another one's network."""
OPTION = "NetworkContainer"
"""Key of ``docker:linux`` that holds the other one's uuid."""
PREFIX = "container:"
NO_OTHER = "container sharing network namespace with another container or host cannot be connected to any other network"


def find_sharer(call: Call, body: ContainerCreate) -> Vm | None:
    """Find the container whose network a new one is to have; None unless it asks for such a thing.

    Raises InvalidParameter for what it cannot have then, and for a container that the account has not, since clients
    take 404 for a missing image; NotImplementedHere unless that one's node can.

    SDC: VMAPI GET /vms
    """
    mode = body.HostConfig.NetworkMode
    if not mode.startswith(PREFIX) or body.NetworkDisabled:
        return None
    ref = mode.removeprefix(PREFIX)
    if NETWORK_SHARING not in capabilities(call):
        raise NotImplementedHere("network mode container is not supported: every container has its own addresses")
    if not ref:
        raise InvalidParameter("Invalid network mode: invalid container format container:<name|id>")
    check_conflicts(body)
    try:
        vm = find_container(call, ref)
    except NotFound as error:
        raise InvalidParameter(f"cannot join network of {ref}: {error.message}") from error
    if NETWORK_SHARING not in capabilities(call, vm.get("server_uuid") or ""):
        raise NotImplementedHere(
            f"network mode container needs the capability {NETWORK_SHARING}, which the compute node of "
            f"{container_name(vm)[1:]} does not have"
        )
    return vm


def share(linux: LinuxPlan, sharer: Vm | None) -> LinuxPlan:
    """Tell the node whose network a new container is to have, and clients by its id, as dockerd does."""
    if sharer is not None:
        linux.options[OPTION] = sharer["uuid"]
        linux.shown["NetworkMode"] = f"{PREFIX}{docker_id(sharer)}"
    return linux


def beside(sharer: Vm | None) -> dict[str, Any]:
    """Return what the payload of such a container takes from the other one: its place, and what it is called."""
    if sharer is None:
        return {}
    called = {key: sharer[key] for key in ("hostname", "dns_domain") if sharer.get(key)}
    return {"locality": {"near": [sharer["uuid"]], "strict": True}, **called}


def check_conflicts(body: ContainerCreate) -> None:
    """Raise InvalidParameter, in dockerd's words, for what a container in another one's network cannot have."""
    host = body.HostConfig
    wrong = {
        "hostname and the network mode": body.Hostname,
        "container type network can't be used with links. This would result in undefined behavior": host.Links,
        "dns and the network mode": host.Dns,
        "custom host-to-IP mapping and the network mode": host.ExtraHosts,
        "mac-address and the network mode": body.MacAddress,
        "port publishing and the container type network mode": host.PortBindings or host.PublishAllPorts,
        "port exposing and the container type network mode": body.ExposedPorts,
    }
    for words, asked in wrong.items():
        if asked:
            raise InvalidParameter(f"conflicting options: {words}")
    if body.NetworkingConfig.EndpointsConfig.keys() - {host.NetworkMode}:
        raise InvalidParameter(NO_OTHER)

"""The networks of a container: which it joins, and what they are called. Facts: docker-on-triton 4.8."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter, NotImplementedHere
from grammars import dockerids
from sdc.errors import SdcError
from sdc.napi import Napi
from translators.containers.endpoint_names import endpoint_metadata, has_names
from translators.containers.endpoints import NO_MAC, endpoint_warnings, refuse_aliases, shown_again
from translators.containers.links import parse_links
from translators.containers.model import ContainerCreate, EndpointSettings
from translators.containers.view import network_mode
from translators.errors import explain, speaking_docker
from translators.labels import NETWORK_LABEL
from translators.networks.predefined import predefined_name

Network = dict[str, Any]
Vm = dict[str, Any]

DEFAULT_MODES = frozenset({"", "default", "bridge"})
FRESH_SECONDS = 30.0


class NetworkBook:
    """An account's networks and pools, as NAPI lists them; half a minute old at most.

    What is not found is looked up again at once, so that a network just made is known.
    """

    def __init__(self, napi: Napi) -> None:
        self._napi = napi
        self._books: dict[str, tuple[float, list[Network]]] = {}

    def networks(self, owner_uuid: str, *, fresh: bool = False) -> list[Network]:
        """Networks first, then pools; a pool is known by its ``networks``."""
        read_at, known = self._books.get(owner_uuid, (0.0, []))
        if fresh or not known or time.monotonic() - read_at > FRESH_SECONDS:
            known = self._napi.list_networks(provisionable_by=owner_uuid)
            known = [*known, *self._napi.list_network_pools(provisionable_by=owner_uuid)]
            if len(self._books) > 1000:
                self._books.clear()
            self._books[owner_uuid] = (time.monotonic(), known)
        return known

    def find(self, owner_uuid: str, ref: str, *, fresh: bool = False) -> Network | None:
        """Find a network by full id, name or unique beginning of its id, in this order.

        ``fresh``: the name may have gone to another network since the book was read.
        """
        for anew in (fresh, True):
            found = match(self.networks(owner_uuid, fresh=anew), ref)
            if found is not None:
                return found
        return None

    def name(self, owner_uuid: str, network_uuid: str) -> str:
        """Return a network's name; its uuid when the account may not see it."""
        for network in self.networks(owner_uuid):
            if network["uuid"] == network_uuid:
                return str(network["name"])
        book = self._books.setdefault(f"/{network_uuid}", (0.0, []))
        if time.monotonic() - book[0] > FRESH_SECONDS:
            try:
                self._books[f"/{network_uuid}"] = (time.monotonic(), [self._napi.get_network(network_uuid)])
            except SdcError:
                self._books[f"/{network_uuid}"] = (time.monotonic(), [{"name": network_uuid}])
        return str(self._books[f"/{network_uuid}"][1][0]["name"])


@cache
def _book(napi: Napi) -> NetworkBook:
    return NetworkBook(napi)


def network_book(call: Call) -> NetworkBook:
    return _book(call.services.napi)


def shown_name(call: Call, vm: Vm, network_uuid: str) -> str:
    """Return what Docker shows a container's network as: ``bridge`` for the default one, unless it was asked by name.

    Raises SdcError.
    """
    name = network_book(call).name(vm["owner_uuid"], network_uuid)
    usual = call.config.default_fabric if call.config.fabrics else call.config.external_network
    unasked = network_mode(vm) == "bridge" and not has_names(vm, network_uuid)
    return "bridge" if name == usual and unasked else name


def match(networks: list[Network], ref: str) -> Network | None:
    """Choose the network that ``ref`` names. Raises InvalidParameter when several ids begin so."""
    for network in networks:
        if ref in {network["uuid"], dockerids.network_docker_id(network["uuid"])}:
            return network
    for network in networks:
        if network["name"] == ref:
            return network
    begins = [n for n in networks if ref and dockerids.network_docker_id(n["uuid"]).startswith(ref)]
    if len(begins) > 1:
        raise InvalidParameter(f"network {ref} is ambiguous ({len(begins)} matches found based on ID prefix)")
    return begins[0] if begins else None


def name_predefined(call: Call, body: ContainerCreate) -> None:
    """Have ``bridge``, ``host`` and ``none`` by name where a request has the ids that they are listed with."""
    host, joined = body.HostConfig, body.NetworkingConfig
    host.NetworkMode = _by_name(call, host.NetworkMode)
    joined.EndpointsConfig = {_by_name(call, ref): settings for ref, settings in joined.EndpointsConfig.items()}


def _by_name(call: Call, ref: str) -> str:
    name = predefined_name(ref)
    if not name:
        return ref
    with speaking_docker("problem choosing the container's networks"):
        return ref if network_book(call).find(call.owner.uuid, ref) else name


@dataclass(slots=True)
class NetworkPlan:
    """``networks`` as VMAPI takes them; ``disconnected`` when the container shall have no network at all.

    ``asked`` is what inspect shows again of the endpoints, by the network's uuid.
    """

    networks: list[dict[str, Any]] = field(default_factory=list)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    disconnected: bool = False
    warnings: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    """What the container is called on its networks, as internal metadata."""


def plan_networks(
    call: Call, body: ContainerCreate, *, publishes: bool, can_disconnect: bool, names: bool
) -> NetworkPlan:
    """Choose the networks of a new container: a fabric, and the outside one, primary, when it publishes ports.

    ``names``: nodes resolve names on networks that were asked for.

    SDC: NAPI GET /networks, /network_pools
    """
    mode = "none" if body.NetworkDisabled else body.HostConfig.NetworkMode
    _refuse_modes(mode, can_disconnect=can_disconnect)
    if body.HostConfig.Links and mode not in DEFAULT_MODES and not names:
        raise NotImplementedHere(
            "user-defined networking links is not implemented: links join containers of the default network"
        )
    label = body.Labels.get(NETWORK_LABEL)
    if label and not publishes:
        raise InvalidParameter(f"{NETWORK_LABEL} label requires a container with published ports")
    plan = NetworkPlan(disconnected=mode == "none")
    with speaking_docker("problem choosing the container's networks"):
        if call.config.fabrics:
            _add_fabrics(call, body, mode, plan, names=names)
        if publishes or not call.config.fabrics:
            for network in plan.networks:
                network.pop("primary", None)
            plan.networks.append({"uuid": _external(call, label)["uuid"], "primary": True})
    if body.MacAddress or any(e and e.MacAddress for e in body.NetworkingConfig.EndpointsConfig.values()):
        plan.warnings.append(NO_MAC)
    return plan


def _refuse_modes(mode: str, *, can_disconnect: bool) -> None:
    if mode == "host":
        raise NotImplementedHere(
            "network mode host is not supported: compute nodes are shared between accounts, and every container "
            "has an address of its own on its network"
        )
    if mode == "none" and not can_disconnect:
        raise NotImplementedHere(
            "network mode none needs the capability linux-options, which this data center does not have: "
            "a virtual machine always has a network"
        )


def _add_fabrics(call: Call, body: ContainerCreate, mode: str, plan: NetworkPlan, *, names: bool) -> None:
    endpoints = dict(body.NetworkingConfig.EndpointsConfig)
    unasked = mode in DEFAULT_MODES | {"none"} or mode.startswith("container:")
    first = call.config.default_fabric if unasked else mode
    known_as = (mode, "default", "bridge", first) if unasked else (first,)
    key = next((name for name in known_as if endpoints.get(name)), mode)
    settings = endpoints.pop(key, None)
    asked = not unasked or key == first
    if not asked:
        refuse_aliases(settings)
    chosen = [(first, settings), *((name, s) for name, s in endpoints.items() if name not in {first, *DEFAULT_MODES})]
    priorities: dict[str, int] = {}
    for ref, endpoint in chosen:
        network = network_book(call).find(call.owner.uuid, ref, fresh=ref != call.config.default_fabric)
        if network is None:
            raise _unknown(ref)
        if all(network["uuid"] != (known.get("uuid") or known.get("ipv4_uuid")) for known in plan.networks):
            plan.networks.append(network_entry(network, endpoint))
        named = names and (asked or ref != first)
        if named:
            links = body.HostConfig.Links if ref == first else ()
            plan.metadata |= endpoint_names(network, endpoint, links)
        plan.warnings += endpoint_warnings(str(network["name"]), endpoint, names=named)
        priorities[str(network["uuid"])] = endpoint.GwPriority if endpoint else 0
        if endpoint and (again := shown_again(endpoint)):
            plan.asked[str(network["uuid"])] = again
    primary = max(plan.networks, key=lambda known: priorities[str(known.get("uuid") or known.get("ipv4_uuid"))])
    primary["primary"] = True


def endpoint_names(network: Network, endpoint: EndpointSettings | None, links: Iterable[str] = ()) -> dict[str, str]:
    """Write what a container is called on a network. Raises InvalidParameter for links that are none."""
    asked = endpoint or EndpointSettings()
    return endpoint_metadata(network, asked.Aliases, parse_links([*asked.Links, *links]))


def network_entry(network: Network, endpoint: EndpointSettings | None) -> dict[str, Any]:
    """Write one element of ``networks``; an address asked for is asked of NAPI, which may refuse it.

    Raises InvalidParameter for one that cannot be of the network.
    """
    address = endpoint.IPAMConfig.IPv4Address if endpoint and endpoint.IPAMConfig else ""
    if address:
        subnet = network.get("subnet")  # a pool has none: its members have
        if subnet and ip_address(address) not in ip_network(subnet):
            raise InvalidParameter(f"invalid endpoint settings: no configured subnet contains IP address {address}")
        return {"ipv4_uuid": network["uuid"], "ipv4_ips": [address]}
    return {"uuid": network["uuid"]}


def _external(call: Call, label: str | None) -> Network:
    """Find the network that carries published ports: the label's, the settings' pool, the settings' name."""
    ref = label or call.config.external_pool or call.config.external_network
    fabric_free = [n for n in network_book(call).networks(call.owner.uuid) if not n.get("fabric")]
    found = match(fabric_free, ref)
    if found is None and ref == call.config.external_pool:
        return {"uuid": ref}
    if found is None:
        raise _unknown(ref)
    return found


def _unknown(ref: str) -> InvalidParameter:
    """No 404, though dockerd has one at the start: clients take that of a create for a missing image."""
    return InvalidParameter(f"network {ref} not found")


def dns_suffixes(call: Call, networks: list[dict[str, Any]]) -> list[str]:
    """Return the DNS search suffixes that CNS has for a container on these networks; none without CNS.

    SDC: CNS POST /suffixes-for-vm
    """
    if call.services.cns is None or not call.owner.cns_enabled:
        return []
    uuids = sorted({str(network.get("uuid") or network.get("ipv4_uuid")) for network in networks})
    try:
        return call.services.cns.suffixes_for_vm(call.owner.uuid, uuids)
    except SdcError as error:
        if error.status == 404:
            return []
        raise explain(error, "Triton CNS API failed") from error

"""Networks of the data center as Docker's, and the three that every Docker client expects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.state.network_records import NetworkRecord
from grammars import dockerids
from translators.containers import view as containers
from translators.containers.states import NEVER, is_running
from translators.events.actors import NETWORK_DRIVER
from translators.ids import container_name, docker_id
from translators.networks.predefined import DRIVERS as PREDEFINED
from translators.networks.predefined import predefined_id

Json = dict[str, Any]
Vm = dict[str, Any]

DRIVERS = frozenset({"bridge", "overlay", NETWORK_DRIVER})
"""What a client may call the one kind of network that can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNetwork:
    """A network as an account sees it. ``document`` is NAPI's, ``host`` and ``none`` have none."""

    name: str
    id: str
    driver: str = NETWORK_DRIVER
    builtin: bool = False
    """Not the account's to remove: predefined, its default one, or shared by everybody."""
    document: Json = field(default_factory=dict)
    record: NetworkRecord | None = None

    @property
    def scope(self) -> str:
        return "local" if self.driver in PREDEFINED.values() else "global"

    @property
    def asked(self) -> Json:
        return self.record.asked if self.record else {}

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.asked.get("Labels") or {}
        return labels

    @property
    def uuids(self) -> set[str]:
        """NAPI's uuids of what nics may be on: the network's, or those of a pool's members."""
        if self.name == "none" or not self.document:
            return set()
        return {self.document["uuid"], *(self.document.get("networks") or ())}


def seen(documents: Iterable[Json], records: Mapping[str, NetworkRecord], default: str) -> list[SeenNetwork]:
    """Translate an account's networks and pools; ``default`` is the name of that which containers join unasked.

    Members of a pool are seen as the pool; the admin network is nobody's.
    """
    known = [document for document in documents if document.get("nic_tag") != "admin"]
    members = {member for document in known for member in document.get("networks") or ()}
    shown = [document for document in known if document["uuid"] not in members]
    usual = next((document for document in shown if document["name"] == default), {})
    found = [_predefined(name, usual if name == "bridge" else {}) for name in PREDEFINED]
    for document in shown:
        record = records.get(document["uuid"])
        found.append(
            SeenNetwork(
                name=document["name"],
                id=dockerids.network_docker_id(document["uuid"]),
                driver=record.asked["Driver"] if record else NETWORK_DRIVER,
                builtin=not document.get("fabric") or document["name"] == default,
                document=document,
                record=record,
            )
        )
    return found


def _predefined(name: str, document: Json) -> SeenNetwork:
    return SeenNetwork(name=name, id=predefined_id(name), driver=PREDEFINED[name], builtin=True, document=document)


def described(network: SeenNetwork, vms: Iterable[Vm] = ()) -> Json:
    """Translate a network, with the running ones of ``vms`` that are on it."""
    asked, document = network.asked, network.document
    mtu = {"com.docker.network.driver.mtu": str(document["mtu"])} if document.get("mtu") else {}
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": _time(network.record),
        "Scope": network.scope,
        "Driver": network.driver,
        "EnableIPv4": bool(document),
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": asked.get("IpamOptions"), "Config": _config(network)},
        "Internal": _internal(network),
        "Attachable": bool(asked.get("Attachable")),
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": _containers(network, vms),
        "Options": asked["Options"] if network.record else mtu,
        "Labels": network.labels,
    }


def _internal(network: SeenNetwork) -> bool:
    if network.record:
        return bool(network.asked.get("Internal"))
    return is_internal(network.document)


def is_internal(document: Json) -> bool:
    """Whether a network of NAPI leads nowhere."""
    return bool(document.get("fabric")) and not document.get("internet_nat", True)


def _config(network: SeenNetwork) -> list[Json]:
    subnet = network.document.get("subnet")
    if not subnet:
        return []
    config = {"Subnet": subnet, "IPRange": network.asked.get("IPRange"), "Gateway": network.document.get("gateway")}
    return [{key: value for key, value in config.items() if value}]


def _containers(network: SeenNetwork, vms: Iterable[Vm]) -> Json:
    found = {}
    for vm in vms:
        nics = [nic for nic in containers.nics(vm) if nic.get("network_uuid") in network.uuids]
        if nics and is_running(vm):
            endpoint = containers.endpoint(nics[0], vm)
            found[docker_id(vm)] = {
                "Name": container_name(vm).removeprefix("/"),
                "EndpointID": endpoint["EndpointID"],
                "MacAddress": endpoint["MacAddress"],
                "IPv4Address": f"{endpoint['IPAddress']}/{endpoint['IPPrefixLen']}",
                "IPv6Address": "",
            }
    return found


def is_used(network: SeenNetwork, vms: Iterable[Vm]) -> bool:
    """Whether a container has a place on a network, running or not."""
    return any(nic.get("network_uuid") in network.uuids for vm in vms for nic in vm.get("nics") or ())


def _time(record: NetworkRecord | None) -> str:
    if record is None:
        return NEVER
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

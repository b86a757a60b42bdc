"""Make networks: each on a VLAN of its own in the account's fabric, so that they are apart from each other."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from gateway.call import Call
from gateway.errors import Conflict, DockerError, Forbidden, InvalidParameter, NotImplementedHere, Unavailable
from gateway.state.event_log import Happening
from gateway.state.network_records import NetworkRecord
from gateway.state.undertakings import NETWORK
from grammars import dockerids
from sdc.errors import SdcError
from translators.containers.networks import network_book
from translators.errors import explain, speaking_docker, validation_details
from translators.events.recorder import tell_happening
from translators.networks import asking, unfinished
from translators.networks.lookup import visible
from translators.networks.model import NetworkCreate

Json = dict[str, Any]

VLANS = range(3, 4095)
"""VLANs that networks may get; the default network has 2, and 1 is nobody's."""
VLAN_NAME = "docker"
_TRIES = 5


def create(call: Call, body: NetworkCreate) -> Json:
    """Make a network; nothing of it is left when that fails, nor when the gateway dies over it.

    Docker: POST /networks/create
    SDC: NAPI POST /fabrics/:owner/vlans, POST /fabrics/:owner/vlans/:vlan_id/networks
    """
    asking.check(body)
    payload = asking.payload(body)
    if not call.config.fabrics:
        raise NotImplementedHere("networks cannot be made here: this data center has no fabrics")
    known = visible(call)
    if any(network.name == body.Name for network in known):
        raise _taken(body.Name)
    payload |= _resolvers([network.document for network in known], call.config.default_fabric)
    vlan_id, undertaking = _make_vlan(call, body.Name)
    network = _make(call, vlan_id, payload, internal=body.Internal)
    record = NetworkRecord(
        owner_uuid=call.owner.uuid, network_uuid=network["uuid"], created=time.time(), asked=asking.kept(body)
    )
    call.state.networks.put(record)
    call.state.undertakings.end(NETWORK, undertaking)
    with suppress(SdcError):  # it will be read when it is needed
        network_book(call).networks(call.owner.uuid, fresh=True)
    docker_id = dockerids.network_docker_id(network["uuid"])
    tell(call, docker_id, body.Name, record.asked["Driver"], "create")
    return {"Id": docker_id, "Warning": asking.warning(body)}


def tell(call: Call, docker_id: str, name: str, driver: str, action: str) -> None:
    """Tell an event of a network."""
    attributes = {"name": name, "type": driver}
    what = Happening(type="network", action=action, actor_id=docker_id, attributes=attributes)
    tell_happening(call, call.owner.uuid, what)


def _taken(name: str) -> Conflict:
    return Conflict(f"network with name {name} already exists")


def _resolvers(documents: list[Json], default: str) -> Json:
    """Let names be resolved as on the account's default network."""
    found = next((d["resolvers"] for d in documents if d.get("name") == default and d.get("resolvers")), None)
    return {"resolvers": found} if found else {}


def _make_vlan(call: Call, name: str) -> tuple[int, str]:
    """Make a VLAN under the first free number, and return that and what is under way with it."""
    napi, owner_uuid = call.services.napi, call.owner.uuid
    with speaking_docker("problem creating the network's VLAN"):
        for tries_left in reversed(range(_TRIES)):
            taken = {vlan["vlan_id"] for vlan in napi.list_vlans(owner_uuid)}
            vlan_id = next((number for number in VLANS if number not in taken), 0)
            if not vlan_id:
                raise Unavailable("no more networks can be made: the account's fabric has no VLAN left")
            vlan: Json = {"name": VLAN_NAME, "vlan_id": vlan_id}
            undertaking = unfinished.begin(call, vlan, name)
            try:
                napi.create_vlan(owner_uuid, vlan)
            except SdcError as error:
                if "vlan_id" not in error.field_errors("Duplicate"):
                    call.state.undertakings.leave(NETWORK, undertaking, owner_uuid)
                    raise
                call.state.undertakings.end(NETWORK, undertaking)  # somebody else was at the same
                if not tries_left:
                    raise
            else:
                break

    def take_back() -> None:
        try:
            napi.delete_vlan(owner_uuid, vlan_id)
            call.state.undertakings.end(NETWORK, undertaking)
        except SdcError:
            call.state.undertakings.leave(NETWORK, undertaking, owner_uuid)

    call.undo.append(take_back)
    return vlan_id, undertaking


def _make(call: Call, vlan_id: int, payload: Json, *, internal: bool) -> Json:
    network = _ask(call, vlan_id, payload)
    if internal and network.get("gateway"):  # a subnet that NAPI finds comes with one, which would be a way out
        found = {key: network[key] for key in ("subnet", "provision_start_ip", "provision_end_ip")}
        with speaking_docker("problem creating the network"):
            call.services.napi.delete_fabric_network(call.owner.uuid, vlan_id, network["uuid"])
        given = {k: v for k, v in payload.items() if k not in {"subnet_alloc", "subnet_prefix", "family"}}
        network = _ask(call, vlan_id, given | found)
    return network


def _ask(call: Call, vlan_id: int, payload: Json) -> Json:
    napi, owner_uuid = call.services.napi, call.owner.uuid
    try:
        network = napi.create_fabric_network(owner_uuid, vlan_id, payload)
    except SdcError as error:
        raise _refusal(error, payload) from error

    def take_back() -> None:
        with suppress(SdcError):
            napi.delete_fabric_network(owner_uuid, vlan_id, network["uuid"])

    call.undo.append(take_back)
    return network


def _refusal(error: SdcError, payload: Json) -> DockerError:
    """Say why NAPI does not make a network."""
    if "name" in error.field_errors("Duplicate"):
        return _taken(payload["name"])
    if error.code == "SubnetsExhausted":
        return Unavailable("could not find an available, non-overlapping IPv4 address pool among the defaults")
    if error.code == "InvalidParameters":
        if any("overlaps" in str(item.get("message")) for item in error.errors):
            return Forbidden("invalid pool request: Pool overlaps with other one on this address space")
        return InvalidParameter(f"problem creating the network: {validation_details(error)}")
    return explain(error, "problem creating the network")

"""A network whose gateway died while it made or removed it: what is left of it, its VLAN at least, goes.

A VLAN's number says little: somebody else may have one of that number by then. So each has a mark of its own in its
description, and the undertaking names mark, number and the network's name.
"""

from __future__ import annotations

import uuid
from typing import Any

from gateway.call import Call
from gateway.state.undertakings import NETWORK, Undertaking
from sdc.errors import SdcError

Json = dict[str, Any]

_TOLD = "of a docker network: "


def begin(call: Call, vlan: Json, name: str) -> str:
    """Note, before anything is done, that a network on this VLAN is being made or removed; return what ends it.

    ``vlan`` is NAPI's, or is to be: it gets a mark as its ``description`` when it has no name of another's.
    """
    mark = str(vlan.get("description") or "").removeprefix(_TOLD)
    if not mark:
        mark = str(uuid.uuid4())
        vlan["description"] = f"{_TOLD}{mark}"
    subject = f"{mark}/{vlan['vlan_id']}/{name}"
    call.state.undertakings.begin(NETWORK, subject, call.owner.uuid)
    return subject


def settle(call: Call, one: Undertaking, *, ripe: bool) -> bool:
    """Delete a network that nobody was told of, and its VLAN; leave one that has its record: it is whole.

    Nothing is done before it is ``ripe``: a request that was sent before may still arrive.

    SDC: NAPI GET /networks, /fabrics/:owner/vlans, DELETE /fabrics/:owner/vlans/:vlan_id[/networks/:uuid]
    """
    if not ripe:
        return False
    napi, owner = call.services.napi, one.owner_uuid
    mark, number, name = one.subject.split("/", 2)
    vlan_id = int(number)
    vlans = [vlan for vlan in napi.list_vlans(owner) if vlan["vlan_id"] == vlan_id]
    if not any(vlan.get("description") == f"{_TOLD}{mark}" for vlan in vlans):
        return True
    on_it = [
        network
        for network in napi.list_networks(provisionable_by=owner)
        if network.get("fabric") and network.get("vlan_id") == vlan_id and network["name"] == name
    ]
    records = call.state.networks.of_account(owner)
    if any(network["uuid"] in records for network in on_it):
        return True
    try:
        for network in on_it:
            napi.delete_fabric_network(owner, vlan_id, network["uuid"])
        napi.delete_vlan(owner, vlan_id)
    except SdcError as error:
        if error.code != "InUse" and error.status != 404:
            raise
    return True

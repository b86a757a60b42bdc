"""NAPI in memory: what all share, and the accounts' own fabrics."""

from __future__ import annotations

import copy
import uuid

from sdc.errors import SdcError
from tests.unit.translators.containers.conftest import EXTERNAL, FABRIC

MEMBER = "0e4b6c3a-1f6b-4e6b-9b3c-6a3b2a0f6f02"
POOL = "0e4b6c3a-1f6b-4e6b-9b3c-6a3b2a0f6f03"
ADMIN = "0e4b6c3a-1f6b-4e6b-9b3c-6a3b2a0f6f04"


def refusal(field, code, message="no"):
    return SdcError("napi", 422, "InvalidParameters", "Invalid parameters", [
        {"field": field, "code": code, "message": message}
    ])  # fmt: skip


class FakeFabrics:
    """``race`` is the VLAN that somebody else takes at the next look; ``breaks`` refuses the next network."""

    def __init__(self, vmapi) -> None:
        self.vmapi = vmapi
        self.vlans: dict[tuple[str, int], dict] = {}
        self.made: dict[str, dict] = {}
        self.asked: list[dict] = []
        self.race = 0
        self.breaks: SdcError | None = None

    def list_networks(self, provisionable_by):
        shared = [
            {"uuid": FABRIC, "name": "My-Fabric-Network", "fabric": True, "vlan_id": 2, "resolvers": ["10.0.0.2"]},
            {"uuid": EXTERNAL, "name": "external", "nic_tag": "external", "subnet": "10.88.88.0/24", "mtu": 1500},
            {"uuid": MEMBER, "name": "member", "nic_tag": "external"},
            {"uuid": ADMIN, "name": "admin", "nic_tag": "admin"},
        ]
        own = [network for network in self.made.values() if network["owner_uuid"] == provisionable_by]
        return copy.deepcopy([*shared, *own])

    def list_network_pools(self, provisionable_by):
        return [{"uuid": POOL, "name": "pool", "nic_tag": "external", "networks": [MEMBER]}]

    def list_vlans(self, owner_uuid):
        return [vlan for (owner, _), vlan in self.vlans.items() if owner == owner_uuid]

    def create_vlan(self, owner_uuid, vlan):
        if self.race == vlan["vlan_id"]:
            self.race = 0
            self.vlans[owner_uuid, vlan["vlan_id"]] = vlan
        if (owner_uuid, vlan["vlan_id"]) in self.vlans:
            raise refusal("vlan_id", "Duplicate")
        self.vlans[owner_uuid, vlan["vlan_id"]] = vlan

    def delete_vlan(self, owner_uuid, vlan_id):
        if any((n["owner_uuid"], n["vlan_id"]) == (owner_uuid, vlan_id) for n in self.made.values()):
            raise SdcError("napi", 422, "InUse", "VLAN must have no networks on it")
        del self.vlans[owner_uuid, vlan_id]

    def create_fabric_network(self, owner_uuid, vlan_id, network):
        self.asked.append(network)
        if self.breaks:
            raise self.breaks
        found = {"subnet": "10.128.4.0/24", "gateway": "10.128.4.1", "provision_start_ip": "10.128.4.5",
                 "provision_end_ip": "10.128.4.250"} if network.get("subnet_alloc") else {}  # fmt: skip
        own = {"uuid": str(uuid.uuid4()), "owner_uuid": owner_uuid, "vlan_id": vlan_id, "fabric": True}
        made = {**network, **found, **own}
        self.made[made["uuid"]] = made
        return copy.deepcopy(made)

    def delete_fabric_network(self, owner_uuid, vlan_id, uuid):
        if any(nic["network_uuid"] == uuid for vm in self.vmapi.vms.values() for nic in vm["nics"]):
            raise SdcError("napi", 422, "InUse", "network must have no NICs provisioned")
        assert self.made[uuid]["vlan_id"] == vlan_id
        assert self.made.pop(uuid)["owner_uuid"] == owner_uuid

"""NAPI: networks, pools and nics. Facts: sdc-apis 7."""

from __future__ import annotations

from typing import Any

from sdc.http import ServiceClient

Network = dict[str, Any]


class Napi(ServiceClient):
    service = "napi"

    def list_networks(self, **filters: Any) -> list[Network]:
        """Networks by ``provisionable_by``, ``name``, ``fabric`` ...; the filter list is strict."""
        networks: list[Network] = self.get("/networks", query=filters)
        return networks

    def get_network(self, uuid: str, provisionable_by: str | None = None) -> Network:
        network: Network = self.get(f"/networks/{uuid}", query={"provisionable_by": provisionable_by})
        return network

    def list_network_pools(self, **filters: Any) -> list[Network]:
        pools: list[Network] = self.get("/network_pools", query=filters)
        return pools

    def list_nics(self, **filters: Any) -> list[dict[str, Any]]:
        nics: list[dict[str, Any]] = self.get("/nics", query=filters)
        return nics

    def list_vlans(self, owner_uuid: str) -> list[dict[str, Any]]:
        """VLANs of an account's fabric."""
        vlans: list[dict[str, Any]] = self.get(f"/fabrics/{owner_uuid}/vlans")
        return vlans

    def create_vlan(self, owner_uuid: str, vlan: dict[str, Any]) -> None:
        """Make a VLAN: ``name``, ``vlan_id``, ``description``. Raises SdcError with field error Duplicate."""
        self.post(f"/fabrics/{owner_uuid}/vlans", body=vlan)

    def delete_vlan(self, owner_uuid: str, vlan_id: int) -> None:
        """Delete a VLAN; one with networks is refused as InUse."""
        self.delete(f"/fabrics/{owner_uuid}/vlans/{vlan_id}")

    def create_fabric_network(self, owner_uuid: str, vlan_id: int, network: Network) -> Network:
        """Make a network with the ``subnet`` and range given, or (``subnet_alloc``) with one that NAPI finds."""
        made: Network = self.post(f"/fabrics/{owner_uuid}/vlans/{vlan_id}/networks", body=network)
        return made

    def delete_fabric_network(self, owner_uuid: str, vlan_id: int, uuid: str) -> None:
        """Delete a network; one with nics is refused as InUse."""
        self.delete(f"/fabrics/{owner_uuid}/vlans/{vlan_id}/networks/{uuid}")

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

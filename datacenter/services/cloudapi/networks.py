"""Networks in CloudAPI's words."""

from __future__ import annotations

from typing import Any

_FABRIC_FIELDS = (
    "fabric gateway internet_nat provision_start_ip provision_end_ip resolvers routes subnet netmask vlan_id"
)


def network_view(network: dict[str, Any]) -> dict[str, Any]:
    """A network or pool; only of fabrics does a customer see more than the name."""
    shown = {"id": network["uuid"], "name": network["name"], "public": network["nic_tag"] == "external"}
    if "description" in network:
        shown["description"] = network["description"]
    if network.get("fabric"):
        shown.update((name, network[name]) for name in _FABRIC_FIELDS.split() if name in network)
    return shown

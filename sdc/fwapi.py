"""FWAPI: firewall rules. Facts: sdc-apis 9."""

from __future__ import annotations

from typing import Any

from sdc.http import ServiceClient

Rule = dict[str, Any]


class Fwapi(ServiceClient):
    service = "fwapi"

    def list_rules(self, owner_uuid: str, **filters: Any) -> list[Rule]:
        rules: list[Rule] = self.get("/rules", query={"owner_uuid": owner_uuid, **filters})
        return rules

    def create_rule(self, rule: Rule) -> Rule:
        """Create a rule; it is readable at once and reaches the compute nodes later. Send a ``uuid`` of your own."""
        made: Rule = self.post("/rules", body=rule)
        return made

    def delete_rule(self, uuid: str, owner_uuid: str) -> None:
        self.delete(f"/rules/{uuid}", query={"owner_uuid": owner_uuid})

    def vm_rules(self, vm_uuid: str, owner_uuid: str) -> list[Rule]:
        """Every rule that applies to a VM: its own, its tags' and global ones."""
        rules: list[Rule] = self.get(f"/firewalls/vms/{vm_uuid}", query={"owner_uuid": owner_uuid})
        return rules

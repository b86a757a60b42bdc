"""CNS: DNS names of VMs. Facts: sdc-apis 13."""

from __future__ import annotations

from sdc.http import ServiceClient


class Cns(ServiceClient):
    service = "cns"
    accept_version = "~1"

    def suffixes_for_vm(self, owner_uuid: str, networks: list[str]) -> list[str]:
        """DNS search suffixes for a VM on these networks. An old CNS answers 404."""
        answer = self.post("/suffixes-for-vm", body={"owner_uuid": owner_uuid, "networks": networks})
        return list(answer.get("suffixes", []))

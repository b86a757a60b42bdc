"""VMAPI's change feed: which VMs changed in what."""

from __future__ import annotations

from datacenter.changefeed import Changefeed, Resource
from datacenter.services.vmapi.record import Vm

RESOURCE = "vm"
SUB_RESOURCES = (
    "alias",
    "customer_metadata",
    "destroyed",
    "internal_metadata",
    "nics",
    "owner_uuid",
    "server_uuid",
    "state",
    "tags",
)


class VmChangefeed(Changefeed):
    """The feed of the table of VMs, which it watches."""

    def __init__(self) -> None:
        super().__init__(Resource(RESOURCE, "/vms", SUB_RESOURCES))

    def vm_changed(self, uuid: str, before: Vm | None, after: Vm | None) -> None:
        if not self._listeners or after is None:
            return
        old = before or {}
        changed = [field for field in SUB_RESOURCES if old.get(field) != after.get(field)]
        if "state" not in changed and old.get("exit_timestamp") != after.get("exit_timestamp"):
            changed.append("state")  # it ran and ended between two writes: the state went there and back
        if changed:
            self.publish(RESOURCE, uuid, changed, after)

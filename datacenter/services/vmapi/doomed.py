"""What nodes still have to remove because they were away when it was to go: whole VMs, and nics of VMs that stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from datacenter.services.vmapi.record import NOT_ON_NODES
from datacenter.services.vmapi.table import VmTable
from datacenter.store import Store
from datacenter.workflow.engine import Engine

Doc = dict[str, Any]


class Doomed:
    """Notes on disk, kept until a node has done its part."""

    def __init__(self, store: Store, table: VmTable, jobs: Engine) -> None:
        self._vms = store.bucket("doomed_vms")
        self._nics = store.bucket("doomed_nics")
        self._table = table
        self._jobs = jobs

    def doom(self, vm_uuid: str, server_uuid: str) -> None:
        """Note that a node still has to remove a VM."""
        self._vms.put(vm_uuid, {"vm_uuid": vm_uuid, "server_uuid": server_uuid})

    def undoom(self, vm_uuid: str) -> None:
        self._vms.delete(vm_uuid)

    def doom_nics(self, vm_uuid: str, server_uuid: str, macs: Iterable[str]) -> None:
        """Note that a node may have nics of a VM that are on no record, and has to let go of them."""
        for mac in macs:
            self._nics.put(mac, {"mac": mac, "vm_uuid": vm_uuid, "server_uuid": server_uuid})

    def undoom_nics(self, macs: Iterable[str]) -> None:
        for mac in macs:
            self._nics.delete(mac)

    def node_started(self, server_uuid: str) -> None:
        """Have a node that is back do what is left."""
        for doomed in self._vms.find(server_uuid=server_uuid):
            self._submit("destroy", doomed["vm_uuid"], server_uuid)
            self.undoom(doomed["vm_uuid"])
        for vm_uuid, macs in self._strays(server_uuid).items():
            vm = self._table.get(vm_uuid)
            if vm is None or vm["state"] in NOT_ON_NODES:
                self.undoom_nics(macs)  # its nics went with it
            else:
                self._submit("remove_nics", vm_uuid, server_uuid, remove_nics=macs, strays=True)

    def _strays(self, server_uuid: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for doomed in self._nics.find(server_uuid=server_uuid):
            found[doomed["vm_uuid"]].append(doomed["mac"])
        return found

    def _submit(self, task: str, vm_uuid: str, server_uuid: str, **params: Any) -> None:
        full = {"vm_uuid": vm_uuid, "server_uuid": server_uuid, "task": task, **params}
        self._jobs.submit(task, f"/{task.replace('_', '-')}-{vm_uuid}", full)

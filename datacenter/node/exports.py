"""Storage VMs: each is a folder of the instance, which containers on any of its nodes mount as an NFS volume.

A real node runs a zone with an NFS server for each. Here all nodes are on one machine, so the folder itself is
given out, to the containers of the same account whose networks reach the storage VM's address.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from datacenter.clock import iso
from datacenter.node.home import Home
from datacenter.node.tasks import Params, Result, Task, TaskError
from datacenter.node.usage import file_bytes

if TYPE_CHECKING:
    from datacenter.node.agent import Node

Record = dict[str, Any]

SYSTEM_ROLE = "nfsvolumestorage"
EXPORT = "/exports/data"
VOLUMES = "docker:nfsvolumes"


class Exports:
    """The storage VMs of the instance. Their records lie beside their data, so that every node finds them."""

    def __init__(self, home: Home) -> None:
        self._root = home.volumes
        self._trash = home.real / "trash"
        self._server = home.server_uuid()
        self._by_address: dict[str, str] = {}

    # what CNAPI asks of the node that has a storage VM

    def task(self, name: str, params: Params) -> Task | None:
        """The task of that name for a storage VM; None when the VM is none of this node."""
        uuid = str(params.get("uuid", ""))
        if name == "machine_create":
            role = (params.get("internal_metadata") or {}).get("sdc:system_role")
            return self._create if role == SYSTEM_ROLE else None
        record = self._read(uuid)
        if record is None or record["server_uuid"] != self._server:
            return None
        return self._TASKS.get(name, Exports._refuse).__get__(self)  # type: ignore[no-any-return]

    def _create(self, _node: Node, params: Params) -> Result:
        folder = self._root / str(params["uuid"])
        if not folder.exists():
            fresh = self._root / f"{folder.name}.new"
            (fresh / "data").mkdir(parents=True, exist_ok=True, mode=0o755)
            (fresh / "data").chmod(0o755)
            self._write(fresh, {**params, "server_uuid": self._server, "state": "stopped"})
            fresh.rename(folder)
        return self._told(folder.name)

    def _boot(self, _node: Node, params: Params) -> Result:
        return self._change(params, state="running", boot_timestamp=iso())

    def _stop(self, _node: Node, params: Params) -> Result:
        return self._change(params, state="stopped")

    def _update(self, _node: Node, params: Params) -> Result:
        plain = {key: value for key, value in params.items() if not key.startswith(("set_", "remove_"))}
        return self._change(params, **{key: value for key, value in plain.items() if key not in {"uuid", "state"}})

    def _load(self, _node: Node, params: Params) -> Result:
        return self._told(str(params["uuid"]))

    def _destroy(self, node: Node, params: Params) -> Result:
        node.discard(self._root / str(params["uuid"]), self._trash)
        return {}

    def _ask(self, _node: Node, params: Params) -> Result:
        command = params.get("command") or {}
        if not command.get("DiskUsage"):
            raise TaskError("VmNotRunning", "a storage VM runs no processes")
        return {"Written": file_bytes(self.data(str(params["uuid"])))}

    def _refuse(self, _node: Node, params: Params) -> Result:
        raise TaskError("NotSupported", f"VM {params['uuid']} is a storage VM: it runs no processes")

    _TASKS: dict[str, Callable[..., Result]] = {  # noqa: RUF012 - never changed
        "machine_boot": _boot,
        "machine_reboot": _boot,
        "machine_shutdown": _stop,
        "machine_kill": _stop,
        "machine_update": _update,
        "machine_load": _load,
        "machine_destroy": _destroy,
        "docker_exec": _ask,
    }

    def _change(self, params: Params, **fields: Any) -> Result:
        uuid = str(params["uuid"])
        self._write(self._root / uuid, {**(self._read(uuid) or {}), **fields})
        return self._told(uuid)

    def _told(self, uuid: str) -> Result:
        record = self._read(uuid) or {}
        running = record.get("state") == "running"
        fields = {
            "uuid": uuid,
            "state": record.get("state"),
            "zone_state": "running" if running else "installed",
            "boot_timestamp": record.get("boot_timestamp"),
            "zonepath": f"/zones/{uuid}",
            "zpool": "zones",
            "zfs_filesystem": f"zones/{uuid}",
        }
        return {"vm": {name: value for name, value in fields.items() if value is not None}}

    # what containers mount

    def source(self, vm: Record, item: Record) -> Path:
        """The folder of one of a container's volumes. Raises TaskError InitFailed."""
        address, _, export = str(item.get("nfsvolume", "")).partition(":")
        uuid = self._at(address)
        record = None if uuid is None else self._read(uuid)
        if uuid is None or record is None or export != EXPORT or not _reaches(vm, record, address):
            raise TaskError("InitFailed", f"volume {item.get('name')} is not there any more")
        return self.data(uuid)

    def data(self, uuid: str) -> Path:
        return self._root / uuid / "data"

    def discard_own(self, node: Node) -> None:
        """Delete every storage VM of this node, with its data."""
        for uuid, record in self._records():
            if record["server_uuid"] == self._server:
                node.discard(self._root / uuid, self._trash)

    def _at(self, address: str) -> str | None:
        """The storage VM of an address; the others are looked through when it is not where it was."""
        known = self._by_address.get(address)
        if known is None or address not in _addresses(self._read(known) or {}):
            self._by_address = {ip: uuid for uuid, record in self._records() for ip in _addresses(record)}
        return self._by_address.get(address)

    def _records(self) -> Iterator[tuple[str, Record]]:
        names = os.listdir(self._root) if self._root.exists() else []  # noqa: PTH208 - names are all that is wanted
        for name in names:
            record = self._read(name)
            if record is not None:
                yield name, record

    def _read(self, uuid: str) -> Record | None:
        try:
            found: Record = msgspec.json.decode((self._root / uuid / "vm.json").read_bytes())
        except (OSError, msgspec.DecodeError):
            return None
        return None if "/" in uuid or uuid.endswith(".new") else found

    @staticmethod
    def _write(folder: Path, record: Record) -> None:
        """Write a record so that it is always whole."""
        fresh = folder / "vm.json.new"
        fresh.write_bytes(msgspec.json.encode(record))
        fresh.replace(folder / "vm.json")


def asked(vm: Record) -> list[Record]:
    """The volumes that a VM was told to mount: ``{name, mountpoint, nfsvolume, mode}``."""
    text = (vm.get("internal_metadata") or {}).get(VOLUMES)
    found: list[Record] = msgspec.json.decode(text) if isinstance(text, str) else text or []
    return found


def is_readonly(item: Record) -> bool:
    return item.get("mode") == "ro" or item.get("readonly") is True


def _reaches(vm: Record, storage: Record, address: str) -> bool:
    """Whether a container may mount from a storage VM: same account, and on the network of the address."""
    networks = {nic.get("network_uuid") for nic in storage.get("nics") or [] if nic.get("ip") == address}
    mine = {nic.get("network_uuid") for nic in vm.get("nics") or []}
    return storage.get("owner_uuid") == vm.get("owner_uuid") and bool(networks & mine)


def _addresses(record: Record) -> list[str]:
    return [str(nic["ip"]) for nic in record.get("nics") or [] if nic.get("ip")]

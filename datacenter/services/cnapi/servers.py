"""Compute nodes: what they said about themselves, whether they are alive, what is left on them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.restify import not_found
from datacenter.services.cnapi.agent import Agent

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Doc = dict[str, Any]

SILENCE = 15.0
"""Seconds without a heartbeat after which a server's status is ``unknown``."""
RESERVATION = 0.15
"""Share of a server's memory that is never given to VMs."""
MIB = 1024 * 1024
GIB_IN_MIB = 1024
EXTRAS = ("agents", "vms", "memory", "disk", "sysinfo", "capacity")


class Servers:
    """The server records, and the agents behind them."""

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self._docs = dc.store.bucket("servers")
        self._agents: dict[str, Agent] = {}
        born = time.monotonic()
        self._heard = {server["uuid"]: born for server in self._docs.all()}
        self._heartbeats: dict[str, str] = {}
        self._memory: dict[str, Doc] = {}

    def get(self, uuid: str) -> Doc:
        """The stored record. Raises RestError ResourceNotFound."""
        server = self._docs.get(uuid)
        if server is None:
            raise not_found(f"Server {uuid} not found")
        return server

    def all(self) -> list[Doc]:
        return self._docs.all()

    def update(self, uuid: str, changes: Doc) -> None:
        self.get(uuid)
        self._docs.update(uuid, **changes)

    def delete(self, uuid: str) -> None:
        """Forget a server. It comes back, as a new one, when its agent posts its sysinfo again."""
        self.get(uuid)
        self._docs.delete(uuid)
        self._agents.pop(uuid, None)

    def register(self, uuid: str, sysinfo: Doc) -> None:
        """Take in a server's sysinfo, as its agent posts it when it starts."""
        known = self._docs.get(uuid) or self._fresh(uuid)
        live_image = sysinfo.get("Live Image", "")
        changes = {
            "sysinfo": sysinfo,
            "hostname": sysinfo.get("Hostname", uuid),
            "datacenter": sysinfo.get("Datacenter Name", self._dc.settings.name),
            "current_platform": live_image,
            "boot_platform": known["boot_platform"] or live_image,
            "system_type": sysinfo.get("System Type", ""),
            "ram": int(sysinfo.get("MiB of Memory", 0)),
            "setup": str(sysinfo.get("Setup", "true")) == "true",
            "last_boot": _boot_time(sysinfo) or known["last_boot"],
            "agents": sysinfo.get("SDC Agents", []),
        }
        self._docs.put(uuid, {**known, **changes})
        self._agents.pop(uuid, None)
        self._heard[uuid] = time.monotonic()

    def heard(self, uuid: str) -> None:
        """Note a heartbeat; kept in memory, for it is stale in seconds anyhow.

        Raises RestError ResourceNotFound for a server nobody knows, which then introduces itself.
        """
        self.get(uuid)
        self._heard[uuid] = time.monotonic()
        self._heartbeats[uuid] = iso()

    def report(self, uuid: str, status: Doc) -> None:
        """Note an agent's status report: its view of memory and of its VMs."""
        self.heard(uuid)
        memory = status.get("meminfo") or status.get("memory_info")
        if isinstance(memory, dict):
            self._memory[uuid] = memory

    def is_running(self, uuid: str) -> bool:
        return time.monotonic() - self._heard.get(uuid, -SILENCE) <= SILENCE

    def agent(self, uuid: str) -> Agent:
        """The agent of a server. Raises RestError ResourceNotFound."""
        agent = self._agents.get(uuid)
        if agent is None:
            sysinfo = self.get(uuid)["sysinfo"]
            host = str(sysinfo.get("CN Agent IP") or sysinfo.get("Admin IP") or "127.0.0.1")
            agent = self._agents[uuid] = Agent(uuid, host, int(sysinfo.get("CN Agent Port", 5309)))
        return agent

    def vms(self, uuid: str) -> list[Doc]:
        """VMs that take room on a server: all that are neither destroyed nor failed."""
        return self._dc.vmapi.on_server(uuid)

    def capacity(self, server: Doc) -> Doc:
        """What is unreserved: cpu in percent of a core, ram and disk in MiB. May be below zero."""
        ratios = {**self._ratios(), **server["overprovision_ratios"]}
        sysinfo = server["sysinfo"]
        cpu = int(sysinfo.get("CPU Total Cores", 1)) * 100 * ratios["cpu"]
        ram = server["ram"] * (1 - server["reservation_ratio"]) * ratios["ram"]
        disk = _disk_mib(sysinfo) * ratios["disk"]
        used = self._dc.vmapi.promised(server["uuid"])
        return {"cpu": int(cpu - used.cpu), "ram": int(ram - used.ram), "disk": int(disk - used.disk)}

    def view(self, server: Doc, extras: Iterable[str] = EXTRAS) -> Doc:
        """A server as CNAPI shows it, with the extras asked for."""
        wanted = set(EXTRAS) if "all" in extras else set(extras)
        uuid = server["uuid"]
        view = {key: value for key, value in server.items() if key not in {"agents", "sysinfo"}}
        view["status"] = "running" if self.is_running(uuid) else server["transitional_status"] or "unknown"
        view["last_heartbeat"] = self._heartbeats.get(uuid)
        view |= {key: server[key] for key in ("agents", "sysinfo") if key in wanted}
        if "vms" in wanted:
            view["vms"] = {vm["uuid"]: _mini(vm) for vm in self.vms(uuid)}
        if "memory" in wanted:
            view |= self._memory_view(server)
        if "disk" in wanted:
            view |= self._disk_view(server)
        if "capacity" in wanted:
            capacity = self.capacity(server)
            view |= {f"unreserved_{key}": capacity[key] for key in ("cpu", "ram", "disk")}
        return view

    def _memory_view(self, server: Doc) -> Doc:
        total = server["ram"] * MIB
        used = self._dc.vmapi.promised(server["uuid"]).ram * MIB
        return {
            "memory_total_bytes": total,
            "memory_available_bytes": int(self._memory.get(server["uuid"], {}).get("availrmem_bytes", total)),
            "memory_arc_bytes": 0,
            "memory_provisionable_bytes": int(total * (1 - server["reservation_ratio"])) - used,
        }

    def _disk_view(self, server: Doc) -> Doc:
        return {
            "disk_pool_size_bytes": _disk_mib(server["sysinfo"]) * MIB,
            "disk_pool_alloc_bytes": 0,
            "disk_installed_images_used_bytes": 0,
            "disk_zone_quota_bytes": self._dc.vmapi.promised(server["uuid"]).disk * MIB,
        }

    def _ratios(self) -> Doc:
        """How many times over a server may be promised where nobody has said otherwise."""
        settings = self._dc.settings
        return {
            "cpu": settings.overprovision_cpu,
            "ram": settings.overprovision_ram,
            "disk": settings.overprovision_disk,
        }

    def _fresh(self, uuid: str) -> Doc:
        settings = self._dc.settings
        return {
            "comments": "",
            "datacenter": settings.name,
            "rack_identifier": "",
            "reservation_ratio": RESERVATION,
            "reserved": False,
            "reservoir": False,
            "transitional_status": "",
            "traits": {},
            "uuid": uuid,
            "overprovision_ratios": self._ratios(),
            "boot_params": {},
            "boot_platform": "",
            "default_console": "serial",
            "kernel_flags": {},
            "serial": "ttyb",
            "created": iso(),
            "last_boot": iso(),
            "headnode": False,
            "setting_up": False,
        }


def _disk_mib(sysinfo: Doc) -> int:
    return int(float(sysinfo.get("Zpool Size in GiB", 0)) * GIB_IN_MIB)


def _boot_time(sysinfo: Doc) -> str | None:
    """When the server booted, which its sysinfo tells in epoch seconds."""
    text = str(sysinfo.get("Boot Time", ""))
    return iso(int(text)) if text.isdecimal() else None


def _mini(vm: Doc) -> Doc:
    """The few fields of a VM that a server record carries."""
    fields = ("uuid", "owner_uuid", "max_physical_memory", "quota", "cpu_cap", "state", "zone_state", "last_modified")
    return {**{field: vm.get(field) for field in fields}, "brand": vm.get("brand")}

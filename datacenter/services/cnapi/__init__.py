"""CNAPI: the compute nodes. What they are, what is free on them, who may work on which VM, and their agents."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from datacenter.restify import RestError, service
from datacenter.services.cnapi.allocation import Request, choose, lacks_tags
from datacenter.services.cnapi.boot_routes import BootRoutes
from datacenter.services.cnapi.operator_routes import OperatorRoutes
from datacenter.services.cnapi.routes import ServerRoutes
from datacenter.services.cnapi.servers import Servers
from datacenter.services.cnapi.tasks import Tasks
from datacenter.services.cnapi.tickets import Tickets
from datacenter.services.cnapi.vm_routes import VmRoutes
from datacenter.services.cnapi.waitlist_routes import WaitlistRoutes

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Doc = dict[str, Any]

TASK_LIMIT = 3600.0
"""Seconds that a node has for a task of CNAPI's own VM endpoints."""


class Cnapi:
    """The service and its in-process door for the others."""

    def __init__(self, dc: DataCenter) -> None:
        self._dc = dc
        self.servers = Servers(dc)
        self.tickets = Tickets(dc.store)
        self.tasks = Tasks(dc.store, self._run)
        self.boot_defaults = dc.store.bucket("boot_defaults")
        self._present: dict[str, set[str]] = defaultdict(set)
        self.app = service("cnapi", "cnapi/1.26.6")
        for routes in (
            ServerRoutes(self),
            BootRoutes(self),
            OperatorRoutes(self),
            VmRoutes(self),
            WaitlistRoutes(self),
        ):
            self.app.register_blueprint(routes.blueprint())

    def _run(self, server_uuid: str, name: str, params: Doc, req_id: str) -> Doc:
        return self.task(server_uuid, name, params, timeout=TASK_LIMIT, req_id=req_id)

    def allocate(self, vm: Doc, package: Doc | None, image: Doc, nic_tags: list[list[str]]) -> Doc:
        """Choose the server for a VM that is about to be made. Raises RestError 409 when there is none.

        Nothing is reserved: the caller stores the VM before it waits for anything, and the stored VM counts.
        """
        return self.weigh(vm, package, image, nic_tags)[0]

    def weigh(self, vm: Doc, package: Doc | None, image: Doc, nic_tags: list[list[str]]) -> tuple[Doc, list[Doc]]:
        """As ``allocate``, and say what filtered which server out. ``quota`` is GiB on a VM, MiB on a package."""
        size = package or {}
        ram = vm.get("max_physical_memory") or vm.get("ram") or size.get("max_physical_memory") or 0
        quota = vm.get("quota") or 0
        disk = int(quota) * 1024 if quota else int(size.get("quota") or 0)
        ram = max(int(ram), int((image.get("requirements") or {}).get("min_ram") or 0))
        cpu = int(vm.get("cpu_cap") or size.get("cpu_cap") or 0)
        traits = {**(image.get("traits") or {}), **(size.get("traits") or {})}
        neighbours = partial(self._dc.vmapi.active_of, str(vm.get("owner_uuid", "")))
        return choose(self.servers, Request(vm, neighbours, nic_tags, ram, disk, cpu, traits))

    def node_started(self, server_uuid: str) -> None:
        """An agent has come (back) up: let VMAPI and FWAPI do what they could not do without it."""
        self._present.pop(server_uuid, None)  # it may be another node than before
        self._dc.vmapi.node_started(server_uuid)
        self._dc.fwapi.spread.node_started(server_uuid)

    def node_heard(self, server_uuid: str) -> None:
        """A heartbeat has come."""
        self._dc.fwapi.spread.node_heard(server_uuid)

    def ensure_image(self, server_uuid: str, image_uuid: str, *, req_id: str = "") -> None:
        """Have an image on a compute node, which is not asked again for one it has said to have. Raises TaskError.

        Nothing relies on it: nodes remove no image, and fetch what they lack when they make a VM.
        """
        present = self._present[server_uuid]
        if image_uuid not in present:
            self.task(
                server_uuid, "image_ensure_present", {"image_uuid": image_uuid}, timeout=TASK_LIMIT, req_id=req_id
            )
            present.add(image_uuid)

    def check_nic_tags(self, server_uuid: str, tags: list[list[str]]) -> None:
        """Raise RestError when a server carries none of the nic tags that one of the networks may have."""
        lacking = lacks_tags(self.servers.get(server_uuid), tags)
        if lacking:
            raise RestError(409, "Conflict", f"Server {lacking}")

    def task(
        self,
        server_uuid: str,
        name: str,
        params: Doc,
        *,
        timeout: float = 60.0,
        req_id: str = "",
    ) -> Doc:
        """Run a task on a compute node and return its result. Raises TaskError; RestError for an unknown server."""
        return self.servers.agent(server_uuid).task(name, params, timeout=timeout, request_id=req_id)

"""A data center for contract tests: the real services over a store in memory, and a compute node that keeps books."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import gevent
import msgspec
import pytest

from datacenter.center import DataCenter
from datacenter.clock import iso
from datacenter.services.cnapi import Cnapi
from datacenter.services.mahi import Mahi
from datacenter.services.napi import Napi
from datacenter.services.papi import Papi
from datacenter.services.serving import Server
from datacenter.services.vmapi import Vmapi
from datacenter.services.volapi import Volapi, storage
from datacenter.services.wfapi import Wfapi
from datacenter.settings import DcSettings
from datacenter.store import Store
from tests.contract.openapi import Witness

IMAGE = "46b5e841-c6fc-83e1-3d55-359d639bbb46"
ADMIN_NIC = {"net0": {"NIC Names": ["admin", "external"], "ip4addr": "127.0.0.1", "Link Status": "up"}}


class BookNode:
    """A compute node's agent that keeps books and starts nothing. ``failures`` maps a task to its next errors."""

    def __init__(self, server_uuid: str | None = None) -> None:
        self.uuid = server_uuid or str(uuid.uuid4())
        self.zones: dict[str, dict[str, Any]] = {}
        self.tasks: list[tuple[str, dict[str, Any]]] = []
        self.failures: dict[str, list[tuple[str, str]]] = {}
        self.delays: dict[str, float] = {}
        self.server = Server(0, self.answer)
        self.server.start()

    @property
    def port(self) -> int:
        return int(self.server.server_port)

    def sysinfo(self, memory: int = 8192, disk_gib: int = 95) -> dict[str, Any]:
        return {
            "UUID": self.uuid,
            "Hostname": f"node-{self.uuid[:4]}",
            "Live Image": "20230101T000000Z",
            "System Type": "SunOS",
            "Setup": "true",
            "Datacenter Name": "emb",
            "MiB of Memory": str(memory),
            "CPU Total Cores": 4,
            "Zpool": "zones",
            "Zpool Size in GiB": disk_gib,
            "Network Interfaces": ADMIN_NIC,
            "Virtual Network Interfaces": {},
            "Admin IP": "127.0.0.1",
            "CN Agent Port": self.port,
            "SDC Agents": [{"name": "cn-agent", "version": "2.15.0"}],
        }

    def answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked = msgspec.json.decode(environ["wsgi.input"].read())
        task, params = asked["task"], asked["params"]
        self.tasks.append((task, params))
        gevent.sleep(self.delays.get(task, 0))
        if self.failures.get(task):
            code, message = self.failures[task].pop(0)
            body: dict[str, Any] = {"error": message, "details": {"restCode": code}}
            start_response("500 Internal Server Error", [("Content-Type", "application/json")])
        else:
            body = self.run(task, params)
            start_response("200 OK", [("Content-Type", "application/json")])
        return [msgspec.json.encode(body)]

    def run(self, task: str, params: dict[str, Any]) -> dict[str, Any]:
        vm = self.zones.setdefault(params.get("uuid", ""), {})
        if task == "machine_create":
            vm.update(state="stopped", zone_state="installed")
        elif task in {"machine_boot", "machine_reboot"}:
            vm.update(state="running", zone_state="running", pid=4711, boot_timestamp=iso())
        elif task in {"machine_shutdown", "machine_kill"}:
            vm.update(state="stopped", zone_state="installed", exit_status=0, exit_timestamp=iso(), pid=None)
        elif task == "machine_create_snapshot":
            vm["snapshots"] = [*vm.get("snapshots", ()), {"name": params["snapshot_name"], "created_at": iso()}]
        elif task == "machine_delete_snapshot":
            vm["snapshots"] = [kept for kept in vm["snapshots"] if kept["name"] != params["snapshot_name"]]
        elif task == "machine_rollback_snapshot":
            vm.update(state="stopped", zone_state="installed", pid=None)
        elif task == "machine_reprovision":
            vm.update(state="stopped", zone_state="installed", pid=None, image_uuid=params["image_uuid"], snapshots=[])
        elif task == "machine_destroy":
            self.zones.pop(params["uuid"], None)
            return {}
        elif task == "machine_proc":
            return {"result": [{"psinfo": {"pr_pid": 1, "pr_fname": "sh"}}]}
        elif task == "server_sysinfo":
            return {"sysinfo": self.sysinfo()}
        elif task == "docker_exec":
            return {"host": "127.0.0.1", "port": 45321}
        return {"vm": {key: value for key, value in vm.items() if value is not None}}

    def did(self, task: str) -> list[dict[str, Any]]:
        return [params for name, params in self.tasks if name == task]


class Images:
    """IMGAPI as far as VMAPI asks it."""

    def __init__(self) -> None:
        self.manifests = {
            IMAGE: {"uuid": IMAGE, "state": "active", "type": "docker", "os": "linux", "requirements": {}}
        }

    def get(self, image_uuid: str) -> dict[str, Any] | None:
        return self.manifests.get(image_uuid)


class Rules:
    """FWAPI as far as VMAPI and CNAPI tell it something."""

    def __init__(self) -> None:
        self.destroyed: list[str] = []
        deaf = lambda *_: None  # noqa: E731
        self.spread = SimpleNamespace(node_started=deaf, node_heard=deaf, vm_changed=deaf, settle=deaf)

    def vm_destroyed(self, vm_uuid: str) -> None:
        self.destroyed.append(vm_uuid)

    def rules_for_vm(self, vm: dict[str, Any]) -> list[dict[str, Any]]:
        return []


class World(SimpleNamespace):
    """The data center with one node (``node``), and what a test asks of it."""

    def add_node(self, **sysinfo: Any) -> BookNode:
        node = BookNode()
        self.nodes.append(node)
        path = f"/servers/{node.uuid}/sysinfo"
        assert self.cnapi.app.test_client().post(path, json={"sysinfo": node.sysinfo(**sysinfo)}).status_code == 200
        return node

    @property
    def node(self) -> BookNode:
        return self.nodes[0]

    @property
    def http(self) -> Any:
        return self.vmapi.app.test_client()

    def payload(self, alias: str | None = None, **fields: Any) -> dict[str, Any]:
        """A container as Docker gateways ask for one."""
        vm_uuid = fields.get("uuid") or str(uuid.uuid4())
        made = {
            "uuid": vm_uuid,
            "owner_uuid": self.owner,
            "alias": alias or f"web-{vm_uuid[:8]}",
            "brand": "lx",
            "docker": True,
            "autoboot": False,
            "kernel_version": "3.13.0",
            "image_uuid": IMAGE,
            "billing_id": self.package["uuid"],
            "networks": [{"uuid": self.network["uuid"], "primary": True}],
            "firewall_enabled": True,
            "tmpfs": 0,
            "filesystems": [],
            "tags": {"sdc_docker": True},
            "internal_metadata": {"docker:id": vm_uuid.replace("-", "") + "5" * 32, "docker:cmd": '["sh"]'},
        }
        made.update(fields)
        return made

    def create(self, alias: str | None = None, **fields: Any) -> dict[str, Any]:
        """Provision a VM and return its record."""
        answer = self.http.post("/vms", json=self.payload(alias, **fields))
        assert answer.status_code == 202, answer.json
        self.wfapi.engine.wait(answer.json["job_uuid"], 10)
        vm = self.vmapi.vm(answer.json["vm_uuid"])
        assert vm is not None
        return vm

    def with_volumes(self) -> World:
        """Have what volumes are made of: the image of their VMs, and a fabric network of the owner."""
        kept = {"uuid": storage.IMAGE, "state": "active", "type": "zone-dataset", "os": "smartos", "requirements": {}}
        self.imgapi.manifests[storage.IMAGE] = kept
        self.fabric = self.napi.ensure_default_fabric(self.owner)
        return self

    def act(self, vm: dict[str, Any], action: str, **params: Any) -> dict[str, Any]:
        """Run an action to its end and return its job."""
        answer = self.http.post(f"/vms/{vm['uuid']}?action={action}", json=params)
        assert answer.status_code == 202, answer.json
        return self.job(answer.json["job_uuid"])

    def job(self, job_uuid: str) -> dict[str, Any]:
        """A job's record once it has ended, however."""
        live = self.wfapi.engine._running.get(job_uuid)
        if live is not None:
            assert live.ended.wait(10)
        found = self.wfapi.engine.get(job_uuid)
        assert found is not None
        return found


def make_world(store: Store, settings: DcSettings) -> World:
    world = World(settings=settings, store=store, nodes=[])
    world.mahi = Mahi(world)
    world.papi = Papi(world)
    world.napi = Napi(world)
    world.fwapi = Rules()
    world.imgapi = Images()
    world.cnapi = Cnapi(world)
    world.wfapi = Wfapi(world)
    world.vmapi = Vmapi(world)
    world.volapi = Volapi(world)
    world.owner = world.mahi.admin_uuid
    world.package = world.papi.search({"name": "sample-1G"})[0]
    world.network = world.napi.networks(name="external")[0]
    return world


@contextmanager
def witnessed(dc: Any) -> Iterator[None]:
    """Hold all that is asked and answered in the block against the services' published documents."""
    witness = Witness()
    for name in ("vmapi", "imgapi", "napi", "papi", "mahi", "cloudapi"):
        if hasattr(getattr(dc, name, None), "app"):
            witness.watch(name, getattr(dc, name).app)
    yield
    assert not witness.problems, "\n".join(sorted(witness.problems))


@pytest.fixture
def empty_world(tmp_path):
    """A data center without compute nodes; overprovisioning off, so that capacities are what they say."""
    settings = DcSettings(state=tmp_path, overprovision_cpu=4.0, overprovision_ram=1.0, overprovision_disk=1.0)
    world = make_world(Store(":memory:"), settings)
    with witnessed(world):
        yield world
    for node in world.nodes:
        node.server.stop(timeout=0)
    world.store.close()


@pytest.fixture
def world(empty_world):
    empty_world.add_node()
    return empty_world


@pytest.fixture
def dc(tmp_path):
    """A whole data center without compute nodes, as a fresh instance has it."""
    dc = DataCenter(DcSettings(state=tmp_path, docker_url="tcp://127.0.0.1:2376"), Store(":memory:"))
    with witnessed(dc):
        yield dc
    dc.store.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])

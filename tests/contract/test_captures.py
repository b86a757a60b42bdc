"""Every embedded service beside captures of the real one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from datacenter.services.imgapi import Imgapi
from datacenter.services.wfapi import Wfapi
from datacenter.settings import DcSettings
from datacenter.store import Store
from tests.contract.conftest import BookNode
from tests.contract.replay import Replay

ADMIN = "930896af-bf8c-48d4-885c-6573a94b1853"
SERVER = "44454c4c-5300-1057-804e-b5c04f445a31"
VM = "eaf3405d-97a6-4bd6-9d96-92b0253a3220"
LAYERS = ("46b5e841-c6fc-83e1-3d55-359d639bbb46", "b4a96f09-026d-7abb-7aa3-bc2cfa5c5826")


class MuteNode(BookNode):
    """A node that does as told, but leaves the telling to the puts that were captured."""

    def run(self, task: str, params: dict[str, Any]) -> dict[str, Any]:
        super().run(task, params)
        return {}


def strip(store: Store) -> None:
    """Forget the networks and packages that an instance is born with."""
    for bucket in map(store.bucket, ("networks", "packages")):
        for document in bucket.all():
            bucket.delete(document["uuid"])


@pytest.fixture
def bare(dc):
    strip(dc.store)
    return dc


def test_napi(bare) -> None:
    assert Replay("napi", bare.napi.app.test_client(), admin=bare.mahi.admin_uuid).run() == 30


def test_papi(bare) -> None:
    assert Replay("papi", bare.papi.app.test_client(), admin=bare.mahi.admin_uuid).run() == 12


def test_imgapi(tmp_path) -> None:
    """All but the streams of pulls, which need a registry: see imgapi/test_pull.py.

    Two of them are held to there byte by byte, the third line by line: its layers' bytes were not captured.
    """
    store, accounts = Store(":memory:"), {ADMIN: {"login": "admin"}}
    mahi = SimpleNamespace(admin_uuid=ADMIN, account=accounts.get)
    imgapi = Imgapi(SimpleNamespace(settings=DcSettings(state=tmp_path), store=store, mahi=mahi))
    assert Replay("imgapi", imgapi.app.test_client(), admin=ADMIN).run() == 13
    store.close()


def test_fwapi(dc) -> None:
    tags = {"sdc_docker": True, "docker:label:a": "b", "docker:label:x": "y"}
    dc.store.bucket("vms").put(
        VM, {"uuid": VM, "owner_uuid": dc.mahi.admin_uuid, "state": "provisioning", "tags": tags}
    )
    assert Replay("fwapi", dc.fwapi.app.test_client(), admin=dc.mahi.admin_uuid).run() == 16


def test_vmapi(empty_world) -> None:
    """All captured answers but one.

    ``GET /vms/:uuid/proc`` was asked while a stand-in without that route answered for CNAPI, and VMAPI passed its 404
    on: it is that of the stand-in. That what CNAPI says is passed on is tested in vmapi/test_puts.py.
    """
    world = empty_world
    node = MuteNode(SERVER)
    world.nodes.append(node)
    world.cnapi.app.test_client().post(f"/servers/{SERVER}/sysinfo", json={"sysinfo": node.sysinfo()})
    strip(world.store)
    Replay("napi", world.napi.app.test_client(), admin=world.owner).set_scene()
    Replay("papi", world.papi.app.test_client(), admin=world.owner).run()
    image = next(iter(world.imgapi.manifests.values()))
    world.imgapi.manifests = {layer: {**image, "uuid": layer} for layer in LAYERS}
    assert Replay("vmapi", world.http, admin=world.owner).run() == 37


def test_volapi(bare) -> None:
    """As it was found: without packages, and before the image of its storage VMs was imported."""
    assert Replay("volapi", bare.volapi.app.test_client()).run() == 11


def test_wfapi() -> None:
    """A workflow service without jobs of its own, as clients find it that bring theirs."""
    store = Store(":memory:")
    assert Replay("wfapi", Wfapi(SimpleNamespace(store=store)).app.test_client()).run() == 52
    store.close()


def test_wfapi_jobs(world) -> None:
    """The jobs that VMAPI was seen to queue, asked of our workflows of the same names."""
    names = ("provision", "start", "stop", "reboot", "kill", "update", "destroy")
    known = {name: world.wfapi.engine.workflow(name).uuid for name in names}
    http = world.wfapi.app.test_client()
    assert Replay("wfapi_jobs", http, admin=world.owner, **known).run() == 8
    for job in http.get("/jobs").json:
        assert world.job(job["uuid"])["execution"] in {"failed", "succeeded"}


def test_cnapi(empty_world) -> None:
    """All captured answers but two.

    A ticket without an id crashed the captured process, and its storage, a stand-in, knew no capacity of a server.
    """
    assert Replay("cnapi", empty_world.cnapi.app.test_client()).run() == 23


def test_cnapi_understands_what_real_clients_ask(empty_world) -> None:
    """sdc-docker and VMAPI with its workflows asked; what they do with the answers are ids of tasks and tickets."""
    node = BookNode(SERVER)
    empty_world.nodes.append(node)
    http = empty_world.cnapi.app.test_client()
    http.post(f"/servers/{SERVER}/sysinfo", json={"sysinfo": node.sysinfo()})
    assert Replay("cnapi_clients", http, admin=empty_world.owner).run() == 41

"""A gateway before a whole data center in one process: what tests of the north side drive."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from datacenter.center import DataCenter
from datacenter.services.cnapi import servers
from datacenter.services.volapi import storage
from datacenter.settings import DcSettings
from datacenter.store import Store
from datacenter.workflow.failure import TaskError
from gateway.app import create_app
from gateway.call import Account
from gateway.settings import Settings, TlsSettings, TritonSettings
from gateway.state.image_records import ImageRecord
from middleware.base import Middleware
from sdc import DataCenterClients
from tests.contract.conftest import IMAGE, BookNode, witnessed
from tests.contract.test_middleware import InProcess
from translators import jobs
from translators.containers import vmfeed


class Somebody(Middleware):
    """Stands in for authentication: every call is one account's."""

    name = "somebody"
    account = ""
    limits = ()

    def before(self, call):
        call.account = Account(uuid=self.account, login="jill", approved=True, limits=self.limits)


class EndsJobs(InProcess):
    """VMAPI whose jobs have ended before it answers: nothing else runs while a test waits for them."""

    def __init__(self, dc):
        super().__init__(dc.vmapi.app)
        self.engine = dc.wfapi.engine

    def send(self, request, **more):
        response = super().send(request, **more)
        if response.status_code == 202:
            with suppress(TaskError):
                self.engine.wait(response.json()["job_uuid"], 10)
        return response


class EndsVolumes(InProcess):
    """VOLAPI that has made, or taken away, what it is asked to before it answers."""

    def __init__(self, dc):
        super().__init__(dc.volapi.app)
        self.engine = dc.wfapi.engine

    def send(self, request, **more):
        response = super().send(request, **more)
        for job_uuid in list(self.engine._running):
            with suppress(TaskError):
                self.engine.wait(job_uuid, 10)
        return response


class AtOnce:
    """A thread that runs in the one that starts it."""

    def __init__(self, *, target, args, daemon):
        self.start = lambda: target(*args)


class House:
    """The gateway with one running and one stopped container, on one node that advertises ``capabilities``."""

    def __init__(self, dc, folder, capabilities=(), *, trusted=(), **triton) -> None:
        self.dc = dc
        self.node = BookNode()
        sysinfo = self.node.sysinfo(memory=1 << 20, disk_gib=1 << 16)
        sysinfo |= {"Docker Capabilities": sorted(capabilities), "Docker Ulimits": {"nofile": 1 << 20, "core": -1}}
        dc.cnapi.app.test_client().post(f"/servers/{self.node.uuid}/sysinfo", json={"sysinfo": sysinfo})
        Somebody.limits = ()
        self.owner = Somebody.account = dc.mahi.create_account("jill")["uuid"]
        names = "vmapi cnapi imgapi napi papi fwapi volapi mahi".split()
        services = DataCenterClients.connect({name: "http://127.0.0.1:9" for name in names})
        for name in names:
            getattr(services, name).through(InProcess(getattr(dc, name).app))
        services.vmapi.through(EndsJobs(dc))
        services.volapi.through(EndsVolumes(dc))
        self.services = services
        vmfeed.feed_of(services.vmapi).start = lambda: None  # it would knock at a port where nobody listens, for ever
        storage.import_image(dc)
        chain = (f"{__name__}.Somebody", "packages", "quota", "placement")
        self.app = create_app(
            Settings(
                state_dir=str(folder),
                chain=chain,
                triton=TritonSettings(trusted_accounts=trusted, **triton),
                tls=TlsSettings(enabled=False),
            ),
            services=services,
        )
        self.state = self.app.house.state
        self.http = self.app.test_client()
        self.fill()

    def fill(self) -> None:
        """Have the image, both containers and an exec of the running one there, whatever became of them."""
        self.fill_image()
        if self.http.post("/containers/up/start").status_code not in {204, 304}:
            self.http.delete("/containers/up?force=1")
        for name in ("up", "down"):
            if self.http.get(f"/containers/{name}/json").status_code != 200:
                answer = self.http.post(f"/containers/create?name={name}", json={"Image": "busybox", "Cmd": ["sh"]})
                assert answer.status_code == 201, answer.text
        assert self.http.post("/containers/up/start").status_code in {204, 304}
        self.exec_id = self.http.post("/containers/up/exec", json={"Cmd": ["sh"]}).json["Id"]

    def fill_image(self) -> None:
        imgapi = self.dc.imgapi
        if imgapi.get(IMAGE) is None:
            client = self.services.imgapi
            manifest = {"v": 2, "uuid": IMAGE, "owner": self.dc.mahi.admin_uuid, "name": "docker-layer",
                        "version": "1", "type": "docker", "os": "linux", "public": False}  # fmt: skip
            client.admin_import_image(IMAGE, manifest)
            client.add_image_file(IMAGE, b"\0" * 1024, compression="none")
            client.activate_image(IMAGE)
        if self.http.get("/images/busybox/json").status_code != 200:
            self.image()

    def image(self) -> None:
        config = {"config": {"Cmd": ["sh"]}, "rootfs": {"type": "layers", "diff_ids": []}, "history": []}
        digest = "sha256:" + "1" * 64
        record = ImageRecord(
            owner_uuid=self.owner, config_digest=digest, image_uuid=IMAGE, manifest_digest="sha256:" + "2" * 64,
            manifest_str="{}", size=1, created=1.0, config=config,
        )  # fmt: skip
        self.state.images.put(record)
        self.state.images.tag(self.owner, "busybox", "latest", digest)

    def account_limits(self, limits) -> None:
        """Give the account provision limits of its own."""
        Somebody.limits = limits

    def things(self) -> tuple[Any, ...]:
        """What a refused request must not add to."""
        vms = [vm["uuid"] for vm in self.dc.vmapi.vms() if vm["state"] not in {"destroyed", "failed"}]
        rules = self.dc.fwapi.app.test_client().get(f"/rules?owner_uuid={self.owner}").json
        nics = self.dc.napi.app.test_client().get("/nics?limit=1000").json
        return sorted(vms), len(rules), sorted(nic["mac"] for nic in nics if nic["belongs_to_type"] == "zone")


def patched_jobs(patch):
    """Have what waits for jobs run where it is started."""
    patch.setattr(jobs, "threading", SimpleNamespace(Thread=AtOnce, Event=threading.Event))


@contextmanager
def lasting_house(folder, capabilities=()):
    """A house for many tests, in a data center of its own: each leaves it as it found it."""
    with pytest.MonkeyPatch.context() as patch:
        patched_jobs(patch)
        patch.setattr(servers, "SILENCE", 3600.0)  # the node's agent is this process, which may be slow
        dc = DataCenter(DcSettings(state=folder / "dc", docker_url="tcp://127.0.0.1:2376"), Store(":memory:"))
        with witnessed(dc):
            house = House(dc, folder / "gateway", capabilities)
            yield house
            house.node.server.stop(timeout=0)
        dc.store.close()


@pytest.fixture
def make_house(dc, tmp_path, monkeypatch):
    """Makes houses; each test has one data center."""
    patched_jobs(monkeypatch)
    made = []

    def make(capabilities=(), **more):
        made.append(House(dc, tmp_path / f"gateway{len(made)}", capabilities, **more))
        return made[-1]

    yield make
    for house in made:
        house.node.server.stop(timeout=0)


@pytest.fixture
def house(make_house):
    return make_house()

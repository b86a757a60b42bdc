"""A gateway before a whole data center in one process: what tests of the north side drive."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from datacenter.services.volapi import storage
from gateway.app import create_app
from gateway.call import Account
from gateway.settings import Settings, TritonSettings
from gateway.state.image_records import ImageRecord
from middleware.base import Middleware
from sdc import DataCenterClients
from tests.contract.conftest import IMAGE, BookNode
from tests.contract.test_middleware import InProcess
from translators import jobs


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
        storage.import_image(dc)
        chain = (f"{__name__}.Somebody", "packages", "quota", "placement")
        self.app = create_app(
            Settings(state_dir=str(folder), chain=chain, triton=TritonSettings(trusted_accounts=trusted, **triton)),
            services=services,
        )
        self.state = self.app.house.state
        manifest = {"v": 2, "uuid": IMAGE, "owner": dc.mahi.admin_uuid, "name": "docker-layer", "version": "1",
                    "type": "docker", "os": "linux", "public": False}  # fmt: skip
        services.imgapi.admin_import_image(IMAGE, manifest)
        services.imgapi.add_image_file(IMAGE, b"\0" * 1024, compression="none")
        services.imgapi.activate_image(IMAGE)
        self.image()
        self.http = self.app.test_client()
        for name in ("up", "down"):
            answer = self.http.post(f"/containers/create?name={name}", json={"Image": "busybox", "Cmd": ["sh"]})
            assert answer.status_code == 201, answer.text
        assert self.http.post("/containers/up/start").status_code == 204
        self.exec_id = self.http.post("/containers/up/exec", json={"Cmd": ["sh"]}).json["Id"]

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


@pytest.fixture
def make_house(dc, tmp_path, monkeypatch):
    """Makes houses; each test has one data center."""
    monkeypatch.setattr(jobs, "threading", SimpleNamespace(Thread=AtOnce, Event=threading.Event))
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

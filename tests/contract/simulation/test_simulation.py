"""A data center over HTTP with simulated nodes: they pass for nodes, and say what they are."""

from __future__ import annotations

import socket
import sys
import uuid

import gevent
import msgspec
import pytest
from gevent.subprocess import Popen, run

from datacenter.center import DataCenter
from datacenter.services.cnapi import servers
from datacenter.services.serving import Server
from datacenter.settings import SERVICES, DcSettings
from datacenter.store import Store
from tests.contract.conftest import World

IMAGE = "46b5e841-c6fc-83e1-3d55-359d639bbb46"


def free_base() -> int:
    """The first of as many free ports in a row as an instance takes."""
    for base in range(24000, 32000, 60):
        try:
            for number in (1, 2, 3, 4, 50):
                socket.create_server(("127.0.0.1", base + number)).close()
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")


class Simulated:
    """Two simulated nodes beside their data center."""

    def __init__(self, tmp_path) -> None:
        self.settings = DcSettings(state=tmp_path, port_base=free_base(), nodes=0, simulated_nodes=2)
        self.dc = DataCenter(self.settings, Store(":memory:"))
        fields = {"uuid": IMAGE, "owner": self.dc.mahi.admin_uuid, "name": "n", "version": "1", "type": "docker",
                  "os": "linux", "state": "active", "files": [], "tags": {}}  # fmt: skip
        self.dc.imgapi.images.put(IMAGE, fields)
        self.servers = [Server(self.settings.port(name), getattr(self.dc, name).app) for name in SERVICES[:4]]
        for server in self.servers:
            server.start()
        (tmp_path / "datacenter.json").write_bytes(msgspec.json.encode(self.settings, enc_hook=str))
        self.start_nodes()
        self.world = World(vmapi=self.dc.vmapi, wfapi=self.dc.wfapi, owner=self.dc.mahi.admin_uuid, nodes=[])
        self.world.package = self.dc.papi.search({"name": "sample-1G"})[0]
        self.world.network = self.dc.napi.networks(name="external")[0]

    def start_nodes(self) -> None:
        command = [
            sys.executable,
            "-m",
            "datacenter.simulation",
            "--settings",
            str(self.settings.state / "datacenter.json"),
        ]
        self.process = Popen(command)
        self.until(lambda: len(self.dc.cnapi.servers._heartbeats) == 2)

    def kill_nodes(self) -> None:
        """kill -9: nothing of their process is left but what is on disk."""
        self.process.kill()
        self.process.wait()
        self.dc.cnapi.servers._heartbeats.clear()

    def until(self, check) -> None:
        with gevent.Timeout(10):
            while not check():
                gevent.sleep(0.01)

    def close(self) -> None:
        self.kill_nodes()
        for server in self.servers:
            server.stop(timeout=0)
        self.dc.store.close()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    made = Simulated(tmp_path_factory.mktemp("simulated"))
    yield made
    made.close()


def test_they_say_what_they_are(simulated):
    for server in simulated.dc.cnapi.app.test_client().get("/servers?extras=sysinfo").json:
        assert (server["status"], server["sysinfo"]["Simulated"]) == ("running", True)
        assert server["sysinfo"]["Product"] == "simulated compute node"
        assert server["sysinfo"]["Docker Capabilities"] == []
    vm = simulated.world.create()
    assert vm["platform_buildstamp"] == "simulated"


def test_a_job_has_one_start_however_often_it_asks(simulated):
    world = simulated.world
    vm = world.create(internal_metadata={"docker:cmd": '["sleep", "1000"]'})

    def asked(task, job):
        return simulated.dc.cnapi.task(vm["server_uuid"], task, {"uuid": vm["uuid"], "job": job})["vm"]

    begun = asked("machine_boot", "one")
    simulated.dc.cnapi.task(vm["server_uuid"], "machine_kill", {"uuid": vm["uuid"]})
    assert asked("machine_boot", "one")["state"] == "stopped"
    rebooted = asked("machine_reboot", "two")
    assert rebooted["boot_timestamp"] >= begun["boot_timestamp"]
    assert asked("machine_reboot", "two") == rebooted
    assert asked("machine_reboot", "three") != rebooted


def test_a_life(simulated):
    world = simulated.world
    vm = world.create(internal_metadata={"docker:cmd": '["nginx"]'})
    assert (vm["state"], vm["zone_state"]) == ("stopped", "installed")
    world.act(vm, "start", update={"set_internal_metadata": {"docker:linkEnv": "[]"}})
    running = world.vmapi.vm(vm["uuid"])
    assert (running["state"], running["internal_metadata"]["docker:linkEnv"]) == ("running", "[]")
    assert running["pid"] > 1
    assert world.http.get(f"/vms/{vm['uuid']}/proc").json[0]["psinfo"]["pr_psargs"] == "nginx"
    world.act(vm, "kill", signal="SIGUSR1")
    assert world.vmapi.vm(vm["uuid"])["state"] == "running"
    world.act(vm, "stop")
    ended = world.vmapi.vm(vm["uuid"])
    assert (ended["state"], ended["exit_status"]) == ("stopped", 143)
    world.act(vm, "start")
    world.act(vm, "kill")
    assert world.vmapi.vm(vm["uuid"])["exit_status"] == 137
    world.act(vm, "reboot", idempotent=True)
    assert world.vmapi.vm(vm["uuid"])["state"] == "running"
    assert world.http.delete(f"/vms/{vm['uuid']}?sync=true").status_code == 202
    assert world.vmapi.vm(vm["uuid"])["state"] == "destroyed"


def test_programs_end_by_themselves_and_are_told(simulated):
    vm = simulated.world.create(autoboot=True, internal_metadata={"docker:cmd": '["false"]'})
    simulated.until(lambda: simulated.dc.vmapi.vm(vm["uuid"])["state"] == "stopped")
    assert simulated.dc.vmapi.vm(vm["uuid"])["exit_status"] == 1


def test_what_needs_a_process_is_refused_in_words(simulated):
    world = simulated.world
    vm = world.create(autoboot=True)
    path = f"/servers/{vm['server_uuid']}/vms/{vm['uuid']}/docker-exec"
    answer = simulated.dc.cnapi.app.test_client().post(path, json={"command": {"Cmd": ["sh"]}})
    assert (answer.status_code, answer.json["code"]) == (409, "NotSupported")
    assert "simulated" in answer.json["message"]
    assert world.act(vm, "pause")["execution"] == "failed"


def test_a_killed_process_comes_back_whole(simulated):
    world = simulated.world
    runs = world.create(autoboot=True)
    ends = world.create(autoboot=True, internal_metadata={"docker:cmd": '["sleep", "0.2"]'})
    simulated.kill_nodes()
    simulated.start_nodes()
    simulated.until(lambda: simulated.dc.vmapi.vm(ends["uuid"])["state"] == "stopped")
    assert simulated.dc.vmapi.vm(ends["uuid"])["exit_status"] == 0
    assert simulated.dc.vmapi.vm(runs["uuid"]) == runs
    world.act(runs, "stop")
    assert world.vmapi.vm(runs["uuid"])["state"] == "stopped"


def test_vms_of_a_dead_node_are_unknown_until_it_is_back(simulated, monkeypatch):
    """With a shorter silence than the real one, so that the test need not wait for it; heartbeats come every 5 s."""
    world, http = simulated.world, simulated.dc.cnapi.app.test_client()
    vm = world.create(autoboot=True)
    state = lambda: world.http.get(f"/vms/{vm['uuid']}").json["state"]  # noqa: E731
    status = lambda: {server["status"] for server in http.get("/servers").json}  # noqa: E731
    assert (state(), status()) == ("running", {"running"})
    simulated.kill_nodes()
    monkeypatch.setattr(servers, "SILENCE", 0.3)
    simulated.until(lambda: status() == {"unknown"})
    assert state() == "unknown"
    assert world.vmapi.vm(vm["uuid"])["state"] == "running", "the record is as it was: only what is told of it changes"
    refused = world.http.post("/vms", json=world.payload())
    assert (refused.status_code, refused.json["code"]) == (409, "NoAllocatableServersError")
    monkeypatch.undo()
    simulated.start_nodes()
    assert (state(), status()) == ("running", {"running"})
    assert world.act(vm, "stop")["execution"] == "succeeded"


def test_an_image_is_asked_for_once(simulated, monkeypatch):
    other, asked = str(uuid.uuid4()), []
    simulated.dc.imgapi.images.put(other, {**simulated.dc.imgapi.images.get(IMAGE), "uuid": other})
    get = simulated.dc.imgapi.find
    monkeypatch.setattr(simulated.dc.imgapi, "find", lambda uuid: asked.append(uuid) or get(uuid))
    for _ in range(4):
        simulated.world.create(image_uuid=other)
    assert 1 <= len(asked) <= simulated.settings.simulated_nodes


def test_nobody_gets_them_by_accident(tmp_path):
    """The program starts nothing where the settings do not ask for simulated nodes in so many words."""
    file = tmp_path / "datacenter.json"
    file.write_bytes(msgspec.json.encode(DcSettings(state=tmp_path), enc_hook=str))
    done = run([sys.executable, "-m", "datacenter.simulation", "--settings", str(file)], capture_output=True, text=True)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [file])
    assert "COMPUTE_NODES_SIMULATED" in done.stderr

"""The ``datacenter`` command against the services' real ports."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sys

import msgspec
import pytest
from gevent import subprocess as green

from datacenter.center import DataCenter
from datacenter.services.serving import Server
from datacenter.settings import DcSettings
from datacenter.store import Store
from tests.contract.conftest import BookNode

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfK4Yw3fH7Nn3Rrs0mYjz3rNQ6v0jVh6m4J2Yc8WbT laptop"


def free_base() -> int:
    """A base whose ports are all free, below those that connections get."""
    for base in random.sample(range(20000, 32000, 50), 100):
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(base, base + 12):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return base
    raise RuntimeError("no free ports")


@pytest.fixture
def datacenter(tmp_path):
    """Run the command on a data center of its own: exit code, and what it printed."""
    settings = DcSettings(state=tmp_path, port_base=free_base())
    dc = DataCenter(settings, Store(":memory:"))
    servers = [Server(settings.port(name), getattr(dc, name).app) for name in ("mahi", "papi", "napi", "cnapi")]
    for server in servers:
        server.start()
    node = BookNode()
    dc.cnapi.app.test_client().post(f"/servers/{node.uuid}/sysinfo", json={"sysinfo": node.sysinfo()})
    path = tmp_path / "datacenter.json"
    path.write_bytes(msgspec.json.encode(settings, enc_hook=str))

    def run(*args: str, fails: bool = False) -> str:
        argv = [sys.executable, "-m", "datacenter", "--settings", str(path), *args]
        done = green.run(argv, capture_output=True, timeout=60)
        assert bool(done.returncode) == fails, done.stderr.decode()
        return (done.stderr if fails else done.stdout).decode()

    yield run
    for server in [*servers, node.server]:
        server.stop(timeout=0)
    dc.store.close()


def test_accounts_and_keys(datacenter, tmp_path):
    key = tmp_path / "id.pub"
    key.write_text(KEY)
    datacenter("accounts", "jdoe", "--key", str(key), "--not-approved")
    assert "jdoe" in datacenter("accounts")
    (account,) = json.loads(datacenter("--json", "accounts", "jdoe"))
    assert account["approved_for_provisioning"] is False
    assert "laptop" in datacenter("keys", "jdoe")
    assert "laptop" not in datacenter("keys", "jdoe", "--remove", "laptop")
    datacenter("keys", "jdoe", "--add", str(key), "--name", "desk")
    assert "desk" in datacenter("keys", "jdoe")
    assert "nobody does not exist" in datacenter("keys", "nobody", fails=True)


def test_limits(datacenter):
    datacenter("accounts", "jdoe", "--approved")
    assert "4096" in datacenter("limits", "jdoe", "--set", '{"by": "ram", "value": 4096}')
    assert json.loads(datacenter("--json", "limits", "jdoe")) == [{"by": "ram", "value": 4096}]
    assert json.loads(datacenter("--json", "limits", "jdoe", "--clear")) == []


def test_packages_and_networks(datacenter):
    assert "sample-1G" in datacenter("packages", "--name", "sample-*")
    datacenter("packages", "--add", '{"name": "mine", "max_physical_memory": 512}')
    (mine,) = json.loads(datacenter("--json", "packages", "--name", "mine"))
    assert (mine["max_physical_memory"], mine["max_lwps"]) == (512, 1000)
    datacenter("accounts", "jdoe", "--approved")
    assert "My-Fabric-Network" in datacenter("networks", "--account", "jdoe")
    assert "not JSON" in datacenter("networks", "--add", "{", fails=True)
    assert "nic_tag" in datacenter("networks", "--add", '{"name": "n"}', fails=True)


def test_nodes(datacenter):
    (node,) = json.loads(datacenter("--json", "nodes"))
    assert node["status"] == "running"
    (after,) = json.loads(datacenter("--json", "nodes", node["hostname"], "--reserved", "--traits", '{"ssd": true}'))
    assert (after["reserved"], after["traits"]) == (True, {"ssd": True})
    assert "there is no node" in datacenter("nodes", "elsewhere", fails=True)


def test_a_data_center_that_is_down(tmp_path):
    path = tmp_path / "datacenter.json"
    path.write_bytes(msgspec.json.encode(DcSettings(state=tmp_path, port_base=free_base()), enc_hook=str))
    argv = [sys.executable, "-m", "datacenter", "--settings", str(path), "nodes"]
    done = green.run(argv, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"cnapi does not answer" in done.stderr

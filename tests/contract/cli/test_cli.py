"""The ``datacenter`` command against the services' real ports."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import socket
import sys
from pathlib import Path

import msgspec
import pytest
from gevent import subprocess as green

from datacenter.center import DataCenter
from datacenter.cli import main
from datacenter.services.serving import Server
from datacenter.settings import DcSettings
from datacenter.store import Store
from tests.contract.conftest import BookNode

ROOT = Path(__file__).parents[3]
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
        done = green.run(
            argv, capture_output=True, timeout=60, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
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


def test_users_policies_and_roles(datacenter, tmp_path):
    (tmp_path / "id.pub").write_text(KEY)
    datacenter("accounts", "jdoe", "--approved")
    datacenter("accounts", "ops", "--approved")
    datacenter("users", "jdoe", "alice")
    assert "laptop" in datacenter("users", "jdoe", "alice", "--key", "id.pub")
    assert "laptop" in datacenter("users", "jdoe", "robot", "--key", "id.pub")
    assert "CAN getmachine" in datacenter("policies", "jdoe", "look", "--rule", "CAN getmachine")
    assert "CAN listmachines" in datacenter("policies", "jdoe", "look", "--rule", "CAN listmachines")
    assert "expected CAN" in datacenter("policies", "jdoe", "bad", "--rule", "may read", fails=True)
    datacenter("roles", "jdoe", "dev", "--member", "alice", "--default", "robot", "--policy", "look")
    (dev,) = json.loads(datacenter("--json", "roles", "jdoe"))
    assert (dev["members"], dev["default_members"], dev["policies"]) == ("alice,robot", "robot", "look")
    datacenter("roles", "jdoe", "administrator", "--account", "ops")
    assert [role["default_members"] for role in json.loads(datacenter("--json", "roles", "jdoe"))] == ["robot", "ops"]
    assert "nobody" in datacenter("roles", "jdoe", "dev", "--member", "nobody", fails=True)
    datacenter("roles", "jdoe", "dev", "--member", "robot")
    assert "robot" not in datacenter("users", "jdoe", "robot", "--remove")
    assert json.loads(datacenter("--json", "roles", "jdoe"))[0]["members"] == ""
    assert "look" not in datacenter("policies", "jdoe", "look", "--remove")
    assert "dev" not in datacenter("roles", "jdoe", "dev", "--remove")


def test_the_examples_of_the_guide_work_as_they_stand(datacenter, tmp_path):
    (tmp_path / "bob.pub").write_text(KEY)
    guide = (ROOT / "docs/datacenter.md").read_text()
    examples = re.findall(r"^datacenter (.*)$", guide, re.MULTILINE)
    (node,) = json.loads(datacenter("--json", "nodes"))
    tried = set()
    for example in examples:
        args = shlex.split(example.replace("emb-cn0", node["hostname"]), comments=True)
        datacenter(*args)
        tried.add(next(arg for arg in args if not arg.startswith("-")))
    assert tried == main.commands.keys()


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

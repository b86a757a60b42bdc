"""The data center behind real ports, and the published clients of Triton, installed as they are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gevent import subprocess as green

from datacenter.services.serving import Server
from tests.contract.conftest import BookNode
from tests.npm import installed

HERE = Path(__file__).parent
SERVICES = ("vmapi", "cnapi", "napi", "imgapi", "papi", "fwapi", "volapi", "cns", "wfapi", "cloudapi")


@pytest.fixture(scope="session")
def modules() -> Path:
    """The folder of node_modules, filled by npm once and kept for later runs."""
    return installed(HERE / "package.json")


@pytest.fixture
def node(dc):
    node = BookNode()
    dc.cnapi.app.test_client().post(f"/servers/{node.uuid}/sysinfo", json={"sysinfo": node.sysinfo()})
    yield node
    node.server.stop(timeout=0)


@pytest.fixture
def doors(dc, node):
    """The services' URLs by name."""
    servers = {name: Server(0, getattr(dc, name).app, getattr(getattr(dc, name), "upgrade", None)) for name in SERVICES}
    for server in servers.values():
        server.start()
    yield SimpleNamespace(**{name: f"http://127.0.0.1:{server.server_port}" for name, server in servers.items()})
    for server in servers.values():
        server.stop(timeout=0)


class ClientError(Exception):
    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told["message"])
        self.code, self.status = told.get("code"), told.get("status")


class SdcClients:
    """``clients.VMAPI.listVms({...})``: the method of that name of the real client of that name, ``del_`` for ``del``."""

    def __init__(self, doors: SimpleNamespace, modules: Path) -> None:
        self._doors = doors
        environ = {**os.environ, "NODE_PATH": str(modules), "NODE_NO_WARNINGS": "1"}
        self.process = green.Popen(["node", str(HERE / "ask.js")], stdin=green.PIPE, stdout=green.PIPE, env=environ)

    def __getattr__(self, service: str) -> Any:
        return _Service(self, service)

    def ask(self, service: str, method: str, args: tuple[Any, ...]) -> Any:
        options = {
            "url": getattr(self._doors, service.lower()),
            "agent": False,
            "retry": False,
            "version": "*",
            "userAgent": "tests",
        }
        call = {"service": service, "options": options, "method": method, "args": args}
        self.process.stdin.write(json.dumps(call).encode() + b"\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        if told["error"]:
            raise ClientError(told["error"])
        return told["result"]


class _Service:
    def __init__(self, clients: SdcClients, name: str) -> None:
        self._clients, self._name = clients, name

    def __getattr__(self, method: str) -> Any:
        return lambda *args: self._clients.ask(self._name, method.rstrip("_"), args)


@pytest.fixture
def clients(doors, modules):
    clients = SdcClients(doors, modules)
    yield clients
    clients.process.stdin.close()
    clients.process.wait(timeout=10)
    clients.process.stdout.close()

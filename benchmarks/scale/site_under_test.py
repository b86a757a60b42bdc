"""The instance under measurement: its services over kept connections, and the processes that make it up."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.local.bringup import as_told, processes
from gateway.local.instance import Instance

TIMEOUT = 120.0


class Refusal(Exception):
    """A service answered with an error status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:300]}")
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


class Site:
    """One instance. Every thread has a connection of its own to each service, and to the gateway's socket."""

    def __init__(self) -> None:
        self.instance = as_told(Instance.of(os.environ))
        self._local = threading.local()

    def exchange(self, service: str, method: str, path: str, body: Any = None) -> tuple[bytes, dict[str, str]]:
        """Call a service, or ``docker``; return the body as it came and the headers. Raises Refusal."""
        connection = self._connection(service)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise Refusal(answer.status, text.decode(errors="replace"))
        return text, {name.lower(): value for name, value in answer.getheaders()}

    def ask(self, service: str, method: str, path: str, body: Any = None) -> Any:
        text, _ = self.exchange(service, method, path, body)
        return json.loads(text) if text.strip() else None

    def check(self) -> int:
        """The number of nodes. Stops here when any of them is real: this fills a data center with thousands of VMs."""
        servers = self.ask("cnapi", "GET", "/servers?extras=sysinfo")
        if not servers or not all(server["sysinfo"].get("Simulated") for server in servers):
            sys.exit("this needs simulated nodes: COMPUTE_NODES_SIMULATED=20 docker-gateway up")
        return len(servers)

    def memory(self) -> dict[str, int]:
        """Resident MiB of each process."""
        return {name: sum(map(_resident, pids)) for name, pids in self._pids().items()}

    def cpu_seconds(self) -> float:
        """What all processes of the instance have run so far; that depends little on who else uses the machine."""
        return sum(_cpu(pid) for pids in self._pids().values() for pid in pids)

    def _pids(self) -> dict[str, list[str]]:
        """Each process and its workers, by name."""
        found = {}
        for process in processes(self.instance):
            pid = process.pid()
            if pid is not None:
                found[process.name] = [str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return found

    def _connection(self, service: str) -> http.client.HTTPConnection:
        kept: dict[str, http.client.HTTPConnection] = self._local.__dict__
        if service not in kept:
            if service == "docker":
                kept[service] = _UnixConnection(str(self.instance.folder / "docker.sock"))
            else:
                place = self.instance.url(service).removeprefix("http://")
                kept[service] = http.client.HTTPConnection(place, timeout=TIMEOUT)
        return kept[service]


def _resident(pid: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


def _cpu(pid: str) -> float:
    """Seconds that the threads of a process have been on a CPU."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9

"""What several clients do at once: containers created, run to their end and removed, and processes executed, a second.

Each client has one kept TLS connection. See ``streams.py`` for how engines are named.

    . var/env.sh && python benchmarks/parallel.py
    python benchmarks/parallel.py --engine dockerd=tcp://127.0.0.1:2375,/path/to/certs --engine gateway=...
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from typing import Any

from streams import Engine, chosen

ROUNDS = 3


class Clients:
    """Threads with a connection each."""

    def __init__(self, engine: Engine, count: int) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(count)
        self._local = threading.local()

    def call(self, method: str, path: str, body: object = None) -> Any:
        connection: HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._engine.connection()
        data = json.dumps(body) if body is not None else None
        connection.request(method, f"/v1.41{path}", data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{self._engine.name}: {method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text.strip().startswith((b"{", b"[")) else None

    def rate(self, work: Callable[[Any], Any], items: list[Any]) -> tuple[float, list[Any]]:
        """Do it for all items and return how many a second, and what came of each."""
        begun = time.perf_counter()
        results = list(self._pool.map(work, items))
        return len(items) / (time.perf_counter() - begun), results


def one_round(clients: Clients, many: int) -> dict[str, float]:
    """Rates of everything, on ``many`` new containers."""

    def create(command: list[str]) -> str:
        body = {"Image": "busybox", "Cmd": command, "HostConfig": {"NetworkMode": "none"}}
        return str(clients.call("POST", "/containers/create", body)["Id"])

    def run(container: str) -> None:
        clients.call("POST", f"/containers/{container}/start")
        clients.call("POST", f"/containers/{container}/wait")

    def execute(container: str) -> None:
        made = clients.call("POST", f"/containers/{container}/exec", {"Cmd": ["true"], "AttachStdout": True})
        clients.call("POST", f"/exec/{made['Id']}/start", {"Detach": True})

    def remove(container: str) -> None:
        clients.call("DELETE", f"/containers/{container}?force=1")

    rates = {}
    rates["create"], containers = clients.rate(create, [["true"]] * many)
    rates["start, wait"], _ = clients.rate(run, containers)
    rates["remove"], _ = clients.rate(remove, containers)
    sleeper = create(["sleep", "1000"])
    clients.call("POST", f"/containers/{sleeper}/start")
    rates["exec, detached"], _ = clients.rate(execute, [sleeper] * many)
    remove(sleeper)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--containers", type=int, default=40)
    parser.add_argument("--engine", action="append", metavar="NAME=HOST,CERTS")
    arguments = parser.parse_args()
    engines = chosen(arguments)
    found: dict[str, dict[str, list[float]]] = {engine.name: {} for engine in engines}
    for _ in range(ROUNDS):
        for engine in engines:  # by turns, so that what else the machine does falls on all
            for name, rate in one_round(Clients(engine, arguments.clients), arguments.containers).items():
                found[engine.name].setdefault(name, []).append(rate)
    for name in found[engines[0].name]:
        medians = {engine: statistics.median(rates[name]) for engine, rates in found.items()}
        print(f"{name:16}", "  ".join(f"{engine} {median:7.1f}/s" for engine, median in medians.items()))


if __name__ == "__main__":
    main()

"""What streams that are followed at once cost: memory of the engine's processes, and how it answers meanwhile.

``logs -f``, then ``attach``, of a few containers by many clients over TLS: first the containers are silent, then each
prints a line a second, and every line has to reach everybody who follows it. Memory is the proportional set size (PSS)
of every process whose command line holds one of an engine's words, in KiB.

    . var/env.sh && python benchmarks/streams.py          # the instance of this shell
    python benchmarks/streams.py --streams 500 --engine gateway=tcp://127.0.0.1:2376,var/certs,"$PWD/.venv",conmon
    python benchmarks/streams.py --engine dockerd=tcp://127.0.0.1:2375,/path/to/certs,/path/to/its/exec-root
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import selectors
import ssl
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

CONTAINERS = 4
OPENERS = 16
LINE = "0123456789" * 4
PRINTING = f"trap '' HUP; trap 'while sleep 1; do echo {LINE}; done' USR1; echo {LINE}; while :; do sleep 1; done"
"""Silent after one line until it is told USR1."""
SECONDS = 8.0


@cache
def _context(certs: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    context.load_cert_chain(certs / "cert.pem", certs / "key.pem")
    return context


class Engine:
    """A Docker endpoint over TLS, and the words that its processes are known by."""

    def __init__(self, name: str, host: str, certs: Path, words: list[str]) -> None:
        self.name = name
        address, _, port = host.removeprefix("tcp://").rpartition(":")
        self._address = address, int(port)
        self._certs = certs
        self._words = [word.encode() for word in words]

    def connection(self) -> HTTPSConnection:
        connection = HTTPSConnection(*self._address, context=_context(self._certs), timeout=120)
        connection.connect()
        return connection

    def call(self, method: str, path: str, body: object = None) -> Any:
        connection = self.connection()
        data = json.dumps(body) if body is not None else None
        connection.request(method, f"/v1.41{path}", data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 400:
            raise SystemExit(f"{self.name}: {method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text.strip() else None

    def memory(self) -> dict[str, int]:
        """KiB by process, and of all."""
        found: dict[str, int] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                if int(folder.name) == os.getpid() or not any(word in command for word in self._words):
                    continue
                if (folder / "exe").resolve() == Path(sys.executable).resolve() and b"benchmarks/" in command:
                    continue
                lines = (folder / "smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            name = _short(command.decode(errors="replace"))
            found[name] = found.get(name, 0) + next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return found

    @contextmanager
    def printers(self) -> Iterator[list[str]]:
        made = []
        try:
            for _ in range(CONTAINERS):
                body = {"Image": "busybox", "Cmd": ["sh", "-c", PRINTING]}
                made.append(self.call("POST", "/containers/create", body)["Id"])
                self.call("POST", f"/containers/{made[-1]}/start")
            time.sleep(1)
            yield made
        finally:
            for container in made:
                self.call("DELETE", f"/containers/{container}?force=1")

    def follow(self, kind: str, container: str) -> ssl.SSLSocket:
        """Begin a stream and return its connection, which has said that it is one."""
        sock = self.connection().sock
        path = {
            "logs -f": f"GET /v1.41/containers/{container}/logs?follow=1&stdout=1&stderr=1",
            "attach": f"POST /v1.41/containers/{container}/attach?stream=1&stdout=1&stderr=1",
        }[kind]
        upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if kind == "attach" else ""
        sock.sendall(f"{path} HTTP/1.1\r\nHost: docker\r\n{upgrade}Content-Length: 0\r\n\r\n".encode())
        answer = HTTPResponse(sock)
        answer.begin()
        if answer.status not in {101, 200}:
            raise SystemExit(f"{self.name}: {path}: {answer.status}")
        assert isinstance(sock, ssl.SSLSocket)
        return sock


def _short(command: str) -> str:
    for word in ("datacenter.services", "datacenter.node", "gunicorn", "conmon", "containerd-shim", "containerd"):
        if word in command:
            return word
    return "other" if command.startswith("sh ") else Path(command.split(maxsplit=1)[0]).name


def pings(engine: Engine, seconds: float) -> list[float]:
    """Ask ``/_ping`` for some time over one connection, a hundred times a second; milliseconds, sorted."""
    connection = engine.connection()
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.perf_counter()
        connection.request("GET", "/_ping")
        connection.getresponse().read()
        times.append((time.perf_counter() - begun) * 1000)
        time.sleep(0.01)
    return sorted(times)


def pings_meanwhile(engine: Engine, socks: list[ssl.SSLSocket]) -> tuple[list[float], int]:
    """Ping from another process while all that the streams bring is read; also how many lines came."""
    lines = 0
    with multiprocessing.Pool(1) as pool, selectors.DefaultSelector() as selector:
        for sock in socks:
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ)
        waiting = pool.apply_async(pings, (engine, SECONDS))
        while not waiting.ready():
            for key, _ in selector.select(0.1):
                lines += _received(key.fileobj).count(LINE.encode())
        return waiting.get(), lines


def _received(sock: Any) -> bytes:
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except ssl.SSLWantReadError:
        pass
    return data


def measure(engine: Engine, kind: str, streams: int) -> None:
    with engine.printers() as containers:
        before = engine.memory()
        begun = time.perf_counter()
        with ThreadPoolExecutor(OPENERS) as pool:
            socks = list(pool.map(lambda n: engine.follow(kind, containers[n % CONTAINERS]), range(streams)))
        opened = time.perf_counter() - begun
        time.sleep(1)
        silent, _ = pings_meanwhile(engine, socks)
        report(engine, f"{kind}, {streams} silent, opened in {opened:.1f} s", before, streams, silent)
        for container in containers:
            engine.call("POST", f"/containers/{container}/kill?signal=USR1")
        busy, lines = pings_meanwhile(engine, socks)
        report(engine, f"{kind}, {streams} with {lines / SECONDS:.0f} lines/s to all", before, streams, busy)
        for sock in socks:
            sock.close()
    time.sleep(3)
    report(engine, f"{kind}, all closed", before, streams, pings(engine, 1))


def report(engine: Engine, title: str, before: dict[str, int], streams: int, times: list[float]) -> None:
    now = engine.memory()
    grown = {name: (size - before.get(name, 0)) / streams for name, size in now.items()}
    share = ", ".join(f"{name} {size:.1f}" for name, size in sorted(grown.items()) if abs(size) >= 0.1)
    print(
        f"{engine.name:10} {title:48} {sum(now.values()) / 1024:7.1f} MiB, a stream {sum(grown.values()):6.1f} KiB"
        f"   _ping p50 {statistics.median(times):.2f} p99 {times[int(len(times) * 0.99)]:.2f} ms   ({share})",
        flush=True,
    )


def chosen(arguments: argparse.Namespace) -> list[Engine]:
    if not arguments.engine:
        words = [str(Path(sys.executable).parent), "conmon"]
        return [Engine("gateway", os.environ["DOCKER_HOST"], Path(os.environ["DOCKER_CERT_PATH"]), words)]
    engines = []
    for text in arguments.engine:
        name, _, rest = text.partition("=")
        host, certs, *words = rest.split(",")
        engines.append(Engine(name, host, Path(certs), words))
    return engines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--engine", action="append", metavar="NAME=HOST,CERTS,WORD...")
    parser.add_argument("--kind", action="append", choices=("logs -f", "attach"))
    arguments = parser.parse_args()
    for engine in chosen(arguments):
        for kind in arguments.kind or ("logs -f", "attach"):
            measure(engine, kind, arguments.streams)


if __name__ == "__main__":
    main()

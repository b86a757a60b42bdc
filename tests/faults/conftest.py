"""An instance of its own, whose processes can be killed at any point of what they do."""

from __future__ import annotations

import http.client
import shutil
import socket
import time
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.conftest import Docker, Running, instance_up
from tests.faults import inventory
from tests.faults.points import Points

NODES = 3
SETTLING = 20.0
"""Seconds in which everything must have found its owner again after a kill."""


@dataclass
class Faulty:
    """The instance, its points, and the docker CLI as its account."""

    running: Running
    points: Points
    docker: Docker
    blamed: set[str] = field(default_factory=set)
    """What was found wrong and told before: one failure is blamed on one point."""

    def back(self) -> None:
        """Wait until every process answers."""
        end = time.monotonic() + SETTLING
        while not self._answers():
            assert time.monotonic() < end, "a process did not come back"
            time.sleep(0.05)

    def _answers(self) -> bool:
        instance = self.running.instance
        try:
            nodes = [("127.0.0.1", instance.port_base + 30 + number) for number in range(NODES)]
            fine = all(_get(http.client.HTTPConnection(*place, timeout=2), "/ping") for place in nodes)
            fine = fine and self.running.http("vmapi", "/ping") is not None
            return fine and _get(_Unix(instance.folder / "docker.sock"), "/_ping")
        except (OSError, http.client.HTTPException):
            return False

    def settle(self) -> set[str]:
        """Wait until nothing is wrong any more; what still is after a while is returned, once."""
        end, wrong = time.monotonic() + SETTLING, {"never looked"}
        while wrong and time.monotonic() < end:
            try:
                wrong = inventory.take(self.running).wrong() - self.blamed
            except (OSError, ValueError, urllib.error.URLError) as error:
                wrong = {f"cannot be looked at: {error}"}
            if wrong:
                time.sleep(0.1)
        self.blamed |= wrong
        return wrong


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=2)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(2)
        self.sock.connect(str(self._path))


def _get(connection: http.client.HTTPConnection, path: str) -> bool:
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    finally:
        connection.close()


def _warm_up(docker: Docker) -> None:
    """Have the image on every node and the bridges made, so that what is traced once is passed every time."""
    made = [docker.ok("run", "-d", "-p", "80", "busybox", "sleep", "600") for _ in range(2 * NODES)]
    docker.ok("rm", "-f", *made)


@pytest.fixture(scope="session")
def faulty() -> Iterator[Faulty]:
    points = Points()
    try:
        with instance_up(NODES, **points.environment) as running:
            docker = Docker(running.instance.docker_url, running.instance.folder / "certs")
            limits = [{"datacenter": "emb", "limit": ['{"value": 1000}']}]
            running.http("mahi", "/embedded/accounts/alice", "PUT", {"limits": limits})
            docker.ok("create", "--name", "target", "busybox", "sleep", "600")
            _warm_up(docker)
            yield Faulty(running, points, docker)
    finally:
        shutil.rmtree(points.folder)

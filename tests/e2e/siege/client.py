"""A client of the Docker API over TLS that lives through kills: it finds out what became of what it never heard of."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from tests.e2e.conftest import Docker, Running

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds in which a call must have come through, however often it is broken off."""


class Refused(Exception):
    """The gateway said no. ``status`` is that of HTTP."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


class Client:
    """One account's door. ``lost`` counts, by container, the answers that never came."""

    def __init__(self, running: Running, docker: Docker) -> None:
        assert docker.certs
        self._running = running
        self._port = running.instance.docker_port
        self._tls = ssl.create_default_context(cafile=str(docker.certs / "ca.pem"))
        self._tls.load_cert_chain(docker.certs / "cert.pem", docker.certs / "key.pem")
        self.lost: dict[str, int] = {}

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask once. Raises Refused, and OSError or HTTPException when no whole answer came."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=PATIENCE, context=self._tls)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            got = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(answer.status, got)
        return json.loads(got) if got.strip() else None

    def look(self, path: str) -> Any:
        """Ask for something that may be asked as often as it takes."""
        return _persistently(lambda: self.ask("GET", path))

    def create(self, name: str, body: object) -> str:
        """Make a container, once; return its id."""

        def attempt() -> str:
            try:
                return str(self.ask("POST", f"/containers/create?name={quote(name)}", body)["Id"])
            except Refused as no:
                if no.status != 409 or not self.lost.get(name):
                    raise
                return self._named(name)

        return _persistently(attempt, lambda: self._lose(name))

    def change(self, name: str, method: str, path: str, over: Callable[[], bool]) -> None:
        """Ask for something that may be asked only once: ``over`` tells whether it came about after all."""
        asked = False

        def attempt() -> None:
            nonlocal asked
            if asked:
                self._jobs_end()
                if over():
                    return
            asked = True
            self.ask(method, path)

        _persistently(attempt, lambda: self._lose(name))

    def _named(self, name: str) -> str:
        """The id of what a create that was never answered has made. Raises ConnectionError while it is unsettled."""
        try:
            return str(self.look(f"/containers/{name}/json")["Id"])
        except Refused as no:
            raise ConnectionError(f"{name} is neither free nor there yet: {no}") from no

    def _lose(self, name: str) -> None:
        self.lost[name] = self.lost.get(name, 0) + 1

    def _jobs_end(self) -> None:
        """Wait until what a dead gateway has asked for is done."""
        end = time.monotonic() + PATIENCE
        known = {job["uuid"] for state in ("queued", "running") for job in self._jobs(state)}
        while known & {job["uuid"] for state in ("queued", "running") for job in self._jobs(state)}:
            assert time.monotonic() < end, "a job does not end"
            time.sleep(0.2)

    def _jobs(self, state: str) -> list[dict[str, Any]]:
        return _persistently(lambda: self._running.http("wfapi", f"/jobs?execution={state}"))


def _persistently(attempt: Callable[[], T], lost: Callable[[], None] = lambda: None) -> T:
    """Try until there is a whole answer. A gateway that says 5xx while a service is away is asked again, too."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except (OSError, http.client.HTTPException, Refused) as error:
            if isinstance(error, Refused) and error.status < 500:
                raise
            if not isinstance(error, ConnectionRefusedError):
                lost()
            if time.monotonic() > end:
                raise
            time.sleep(0.25)

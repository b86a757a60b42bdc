"""The front door: answers ``/_ping`` and ``/ca.pem`` before any framework, and gives every request an id.

``/_ping`` is what every CLI command starts with and what load balancers ask all day; it needs no identity.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any

from gateway.settings import Settings
from gateway.versions import CEILING, GATEWAY_VERSION
from middleware.request_id import ID_HEADERS, given_id

SERVER = f"Triton/{GATEWAY_VERSION} (linux)"

COMMON_HEADERS: tuple[tuple[str, str], ...] = (
    ("Api-Version", str(CEILING)),
    ("Docker-Experimental", "false"),
    ("Ostype", "linux"),
    ("Server", SERVER),
)
"""Sent with every reply, errors included; clients negotiate with them."""

_PING = re.compile(r"^(/v\d+\.\d+)?/_ping$")

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class FrontDoor:
    """WSGI wrapper around the Flask app.

    Docker: GET, HEAD /_ping and GET /ca.pem, with and without a version
    """

    def __init__(self, app: Wsgi, settings: Settings) -> None:
        self._app = app
        self._certificate = settings.tls.certificate if settings.tls.enabled else ""
        self._ping_headers = [
            *COMMON_HEADERS,
            ("Builder-Version", "1"),
            ("Swarm", "inactive"),
            ("Cache-Control", "no-cache, no-store, must-revalidate"),
            ("Pragma", "no-cache"),
            ("Content-Type", "text/plain; charset=utf-8"),
        ]

    def ping(self, method: str, uri: str) -> bytes | None:
        """The whole reply to a ping, head and body, or None for anything else."""
        if not uri.endswith("/_ping") or method not in {"GET", "HEAD"} or not _PING.match(uri):
            return None
        lines = "".join(
            f"{name}: {value}\r\n" for name, value in [*self._ping_headers, ("Date", formatdate(usegmt=True))]
        )
        length = 2 if method == "GET" else 0
        return f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {length}\r\n\r\n{'OK' if length else ''}".encode()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if method in {"GET", "HEAD"}:
            if path.endswith("/_ping") and _PING.match(path):
                return self._answer(method, b"OK", self._ping_headers, start_response)
            if path == "/ca.pem" and self._certificate:
                headers = [*COMMON_HEADERS, ("Content-Type", "application/x-pem-file")]
                return self._answer(method, Path(self._certificate).read_bytes(), headers, start_response)
        asked = {name: environ.get(f"HTTP_{name.upper().replace('-', '_')}", "") for name in ID_HEADERS}
        environ["gateway.request_id"] = given_id(asked) or str(uuid.uuid4())
        return self._app(environ, start_response)

    @staticmethod
    def _answer(
        method: str, body: bytes, headers: list[tuple[str, str]], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        length = "0" if method == "HEAD" else str(len(body))
        start_response("200 OK", [*headers, ("Content-Length", length)])
        return [] if method == "HEAD" else [body]

"""The sockets of a compute node that starts nothing: each says at once what it has to say, and ends."""

from __future__ import annotations

import io
import json
import socketserver
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.contract.house import House

STAT = {"name": "/f", "size": 3, "mode": 0o644, "mtime": "2026-01-01T00:00:00Z"}
_OVER = b'{"code":0}'
_NO_DOCKERFILE = {"type": "end", "error": "dockerfile parse error", "invalid": True}
NO_LAYER = b"the container's files could not be read"
"""What the node says of every commit: that is its own failure, and nobody else's."""
_ERROR = {"error": {"restCode": "ExtractionFailed", "message": "no archive"}}


def _archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("f"))
    return out.getvalue()


SAYS: dict[str, bytes] = {
    "console": b"\1\0\0\0\0\0\0\4out\n" + bytes([18, 0, 0, 0, 0, 0, 0, len(_OVER)]) + _OVER,
    "archive": _archive(),
    "unpacked": b"",
    "not unpacked": json.dumps(_ERROR).encode(),
    "stats": b'{"read":"2026-01-01T00:00:00Z","memory_stats":{"usage":1}}\n',
    "build": json.dumps(_NO_DOCKERFILE).encode() + b"\n",
    "commit": json.dumps({"type": "end", "error": NO_LAYER.decode()}).encode() + b"\n",
}


class _Speaker(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        says = self.server.says
        if self.server.listens:
            while self.request.recv(65536):
                pass
        if self.server.uploads:  # a build's context comes first, on a connection of its own
            self.server.uploads -= 1
        else:
            self.request.sendall(says)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 50
    says = b""
    uploads = 0

    @property
    def listens(self) -> bool:
        return bool(self.uploads) or self.says in (SAYS["unpacked"], SAYS["not unpacked"])

    def handle_error(self, *_: Any) -> None:
        """Say nothing: the gateway has left early."""


@contextmanager
def open_sockets(house: House) -> Iterator[None]:
    """Have the house's node answer what it is asked beside its jobs."""
    ports: dict[str, dict[str, Any]] = {}
    servers: dict[str, _Server] = {}
    for name, says in SAYS.items():
        server = _Server(("127.0.0.1", 0), _Speaker)
        server.says = says
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers[name] = server
        ports[name] = {"host": "127.0.0.1", "port": server.server_address[1]}
    run = house.node.run

    def answer(task: str, params: dict[str, Any]) -> dict[str, Any]:
        if task == "docker_exec":
            command = params["command"]
            if command.get("Resize") or command.get("InspectExec"):
                return {"Running": False, "ExitCode": 0, "Pid": 0}
            if command.get("DiskUsage"):
                return {"Written": 3}
            return {} if command.get("Detach") else {**ports["console"], "framing": command.get("Framing")}
        if task == "docker_copy":
            wrong = len(params.get("path", "")) % 2
            kind = "archive" if params.get("mode") == "read" else "not unpacked" if wrong else "unpacked"
            return {"containerPathStat": STAT, **ports[kind]}
        if task == "docker_changes":
            return {"changes": []}
        if task == "docker_stats":
            return ports["stats"]
        if task == "docker_build":
            if params["payload"]["command"] == "commit":
                return ports["commit"]
            servers["build"].uploads = 1
            return ports["build"]
        return run(task, params)

    house.node.run = answer  # type: ignore[method-assign]
    yield
    for server in servers.values():
        server.shutdown()
        server.server_close()

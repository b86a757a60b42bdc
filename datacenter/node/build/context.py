"""The context of a build: taken in, unpacked, and looked for its Dockerfile."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path

from gevent import socket

from datacenter.node import rootpath
from datacenter.node.build.channel import BuildError
from datacenter.node.build.ignore import ignored
from datacenter.node.copy import place
from datacenter.node.tasks import TaskError

_RECEIVE = 256 * 1024
_MOST_DOCKERFILE = 4 * 1024 * 1024
_IDLE = 600.0
_DEFAULT = ("Dockerfile", "dockerfile")


def receive(connection: socket.socket, target: Path) -> None:
    """Write what a client sends to a file until its half-close, and say that it is there. Raises OSError."""
    connection.settimeout(_IDLE)
    with target.open("wb") as file:
        while data := connection.recv(_RECEIVE):
            file.write(data)
    connection.sendall(json.dumps({"messageId": 0, "type": "message", "message": "Context received"}).encode() + b"\n")


class Context:
    """An unpacked context. Raises BuildError for what is wrong with it."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o755)
        if not archive.stat().st_size:
            return
        try:
            with archive.open("rb") as file:
                place(folder, "/", file)
        except TaskError as error:
            raise BuildError(f"Error processing tar file: {error.message}") from error
        finally:
            archive.unlink()

    def dockerfile(self, asked: str) -> str:
        """Return the Dockerfile's text; it leaves the context, as .dockerignore does, when that says so."""
        path = posixpath.normpath("/" + (asked or _DEFAULT[0]))[1:]
        if not asked and self._read(path) is None and self._read(_DEFAULT[1]) is not None:
            path = _DEFAULT[1]
        text = self._read(path)
        if text is None:
            raise BuildError(f"Cannot locate specified Dockerfile: {path}")
        if not text.strip():
            raise BuildError(f"the Dockerfile ({path}) cannot be empty")
        ignore = self._read(".dockerignore")
        for name in (path, ".dockerignore") if ignore is not None else ():
            if ignored(name, ignore or ""):
                self._file(name).unlink(missing_ok=True)
        return text

    def _file(self, name: str) -> Path:
        return rootpath.resolve(self.folder, name)

    def _read(self, name: str) -> str | None:
        """Return a small file's text; links in the context are followed inside it only."""
        file = self._file(name)
        if not file.is_file():
            return None
        if file.stat().st_size > _MOST_DOCKERFILE:
            raise BuildError(f"{name} is larger than {_MOST_DOCKERFILE} bytes")
        return file.read_text(errors="replace")

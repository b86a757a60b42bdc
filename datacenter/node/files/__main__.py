"""Do one job on a container's files, then end.

Descriptor 1 takes one JSON object, what the job found or why it failed, and is then closed; descriptor 3 is a
listener for the one client that reads or writes the archive, or the file that a layer or an archive is in.
"""

from __future__ import annotations

import bz2  # noqa: F401 - with lzma and zlib: tarfile imports them when it needs them, and then it is too late
import errno
import gzip  # noqa: F401 - as bz2
import io
import json
import lzma
import os
import socket
import struct
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

from datacenter.images.tree import UnsafePath
from datacenter.node.files import lookup, view
from datacenter.node.files.changes import changes
from datacenter.node.files.gather import NoSourceError, gather
from datacenter.node.files.layer import LayerTooLargeError, write_layer
from datacenter.node.files.pack import pack
from datacenter.node.files.place import place
from datacenter.node.files.unpack import RefusedError, unpack

REPORT, LISTENER = 1, 3
FILE = LISTENER
CONNECT_WITHIN = 30.0
IDLE = 120.0
"""Seconds after which a client that neither reads nor writes is given up."""

_BAD_ARCHIVE = (tarfile.TarError, OverflowError, EOFError, zlib.error, lzma.LZMAError)

Job = dict[str, Any]
Failure = dict[str, dict[str, str]]


class ReadOnlyError(ValueError):
    """Nothing may be written there."""


def main() -> None:
    job: Job = json.loads(sys.argv[1])
    try:
        found = _prepare(job)
    except (OSError, ValueError, *_BAD_ARCHIVE) as error:
        _report(_refusal(error))
        return
    _report(found)
    if job.get("mode") in ("read", "write"):
        _serve(job)


def _prepare(job: Job) -> dict[str, Any]:
    """Get into place and say what is there. Raises OSError and ValueError."""
    if "upper" in job:
        sys.setrecursionlimit(20_000)  # a path of 4096 bytes has up to 2048 folders
        return _of_upper(job, Path(job["upper"]), [Path(layer) for layer in job["layers"]])
    if "sources" in job:
        view.enter(Path(job["root"]), [], readonly=True)
        with os.fdopen(FILE, "w+b", buffering=1 << 20) as file:
            return gather(file, job)
    if "dest" in job:
        return _put(job)
    view.enter(Path(job["root"]), job["mounts"], readonly=job["readonly"])
    path = lookup.absolute(job["path"])
    if job["mode"] != "write":
        return {"stat": lookup.describe(path)}
    os.chdir(path)
    if os.statvfs(".").f_flag & os.ST_RDONLY:
        raise ReadOnlyError("container rootfs or volume is marked read-only")
    return {"stat": lookup.describe(os.getcwd())}


def _of_upper(job: Job, upper: Path, layers: list[Path]) -> dict[str, Any]:
    """Read what a container changed: as a list, or as a layer."""
    if job.get("layer"):
        with os.fdopen(FILE, "wb", buffering=1 << 20) as file:
            return write_layer(file, upper, layers, job["ignored"])
    return {"changes": changes(upper, layers, job["ignored"])}


def _put(job: Job) -> dict[str, Any]:
    """Place an archive, if there is one."""
    view.enter(Path(job["root"]), [], readonly=False)
    if not job["archive"]:
        place(None, job)
        return {}
    with os.fdopen(FILE, "rb", buffering=1 << 18) as file:
        place(file, job)
    return {}


def _serve(job: Job) -> None:
    listener = socket.socket(fileno=LISTENER)
    listener.settimeout(CONNECT_WITHIN)
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        return
    listener.close()
    with connection:
        connection.settimeout(IDLE)
        if job["mode"] == "read":
            _send(connection, job)
        else:
            _receive(connection, job)


def _send(connection: socket.socket, job: Job) -> None:
    path = lookup.absolute(job["path"])
    try:
        pack(connection, path, "" if job["bare"] else lookup.base(path))
    except OSError as error:
        # a reset instead of an end, so that nobody takes half an archive for a whole one
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sys.stderr.write(f"copy of {path} broke off: {error}\n")


def _receive(connection: socket.socket, job: Job) -> None:
    """Unpack, and say how it went before the end if that is asked for; what is left to read is read."""
    source = io.BufferedReader(socket.SocketIO(connection, "r"), 1 << 18)
    result: Failure = {}
    try:
        owner = tuple(job["owner"]) if job["owner"] else None
        unpack(source, keep_kinds=job["keep_kinds"], owner=owner)
    except TimeoutError:
        return
    except (OSError, ValueError, *_BAD_ARCHIVE) as error:
        result = _failure(error)
    while source.read(1 << 20):
        pass
    if job["report"]:
        connection.sendall(json.dumps(result).encode() + b"\r\n")


def _refusal(error: Exception) -> Failure:
    """Why there is nothing to read from or to write to."""
    if isinstance(error, LayerTooLargeError):
        return _named("LayerTooLarge", str(error))
    if isinstance(error, NoSourceError):
        return _named("NoSource", str(error))
    if isinstance(error, (RefusedError, UnsafePath, *_BAD_ARCHIVE)):
        return _named("ExtractionFailed", str(error))
    if isinstance(error, FileNotFoundError):
        return _named("FileNotFound", "no such file or directory")
    if isinstance(error, NotADirectoryError):
        return _named("PathNotDirectory", "not a directory")
    if isinstance(error, ReadOnlyError):
        return _named("ReadOnlyFileSystem", str(error))
    if isinstance(error, OSError) and error.errno in {errno.ENAMETOOLONG, errno.ELOOP}:
        return _named("InvalidParameters", str(error.strerror).lower())
    return _named("InternalError", str(error))


def _failure(error: Exception) -> Failure:
    """Why an archive was not unpacked to its end, in words that name its own paths only."""
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return _named("ExtractionFailed", f"{error.strerror or error}{where}")
    return _named("ExtractionFailed", str(error))


def _named(code: str, message: str) -> Failure:
    return {"error": {"restCode": code, "message": message}}


def _report(found: dict[str, Any]) -> None:
    with os.fdopen(REPORT, "wb") as report:
        report.write(json.dumps(found).encode())


if __name__ == "__main__":
    main()

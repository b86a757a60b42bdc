"""Copies into and out of containers, and what a container changed: done by a program of its own (``files``).

SDC: CNAPI POST /servers/:server_uuid/vms/:uuid/docker-copy, which is the task ``docker_copy``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import gevent
import msgspec
from gevent import socket

import datacenter
from datacenter.node import mounts, spawn, users
from datacenter.node.files.__main__ import LISTENER, REPORT
from datacenter.node.tasks import Params, Result, Task, TaskError
from datacenter.node.zone import Zone

if TYPE_CHECKING:
    from datacenter.node.agent import Node

PROGRAM = (sys.executable, "-S", "-m", "datacenter.node.files")
MODES = ("read", "write", "stat")
_HERE = str(Path(datacenter.__file__).parent.parent)


def docker_copy(node: Node, params: Params) -> Result:
    """Say what is at ``path`` and, to read or write it, where to connect within 30 s.

    ``read`` sends a tar whose root entry is the last name of the path (``bare``: its children alone, and of the
    root file system without volumes). ``write`` takes a tar until the client's half-close; with ``report`` a line
    of JSON says how it went. ``no_overwrite_dir_non_dir`` and ``copy_uid_gid`` are Docker's. Raises TaskError:
    FileNotFound, PathNotDirectory, ReadOnlyFileSystem, InvalidParameters.
    """
    zone = node.zone(params["uuid"])
    mode, path, bare = params.get("mode"), params.get("path"), bool(params.get("bare"))
    if mode not in MODES or not isinstance(path, str) or not path or "\0" in path:
        raise TaskError("InvalidParameters", "docker_copy needs a path and a mode: read, write or stat")
    with _root_of(node, zone) as release, nullcontext(()) if bare else node.outside.mounted(zone) as shared:
        job = {
            "mode": mode,
            "path": path,
            "bare": bare,
            "root": str(zone.rootfs),
            "mounts": [] if bare else _mounts(node, zone, shared),
            "readonly": bool(zone.linux.get("ReadonlyRootfs")),
            "keep_kinds": bool(params.get("no_overwrite_dir_non_dir")),
            "owner": _owner(zone) if params.get("copy_uid_gid") else None,
            "report": bool(params.get("report")),
        }
        if mode == "stat":
            return {"containerPathStat": _ask(job)["stat"]}
        with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
            port = listener.getsockname()[1]
            process, report = _start(job, listener.fileno())
        found = _read(report)
        release.after(process)
        return {"host": "127.0.0.1", "port": port, "containerPathStat": found["stat"]}


def docker_changes(node: Node, params: Params) -> Result:
    """``changes``: what the container added, modified and deleted in its image, by path, as Docker lists it."""
    return {"changes": _ask(_changed_in(node, node.zone(params["uuid"])))["changes"]}


def write_layer(node: Node, zone: Zone, file: BinaryIO) -> Result:
    """Write what a zone changed in its image to a file, as a layer: its ``digest`` and ``size``. Raises TaskError."""
    return _ask({**_changed_in(node, zone), "layer": True}, file)


def gather(root: Path, file: BinaryIO, **job: Any) -> Result:
    """Write the archive of what a COPY or ADD names in a tree (see ``files.gather``). Raises TaskError."""
    return _ask({**job, "root": str(root)}, file)


def place(root: Path, dest: str, file: BinaryIO | None, **how: Any) -> None:
    """Put an archive, if there is one, into a folder of a tree (see ``files.place``). Raises TaskError."""
    how = {"rename": False, "mode": None, "owner": None, **how}
    _ask({**how, "root": str(root), "dest": dest, "archive": file is not None}, file)


def _changed_in(node: Node, zone: Zone) -> dict[str, Any]:
    """Say where a zone's changes are, and where there is something of the node's."""
    layers = [str(node.home.layers / name) for name in node.images.ensure(zone.record["image_uuid"])]
    own = [*mounts.system_mounts(zone.linux), *mounts.file_mounts(zone.bundle)]
    ignored = [str(mount["destination"]) for mount in own]
    if zone.linux.get("Init"):
        ignored.append(mounts.INIT_PATH)
    return {"upper": str(zone.upper), "layers": layers, "ignored": ignored}


class _Release:
    """Lets a zone's root go, at once or when a program that uses it has ended."""

    def __init__(self, node: Node, zone: Zone) -> None:
        self._node = node
        self._zone = zone
        self.held = True

    def after(self, process: spawn.Process) -> None:
        self.held = False
        gevent.spawn(self._wait, process)

    def _wait(self, process: spawn.Process) -> None:
        process.wait()
        self._node.lifecycle.release_root(self._zone)


@contextmanager
def _root_of(node: Node, zone: Zone) -> Iterator[_Release]:
    """Have a zone's root mounted, running or not, for the block or for as long as the block says."""
    node.lifecycle.hold_root(zone)
    release = _Release(node, zone)
    try:
        yield release
    finally:
        if release.held:
            node.lifecycle.release_root(zone)


def _mounts(node: Node, zone: Zone, shared: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """Volumes and the files in /etc, parents first; tmpfs is the running container's alone, as with Docker."""
    volumes = [*mounts.volume_mounts(zone.record, node.home.zones), *shared]
    found = mounts.in_order([*mounts.file_mounts(zone.bundle), *volumes])
    return [
        {"source": mount["source"], "target": mount["destination"], "readonly": "ro" in mount["options"]}
        for mount in found
        if Path(mount["source"]).exists()
    ]


def _owner(zone: Zone) -> tuple[int, int] | None:
    """Who gets what is copied in with ``copy_uid_gid``: the container's own user, when it has one."""
    text = str(zone.metadata.get("docker:user") or "")
    if not text:
        return None
    user = users.find_user(zone.rootfs, text)
    return user.uid, user.gid


def _ask(job: dict[str, Any], file: BinaryIO | None = None) -> Result:
    return _read(_start(job, None if file is None else file.fileno())[1])


def _start(job: dict[str, Any], third: int | None = None) -> tuple[spawn.Process, int]:
    """Start the program, which gets a third descriptor lent; the one it reports on comes with it."""
    fds = {2: 2, **({LISTENER: third} if third is not None else {})}
    argv = [*PROGRAM, msgspec.json.encode(job).decode()]
    return spawn.start_heard(argv, (REPORT,), fds=fds, env={"PYTHONPATH": _HERE})


def _read(report: int) -> Result:
    """What the program found. Raises TaskError for what it refused."""
    text = spawn.read_all(report)
    if not text:
        raise TaskError("InternalError", "the copy program failed")
    found: Result = msgspec.json.decode(text)
    error = found.get("error")
    if error:
        raise TaskError(error["restCode"], error["message"])
    return found


TASKS: dict[str, Task] = {"docker_copy": docker_copy, "docker_changes": docker_changes}

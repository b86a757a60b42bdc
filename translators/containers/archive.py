"""Files of a container: looked at, copied out as an archive, copied in. Facts: docker-on-triton 6.10."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from gateway.call import Call, StreamReply
from gateway.errors import Conflict, InvalidParameter, NotFound, NotImplementedHere
from sdc.errors import SdcError
from sdc.transfer import receive, send
from translators.capabilities import capabilities
from translators.containers.lookup import docker_id, find_container
from translators.containers.turns import turn
from translators.errors import explain, speaking_docker
from translators.events.recorder import tell

Json = dict[str, Any]

STAT_HEADER = "X-Docker-Container-Path-Stat"
_CHUNK = 256 * 1024
_DIRECTORY, _SYMLINK, _NODES_SYMLINK = 1 << 31, 1 << 27, 1 << 26
_BAD_REQUEST = {  # InitFailed: the container's user, who is to own the files, is unknown
    "PathNotDirectory": "{path}: not a directory",
    "InvalidParameters": "{path}: {reason}",
    "InitFailed": "{reason}",
    "ReadOnlyFileSystem": "container rootfs is marked read-only",
}


def stat_path(call: Call, ref: str) -> dict[str, str]:
    """Describe a file of a container: the header that holds it, base64 of JSON.

    Docker: HEAD /containers/{id}/archive   SDC: CNAPI docker-copy mode stat
    """
    vm, path = _container(call, ref), _path(call)
    with turn(call, vm, "docker_copy"):
        return _header(_ask(call, vm, ref, path, mode="stat")["containerPathStat"])


def copy_out(call: Call, ref: str) -> StreamReply:
    """Stream a file or folder of a container as a tar whose root entry is the last name of the path.

    Jobs that would change the container wait for its end.

    Docker: GET /containers/{id}/archive   SDC: CNAPI docker-copy mode read, then the node's TCP socket
    """
    vm, path = _container(call, ref), _path(call)
    stat, items = _reading(call, vm, ref, path)
    tell(call, vm, "archive-path")
    return StreamReply(items=items, json=False, content_type="application/x-tar", headers=_header(stat))


def copy_in(call: Call, ref: str, upload: BinaryIO) -> None:
    """Unpack a tar, plain or compressed, in a folder of a container.

    A plain Triton node says nothing of an archive that it could not unpack, refuses no change of a folder into a
    file, and keeps the archive's owners; with the capability ``archive`` all three are as Docker's.

    Docker: PUT /containers/{id}/archive   SDC: CNAPI docker-copy mode write, then the node's TCP socket
    """
    vm, path = _container(call, ref), _path(call)
    options: Json = {}
    if "archive" in capabilities(call, vm["server_uuid"]):
        keep_kinds, owner = call.flag("noOverwriteDirNonDir"), call.flag("copyUIDGID")
        options = {"report": True, "no_overwrite_dir_non_dir": keep_kinds, "copy_uid_gid": owner}
    elif call.flag("copyUIDGID"):
        raise NotImplementedHere("copyUIDGID needs the capability archive, which the container's compute node lacks")
    elif call.flag("noOverwriteDirNonDir"):
        options = {"no_overwrite_dir": True}
    with turn(call, vm, "docker_copy"):
        answer = _ask(call, vm, ref, path, mode="write", **options)
        try:
            send(answer, iter(lambda: upload.read(_CHUNK), b""))
        except SdcError as error:
            if error.code == "ExtractionFailed":
                raise InvalidParameter(f"Error processing tar file: {error.message}") from error
            raise explain(error, "problem copying files") from error
    tell(call, vm, "extract-to-dir")


def export(call: Call, ref: str) -> StreamReply:
    """Stream the container's root file system, without volumes, as a tar.

    Docker: GET /containers/{id}/export   SDC: CNAPI docker-copy mode read (capability export)
    """
    vm = _container(call, ref)
    if "export" not in capabilities(call, vm["server_uuid"]):
        raise NotImplementedHere(
            "export needs the capability export, which the container's compute node lacks; docker cp copies folders"
        )
    _, items = _reading(call, vm, ref, "/", bare=True)
    tell(call, vm, "export")
    return StreamReply(items=items, json=False, content_type="application/octet-stream")


def changes(call: Call, ref: str) -> list[Json]:
    """List what the container added (1), deleted (2) and modified (0) in its image.

    Docker: GET /containers/{id}/changes   SDC: CNAPI docker-changes (capability changes)
    """
    vm = _container(call, ref)
    if "changes" not in capabilities(call, vm["server_uuid"]):
        raise NotImplementedHere("diff needs the capability changes, which the container's compute node lacks")
    with speaking_docker("problem listing the container's changes"):
        return call.services.cnapi.docker_changes(vm["server_uuid"], vm["uuid"])


def _reading(call: Call, vm: Json, ref: str, path: str, **asked: Any) -> tuple[Json, Iterator[bytes]]:
    """Return what the node says of a path, and its archive in chunks."""
    stat: Json = {}

    def chunks() -> Iterator[bytes]:
        with turn(call, vm, "docker_copy"):
            answer = _ask(call, vm, ref, path, mode="read", **asked)
            stat.update(answer["containerPathStat"])
            with speaking_docker("problem copying files"):
                incoming = receive(answer)
                yield b""  # it has begun: whatever becomes of the client, closing it gives the turn back
                yield from incoming

    items = chunks()
    next(items)
    return stat, items


def _container(call: Call, ref: str) -> Json:
    vm = find_container(call, ref)
    if not vm.get("server_uuid"):
        raise Conflict(f"container {docker_id(vm)} is not placed on a compute node yet")
    return vm


def _path(call: Call) -> str:
    path = call.arg("path")
    if not path or "\0" in path:
        raise InvalidParameter("bad parameter: 'path' cannot be empty")
    return path


def _ask(call: Call, vm: Json, ref: str, path: str, **asked: Any) -> Json:
    try:
        return call.services.cnapi.docker_copy(vm["server_uuid"], vm["uuid"], path=path, **asked)
    except SdcError as error:
        if error.code == "FileNotFound":
            raise NotFound(f"Could not find the file {path} in container {ref}") from error
        if error.code == "PathNotDirectory" and asked["mode"] == "write":
            raise InvalidParameter("extraction point is not a directory") from error
        if error.code in _BAD_REQUEST:
            raise InvalidParameter(_BAD_REQUEST[error.code].format(path=path, reason=error.message)) from error
        if error.code == "DockerCopyStoppedContainerNoPlatformSupport":
            raise Conflict("this container must be running in order to use docker cp") from error
        raise explain(error, "problem copying files") from error


def _header(stat: Json) -> dict[str, str]:
    """Docker's header of a node's ``containerPathStat``."""
    return {STAT_HEADER: base64.b64encode(msgspec.json.encode(docker_stat(stat))).decode()}


def docker_stat(stat: Json) -> Json:
    """Put right what a plain Triton node says of a file.

    It gives the whole path as the name, no permissions, and a wrong bit for links.
    """
    mode = int(stat.get("mode") or 0)
    if not mode & 0o777 and mode & ~(_DIRECTORY | _NODES_SYMLINK) == 0:
        if mode & _NODES_SYMLINK:
            mode = _SYMLINK | 0o777
        else:
            mode |= 0o755 if mode & _DIRECTORY else 0o644
    name = str(stat.get("name") or "")
    return {
        "name": posixpath.basename(name.rstrip("/")) or "/",
        "size": int(stat.get("size") or 0),
        "mode": mode,
        "mtime": stat.get("mtime") or "0001-01-01T00:00:00Z",
        "linkTarget": stat.get("linkTarget") or "",
    }

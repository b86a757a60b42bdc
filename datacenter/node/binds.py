"""Folders and files of the host in containers, where the operator allows it. Nothing else of the host is ever bound.

What may be bound is below the operator's prefixes; it is found anew at every start, and held by a descriptor until it
is mounted. So no link that a container plants leads anywhere, whenever it is planted.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack
from typing import Any

from datacenter.node import mountinfo
from datacenter.node.beneath import covers, find, opened
from datacenter.node.home import Home
from datacenter.node.staging import Staging
from datacenter.node.tasks import TaskError

Json = dict[str, Any]

_SPECIAL = ("/dev", "/proc", "/run", "/sys")
"""Where the kernel and the machine's own services have their doors."""


class Binds:
    """Finds and mounts what ``HostBinds`` of ``docker:linux`` names.

    Each is ``Source`` and ``Target``, clean absolute paths; ``Within``, the prefix that the gateway lets its account
    bind from; and ``ReadOnly``, ``Create`` (make a missing folder), ``Recursive``, ``ReadOnlyRecursive``. ``allowed``
    are the node's own prefixes. A prefix that is named exactly is bound even when it is a socket, say.
    """

    def __init__(self, home: Home, staging: Staging) -> None:
        self._allowed = frozenset(home.settings.host_binds)
        self._own = str(home.settings.state.resolve())
        self._staging = staging

    def check(self, linux: Json) -> None:
        """Look whether a new container can have its binds. Makes nothing. Raises TaskError."""
        for item in of(linux):
            try:
                os.close(self._find(item, make=False))
            except TaskError as error:
                if error.rest_code != MISSING or not item.get("Create"):
                    raise

    def mounts(self, linux: Json, stack: ExitStack) -> list[Json]:
        """Mount what a container has of the host, and give it as OCI mounts that are good until ``stack`` is left.

        Raises TaskError InvalidBind when something is not there, BindForbidden when it must not be bound.
        """
        return [self._mount(item, stack) for item in of(linux)]

    def _mount(self, item: Json, stack: ExitStack) -> Json:
        fd = self._find(item, make=bool(item.get("Create")))
        try:
            place = self._staging.stage(fd, stack, recursive=item.get("Recursive", True))
        except FileNotFoundError as error:
            raise _failure(error, item, make=False) from error
        finally:
            os.close(fd)
        options = _options(item, deep=place.is_dir())
        return {"destination": item["Target"], "type": "bind", "source": str(place), "options": options}

    def _find(self, item: Json, *, make: bool) -> int:
        """Open one source, whoever moves what meanwhile. Raises TaskError."""
        source, within = str(item.get("Source", "")), str(item.get("Within", ""))
        prefix = min((one for one in self._allowed if covers(one, within)), key=len, default=None)
        if prefix is None or not covers(within, source):
            raise TaskError(FORBIDDEN, f"{source} is below nothing that may be bound on this node")
        try:
            with opened(prefix) as top:
                gate = find(top, within[len(prefix) + 1 :], make=make)
                try:
                    found = find(gate, source[len(within) + 1 :], make=make)
                finally:
                    os.close(gate)
        except OSError as error:
            raise _failure(error, item, make=make) from error
        try:
            self._weigh(found, item)
        except BaseException:
            os.close(found)
            raise
        return found

    def _weigh(self, fd: int, item: Json) -> None:
        """Raise TaskError BindForbidden for what is no plain file or folder, or not the host's to give."""
        source, real = item["Source"], os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - as text
        if covers(self._own, real) or covers(real, self._own):
            raise TaskError(FORBIDDEN, f"{source} has the data center's own files in it")
        mode, mounts, mine = os.fstat(fd).st_mode, mountinfo.table(), mountinfo.mount_of(fd)
        kind = next((mount.kind for mount in mounts if mount.number == mine), "")
        if kind in mountinfo.PSEUDO or any(covers(place, real) for place in _SPECIAL):
            wrong = "is a place of the host's kernel or services"
        elif not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            wrong = "is neither a folder nor a plain file"
        else:
            inner = next((one.kind for one in mounts if one.kind in mountinfo.PSEUDO and covers(real, one.at)), None)
            if inner is not None and item.get("Recursive", True):
                raise TaskError(FORBIDDEN, f"{source} has a {inner} of the host mounted in it")
            return
        if source not in self._allowed:
            raise TaskError(FORBIDDEN, f"{source} {wrong}")


MISSING, FORBIDDEN = "InvalidBind", "BindForbidden"


def of(linux: Json) -> list[Json]:
    """What a container has of the host."""
    return list(linux.get("HostBinds") or ())


def _options(item: Json, *, deep: bool) -> list[str]:
    """How the runtime is to mount it. crun 1.8 takes ``rro`` for folders alone."""
    bind = "rbind" if item.get("Recursive", True) else "bind"
    if not item.get("ReadOnly"):
        return [bind, "rprivate", "rw"]
    deep = deep and bind == "rbind" and item.get("ReadOnlyRecursive", True)
    return [bind, "rprivate", "ro", *(("rro",) if deep else ())]


def _failure(error: OSError, item: Json, *, make: bool) -> TaskError:
    """Say why a source was not found, in dockerd's words where it has some."""
    source, within = item["Source"], item["Within"]
    if error.errno in {errno.EXDEV, errno.ELOOP}:
        return TaskError(FORBIDDEN, f"{source} leads out of {within}")
    if error.errno == errno.ENOTDIR and make:
        return TaskError(MISSING, f"error while creating mount source path '{source}': not a directory")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return TaskError(MISSING, f'invalid mount config for type "bind": bind source path does not exist: {source}')
    return TaskError(MISSING, f"error while creating mount source path '{source}': {error.strerror}")

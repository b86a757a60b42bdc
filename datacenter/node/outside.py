"""What a container mounts that is not its own: volumes of storage VMs, folders in them, and folders of the host."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from datacenter.node import binds
from datacenter.node.beneath import find, opened
from datacenter.node.exports import Exports, asked, is_readonly
from datacenter.node.home import Home
from datacenter.node.staging import Staging
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Zone

Json = dict[str, Any]

NO_PATH, ESCAPES = "VolumePathNotFound", "VolumePathEscapes"


class Outside:
    """Mounts for a zone what is elsewhere."""

    def __init__(self, home: Home, exports: Exports) -> None:
        self._staging = Staging(home.staging)
        self._exports = exports
        self._binds = binds.Binds(home, self._staging)

    def check(self, zone: Zone) -> None:
        """Look whether a new zone can have its folders of the host. Makes nothing. Raises TaskError."""
        self._binds.check(zone.linux)

    def sweep(self) -> None:
        """Unmount what an agent left that died meanwhile."""
        self._staging.sweep()

    @contextmanager
    def mounted(self, zone: Zone) -> Iterator[tuple[Json, ...]]:
        """Give a zone's mounts of what is elsewhere, as OCI mounts that are good for the block.

        Raises TaskError: InitFailed for a volume that is not there any more, VolumePathNotFound and VolumePathEscapes
        for a folder in one, and what ``Binds`` raises.
        """
        with ExitStack() as stack:
            volumes = [self._volume(zone, item, stack) for item in asked(zone.record)]
            yield (*volumes, *self._binds.mounts(zone.linux, stack))

    def _volume(self, zone: Zone, item: Json, stack: ExitStack) -> Json:
        source = self._exports.source(zone.record, item)
        path = subpath(zone, item)
        if path:
            try:
                with opened(str(source)) as top:
                    fd = find(top, path)
                    stack.callback(os.close, fd)
                    source = self._staging.stage(fd, stack)
            except OSError as error:
                raise _failure(error, path) from error
        mode = "ro" if is_readonly(item) else "rw"
        options = ["rbind", "rprivate", mode]
        return {"destination": item["mountpoint"], "type": "bind", "source": str(source), "options": options}


def volume_options(zone: Zone, item: Json) -> Json:
    """What a zone's creator said of one of its volumes: ``NoCopy``, ``Subpath``."""
    found: Json = (zone.linux.get("VolumeOptions") or {}).get(item["mountpoint"]) or {}
    return found


def subpath(zone: Zone, item: Json) -> str:
    """The part of a volume that a zone mounts, a clean relative path; empty for all of it."""
    return str(volume_options(zone, item).get("Subpath") or "")


def _failure(error: OSError, path: str) -> TaskError:
    if error.errno in {errno.EXDEV, errno.ELOOP}:
        return TaskError(ESCAPES, f"path concatenation escapes the base directory: {path} leads out of its volume")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return TaskError(NO_PATH, f"cannot access path {path}: {str(error.strerror).lower()}")
    return TaskError("InternalError", f"{path}: {error}")

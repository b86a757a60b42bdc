"""Write what a container changed in its image as a layer: the tar that stands for the upper folder of its overlay."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from datacenter.images.tree import is_whiteout
from datacenter.node.files import view
from datacenter.node.files.changes import is_opaque, looks, namesakes, opened, shown
from datacenter.node.files.pack import Packer, read_attributes

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_KEPT = ("user.", "security.capability")
_PIECE = 64 * 1024
_ZEROS = bytes(_PIECE)
LARGEST = 20 * 1024**3
"""Bytes; IMGAPI takes no larger file, and nobody is to reckon digests of a terabyte of holes."""


class LayerTooLargeError(ValueError):
    """There is more than a layer may hold."""


def write_layer(file: BinaryIO, upper: Path, layers: list[Path], ignored: Collection[str]) -> dict[str, object]:
    """Write the layer and return its ``digest`` and ``size``. ``layers`` are the image's, top first.

    The same tree always makes the same bytes. A folder of the image in which nothing changed is left out.
    ``ignored`` are places where the node mounts something of its own. The upper folder becomes this process's root:
    a running container can't lead out of it. Raises OSError.
    """
    with ExitStack() as stack:
        lowers = [stack.enter_context(opened(layer)) for layer in layers]
        view.enter(upper, [], readonly=True)
        target = LayerFile(file)
        packer = LayerPacker(target, frozenset(ignored))
        packer.folder("", lowers)
        packer.finish()
        target.finish()
    return {"digest": target.digest, "size": target.size}


class LayerFile:
    """A file that takes an archive and reckons its digest; long runs of zeros become holes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"

    def sendall(self, data: bytes | bytearray, /) -> None:
        self._digest.update(data)
        self.size += len(data)
        if self.size > LARGEST:
            raise LayerTooLargeError(f"a layer may hold at most {LARGEST >> 30} GiB")
        for start in range(0, len(data), _PIECE):
            piece = bytes(data[start : start + _PIECE])
            if piece == _ZEROS:
                self._file.seek(_PIECE, os.SEEK_CUR)
            else:
                self._file.write(piece)

    def sendfile(self, file: BinaryIO, /, *, count: int) -> int:
        sent = 0
        while sent < count and (data := file.read(min(_PIECE, count - sent))):
            self.sendall(data)
            sent += len(data)
        return sent

    def finish(self) -> None:
        self._file.truncate(self.size)
        self._file.flush()


class LayerPacker(Packer):
    """Packs folder by folder: deleted names as whiteouts, folders that hide all below as opaque."""

    def __init__(self, target: LayerFile, ignored: frozenset[str]) -> None:
        super().__init__(target)
        self._ignored = ignored
        self._held: list[tuple[str, os.stat_result]] = []
        """Unchanged folders on the way to here; they are written when something in them is."""

    def folder(self, path: str, lowers: list[int]) -> None:
        """Write what is in a folder; ``lowers`` are its namesakes in the image that show through."""
        for name in sorted(os.listdir(path or "/"), key=os.fsencode):
            inner = f"{path}/{name}"
            if inner in self._ignored:
                continue
            try:
                info = os.lstat(inner)
                if stat.S_ISDIR(info.st_mode):
                    self._subfolder(inner, name, info, lowers)
                elif is_whiteout(info):
                    self._mark(f"{path}/{_WHITEOUT}{name}")
                else:
                    self._write(inner, info)
            except FileNotFoundError:
                continue  # the container is running

    def _subfolder(self, path: str, name: str, info: os.stat_result, lowers: list[int]) -> None:
        with opened(path) as fd:
            opaque = is_opaque(fd)
        held = len(self._held)
        if opaque or self._changed(path, None if opaque else shown(lowers, name), info):
            self._write(path, info)
        else:
            self._held.append((path, info))
        if opaque:
            self._mark(f"{path}/{_OPAQUE}")
        with ExitStack() as stack:
            self.folder(path, [] if opaque else namesakes(stack, lowers, name))
        del self._held[held:]

    def _changed(self, path: str, before: os.stat_result | None, info: os.stat_result) -> bool:
        """Whether a folder is there for its own sake, not only because something of the node's was put in it."""
        if before is None:
            return not any(place.startswith(f"{path}/") for place in self._ignored)
        return looks(before) != looks(info)

    def _write(self, path: str, info: os.stat_result) -> None:
        self._write_held()
        self.add(path, path[1:], info)

    def _mark(self, path: str) -> None:
        self._write_held()
        self._head(tarfile.TarInfo(path[1:]))

    def _write_held(self) -> None:
        held, self._held = self._held, []
        for folder, info in held:
            self.add(folder, folder[1:], info)

    def _attributes(self, file: str | int) -> dict[str, str]:
        return read_attributes(file, _KEPT)

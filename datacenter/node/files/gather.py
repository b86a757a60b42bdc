"""Collect the sources of COPY and ADD into one archive, named as they are to be placed. Facts: moby's copy.go."""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import stat
import tarfile
from typing import Any, BinaryIO

from datacenter.images.header import StrictHeader
from datacenter.images.tree import parts_of
from datacenter.node.files import patterns
from datacenter.node.files.layer import LayerFile
from datacenter.node.files.pack import Packer, read_attributes

_KEPT = ("user.", "security.capability")
_PIECE = 1 << 20


class NoSourceError(ValueError):
    """There is nothing by this name, in the words of the builder."""


def gather(file: BinaryIO, job: dict[str, Any]) -> dict[str, Any]:
    """Write the archive of a job's sources, which are paths in this process's root.

    ``sources`` may be patterns; ``inline`` are files that stand in the Dockerfile. ``extract`` puts in what is in an
    archive instead of the archive. ``preserve`` keeps owners, else all is root's; ``chmod`` is a mode for all.

    Return ``sum``, which is the same for the same content whenever it was written, ``file`` when there is but one,
    and ``mode`` of a lone folder. Raises NoSourceError, OSError, ValueError and tarfile.TarError.
    """
    target = LayerFile(file)
    gatherer = Gatherer(target, preserve=bool(job["preserve"]), mode=job["chmod"])
    kinds = [gatherer.take(path, extract=bool(job["extract"])) for source in job["sources"] for path in _found(source)]
    for one in job["inline"]:
        gatherer.write(one["name"], one["text"].encode())
        kinds.append("file")
    gatherer.finish()
    target.finish()
    if not kinds:
        raise NoSourceError("no source files were specified")
    kind = kinds[0] if len(kinds) == 1 else "multi"
    told = "file" if kind == "archive" else kind
    return {"sum": f"{told}:{_sum(file)}", "file": kind == "file", "many": len(kinds) > 1, "mode": gatherer.folder_mode}


class Gatherer(Packer):
    """Packs sources one after another."""

    def __init__(self, target: LayerFile, *, preserve: bool, mode: int | None) -> None:
        super().__init__(target)
        self._preserve = preserve
        self._mode = mode
        self.folder_mode: int | None = None

    def take(self, path: str, *, extract: bool) -> str:
        """Put in a file by its name, or what is in a folder; return what it was: file, dir or archive."""
        real = posixpath.realpath(path)
        info = os.stat(real)
        if stat.S_ISDIR(info.st_mode):
            self.folder_mode = stat.S_IMODE(info.st_mode) if self._mode is None else self._mode
            self.walk(real, "")
            return "dir"
        if extract and stat.S_ISREG(info.st_mode) and (archive := _archive(real)) is not None:
            with archive:
                self._extract(archive)
            return "archive"
        self.add(real, posixpath.basename(path), info)
        return "file"

    def write(self, name: str, data: bytes) -> None:
        """Put in a small file that is nowhere."""
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        self._head(entry)
        self._pad(self._copy(data), len(data))

    def _extract(self, archive: tarfile.TarFile) -> None:
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # else it remembers every entry
            parts = parts_of(member.name)
            if not parts:
                continue
            entry = tarfile.TarInfo("/".join(parts) + ("/" if member.isdir() else ""))
            entry.type = tarfile.REGTYPE if member.isreg() else member.type
            for field in ("mode", "uid", "gid", "mtime", "linkname", "devmajor", "devminor"):
                setattr(entry, field, getattr(member, field))
            entry.mtime = int(member.mtime)
            entry.pax_headers = {
                key: value for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")
            }
            entry.size = member.size if member.isreg() else 0
            super()._head(entry)
            if member.isreg() and (content := archive.extractfile(member)) is not None:
                sent = 0
                while data := content.read(_PIECE):
                    sent += self._copy(data)
                self._pad(sent, member.size)

    def _head(self, entry: tarfile.TarInfo) -> None:
        if not self._preserve:
            entry.uid = entry.gid = 0
        if self._mode is not None and not entry.issym():
            entry.mode = self._mode
        super()._head(entry)

    def _attributes(self, file: str | int) -> dict[str, str]:
        return read_attributes(file, _KEPT)


def _found(source: str) -> list[str]:
    """Find the paths that a source means, in order. Raises NoSourceError."""
    path = posixpath.normpath("/" + source.lstrip("/"))
    if not patterns.MAGIC & set(path):
        if not os.path.lexists(posixpath.realpath(path)):
            raise NoSourceError(f"stat {path.lstrip('/')}: file does not exist")
        return [path]
    found = [""]
    for part in path.strip("/").split("/"):
        if patterns.MAGIC & set(part):
            inner = [(above, name) for above in found for name in _names(above)]
            found = [f"{above}/{name}" for above, name in inner if patterns.match(part, name)]
        else:
            found = [f"{above}/{part}" for above in found if os.path.lexists(f"{above}/{part}")]
    return found


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder or "/"), key=os.fsencode)
    except NotADirectoryError:
        return []


def _archive(path: str) -> tarfile.TarFile | None:
    """Open a file as an archive, plain or compressed with gzip, bzip2 or xz; None when it is none."""
    try:
        with _opened(path) as archive:
            empty = archive.next() is None
    except (tarfile.TarError, OSError, EOFError, ValueError):
        return None
    return None if empty else _opened(path)


def _opened(path: str) -> tarfile.TarFile:
    return tarfile.open(path, "r:*", tarinfo=StrictHeader, encoding="utf-8", errors="surrogateescape")


def _sum(file: BinaryIO) -> str:
    """Reckon a digest of an archive in which times do not count."""
    found = hashlib.sha256()
    file.seek(0)
    with tarfile.open(
        fileobj=io.BufferedReader(io.FileIO(file.fileno(), closefd=False)), mode="r|", errors="surrogateescape"
    ) as archive:
        for entry in archive:
            attributes = sorted(item for item in entry.pax_headers.items() if item[0].startswith("SCHILY"))
            fields = (entry.name, entry.type, entry.mode, entry.uid, entry.gid, entry.linkname, entry.size, attributes)
            found.update(repr(fields).encode("utf-8", "surrogateescape"))
            content = archive.extractfile(entry) if entry.isreg() else None
            while content is not None and (data := content.read(_PIECE)):
                found.update(data)
    return found.hexdigest()

"""Write a tree of a container to a socket as a tar archive."""

from __future__ import annotations

import os
import stat
import tarfile
from typing import BinaryIO, Protocol

_SMALL = 64 * 1024
_FLUSH = 256 * 1024
_BLOCK = 512
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
"""A socket has no place in an archive and is left out, as Docker does."""


class Target(Protocol):
    """Where an archive goes: a socket, or what takes its place."""

    def sendall(self, data: bytes | bytearray, /) -> None: ...

    def sendfile(self, file: BinaryIO, /, *, count: int) -> int: ...


def pack(connection: Target, path: str, name: str) -> None:
    """Send what is at ``path``, and below it, under ``name``; nothing for ``path`` itself when ``name`` is empty.

    Hard links within the tree stay links. What vanishes meanwhile is left out; a file that shrinks is filled up
    with zeros. Raises OSError.
    """
    Packer(connection).run(path, name)


class Packer:
    """Collects headers and small files, and hands big ones from disk to socket without a copy."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._out = bytearray()
        self._inodes: dict[tuple[int, int], str] = {}

    def run(self, path: str, name: str) -> None:
        self.walk(path, name)
        self.finish()

    def walk(self, path: str, name: str) -> None:
        """Add what is at ``path`` and below it."""
        pending = [(path, name)]
        while pending:
            path, name = pending.pop()
            try:
                info = os.lstat(path)
                if name:
                    self.add(path, name, info)
                if stat.S_ISDIR(info.st_mode):
                    prefix = f"{name.rstrip('/')}/" if name else ""
                    above = path.rstrip("/")
                    pending += [
                        (f"{above}/{child}", prefix + child) for child in sorted(os.listdir(path), reverse=True)
                    ]
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone since its folder was read

    def finish(self) -> None:
        """Write the archive's end, and hand over what was collected."""
        self._out += bytes(2 * _BLOCK)
        self._flush()

    def add(self, path: str, name: str, info: os.stat_result) -> None:
        """Add one entry; of a folder nothing that is in it."""
        kind = _TYPES.get(stat.S_IFMT(info.st_mode))
        if kind is None:
            return
        if kind == tarfile.REGTYPE:
            self._add_file(path, name)
            return
        entry = _entry(name, info, kind)
        if kind == tarfile.SYMTYPE:
            entry.linkname = os.readlink(path)
        elif kind == tarfile.DIRTYPE:
            entry.name = name if name.endswith("/") else f"{name}/"
            entry.pax_headers = self._attributes(path)
        elif kind in {tarfile.CHRTYPE, tarfile.BLKTYPE}:
            entry.devmajor, entry.devminor = os.major(info.st_rdev), os.minor(info.st_rdev)
        self._head(entry)

    def _add_file(self, path: str, name: str) -> None:
        with open(os.open(path, _OPEN), "rb", buffering=0) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                return  # it was one a moment ago
            entry = _entry(name, info, tarfile.REGTYPE)
            first = self._inodes.setdefault((info.st_dev, info.st_ino), name) if info.st_nlink > 1 else name
            if first != name:
                entry.type, entry.linkname = tarfile.LNKTYPE, first
                self._head(entry)
                return
            entry.size = info.st_size
            entry.pax_headers = self._attributes(file.fileno())
            self._head(entry)
            if info.st_size <= _SMALL:
                self._pad(self._copy(file.read(info.st_size)), info.st_size)
            else:
                self._flush()
                self._pad(self._target.sendfile(file, count=info.st_size), info.st_size)

    def _attributes(self, file: str | int) -> dict[str, str]:
        """A file's own capabilities, the one attribute that Docker copies out; ``file`` is a folder's path."""
        return {} if isinstance(file, str) else read_attributes(file, ("security.capability",))

    def _head(self, entry: tarfile.TarInfo) -> None:
        self._copy(entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _copy(self, data: bytes | None) -> int:
        self._out += data or b""
        if len(self._out) > _FLUSH:
            self._flush()
        return len(data or b"")

    def _pad(self, sent: int, size: int) -> None:
        """Fill up to the size that the header promised, and to the end of the block."""
        missing = size + -size % _BLOCK - sent
        while missing:
            missing -= self._copy(bytes(min(missing, _FLUSH)))

    def _flush(self) -> None:
        self._target.sendall(self._out)
        self._out.clear()


def _entry(name: str, info: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.mode = stat.S_IMODE(info.st_mode)
    entry.uid, entry.gid = info.st_uid, info.st_gid
    entry.mtime = int(info.st_mtime)
    return entry


def read_attributes(file: str | int, wanted: tuple[str, ...]) -> dict[str, str]:
    """Read the attributes whose names begin with one of ``wanted``, as an archive's headers hold them."""
    try:
        names = sorted(name for name in os.listxattr(file) if name.startswith(wanted))
        return {f"SCHILY.xattr.{name}": os.getxattr(file, name).decode("utf-8", "surrogateescape") for name in names}
    except OSError:
        return {}  # the file system knows none

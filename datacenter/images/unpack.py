"""Unpack one image layer into the folder that overlayfs will stack."""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import stat
import tarfile
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO

import zstandard

from datacenter.images.compression import decompressed
from datacenter.images.header import StrictHeader
from datacenter.images.pace import CHUNK
from datacenter.images.tree import Parts, Tree, UnsafePath, is_whiteout, make_opaque, parts_of

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
_NO_NAME = ("", ".", "..")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PAX_XATTR = "SCHILY.xattr."
_FAULTS_OF_THE_ARCHIVE = (
    None,  # bz2's way to say that its stream is bad
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
)


class LayerError(ValueError):
    """The layer is no archive we unpack: corrupt, cut short, or reaching out of its folder."""


def unpack_layer(fileobj: IO[bytes], destination: Path, compression: str) -> None:
    """Unpack a layer's tar stream into an existing, empty folder.

    ``compression`` is gzip, zstd, xz, bzip2 or none. Owner, mode, mtime, hard and symbolic links, devices,
    fifos and the attributes ``user.*`` and ``security.capability`` are kept; whiteouts become overlayfs'
    own (character device 0/0, ``trusted.overlay.opaque``), so root's rights are needed. It reads to the end
    of the stream, and it blocks: run it in a thread. On failure the folder is left half filled.

    Raises LayerError for a bad archive, OSError when the disk fails.
    """
    try:
        source = decompressed(fileobj, compression)
        with (
            tarfile.open(
                fileobj=source,
                mode="r|",
                bufsize=CHUNK,
                tarinfo=StrictHeader,
                encoding="utf-8",
                errors="surrogateescape",
            ) as tar,
            Tree(destination) as tree,
        ):
            _Unpacker(tar, tree).run()
        while source.read(CHUNK):
            pass  # padding after the archive's end; checksums of the compression are there
    except LayerError:
        raise
    except (tarfile.TarError, zstandard.ZstdError, lzma.LZMAError) as error:
        raise LayerError(f"bad layer: {error}") from error
    except (EOFError, OverflowError, ValueError) as error:
        raise LayerError(f"bad layer: {error}") from error
    except OSError as error:
        if error.errno in _FAULTS_OF_THE_ARCHIVE:
            raise LayerError(f"bad layer: {error}") from error
        raise


class _Unpacker:
    """Places each entry of one archive, later entries over earlier ones."""

    def __init__(self, tar: tarfile.TarFile, tree: Tree) -> None:
        self._tar = tar
        self._tree = tree
        self._folder_times: dict[Parts, int] = {}

    def run(self) -> None:
        while (entry := self._tar.next()) is not None:
            self._tar.members.clear()  # type: ignore[attr-defined]  # else it remembers every entry of the layer
            self._place(entry)
        # Only now: each file that is put into a folder changes the folder's time.
        for parts, mtime in self._folder_times.items():
            fd = self._tree.existing(parts)
            if fd is not None:
                os.utime(fd, ns=(mtime, mtime))

    def _place(self, entry: tarfile.TarInfo) -> None:
        parts = parts_of(entry.name)
        if not parts:
            if entry.isdir():
                self._dress(self._tree.directory(()), entry)
                self._folder_times[()] = _mtime(entry)
            return
        *above, name = parts
        if parts[0].startswith(_AUFS) and parts[0] != _OPAQUE:
            return  # aufs' own book-keeping, no part of the image
        folder = self._tree.directory(tuple(above))
        if name == _OPAQUE:
            make_opaque(folder)
        elif name.startswith(_WHITEOUT):
            self._hide(folder, name.removeprefix(_WHITEOUT))
        elif entry.isdir():
            self._make_folder(folder, name, entry)
            self._folder_times[parts] = _mtime(entry)
        else:
            self._folder_times.pop(parts, None)
            self._replace(folder, name)
            self._make(folder, name, entry)

    def _hide(self, folder: int, name: str) -> None:
        """Hide what lower layers have by this name; what this layer itself has by it stays."""
        if name in _NO_NAME:
            raise UnsafePath(f"invalid whiteout of {name!r}")
        try:
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=folder)
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                make_opaque(fd)
                os.close(fd)

    def _replace(self, folder: int, name: str) -> None:
        """Make room for a new entry that is no folder."""
        try:
            os.lstat(name, dir_fd=folder)
        except FileNotFoundError:
            return
        self._tree.remove(folder, name)

    def _make_folder(self, folder: int, name: str, entry: tarfile.TarInfo) -> None:
        opaque = False
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
        except FileExistsError:
            info = os.lstat(name, dir_fd=folder)
            if not stat.S_ISDIR(info.st_mode):
                opaque = is_whiteout(info)
                self._tree.remove(folder, name)
                os.mkdir(name, 0o700, dir_fd=folder)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            if opaque:
                make_opaque(fd)
            self._dress(fd, entry)
        finally:
            os.close(fd)

    def _make(self, folder: int, name: str, entry: tarfile.TarInfo) -> None:
        if entry.isreg():
            self._make_file(folder, name, entry)
            return
        if entry.islnk():
            self._link(folder, name, entry)
            return
        if entry.issym():
            os.symlink(entry.linkname, name, dir_fd=folder)
        elif entry.isfifo():
            os.mkfifo(name, 0o600, dir_fd=folder)
        elif entry.ischr() or entry.isblk():
            kind = stat.S_IFCHR if entry.ischr() else stat.S_IFBLK
            os.mknod(name, kind | 0o600, os.makedev(entry.devmajor, entry.devminor), dir_fd=folder)
        else:
            raise LayerError(f"bad layer: unhandled tar header type {entry.type!r}")
        os.chown(name, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=False)
        if not entry.issym():
            os.chmod(name, entry.mode & 0o7777, dir_fd=folder)  # just made, and no link
        mtime = _mtime(entry)
        os.utime(name, ns=(mtime, mtime), dir_fd=folder, follow_symlinks=False)

    def _make_file(self, folder: int, name: str, entry: tarfile.TarInfo) -> None:
        with open(os.open(name, _NEW_FILE, 0o600, dir_fd=folder), "wb", buffering=0) as file:  # noqa: PTH123
            if entry.size:
                content = self._tar.extractfile(entry)
                assert content is not None
                shutil.copyfileobj(content, file, CHUNK)
            self._dress(file.fileno(), entry)
            mtime = _mtime(entry)
            os.utime(file.fileno(), ns=(mtime, mtime))

    def _link(self, folder: int, name: str, entry: tarfile.TarInfo) -> None:
        target = parts_of(entry.linkname)
        if not target:
            raise UnsafePath(f"invalid hard link {entry.linkname!r}")
        here = os.dup(folder)  # finding the target's folder may close ours
        try:
            there = self._tree.directory(target[:-1])
            os.link(target[-1], name, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)
        except (FileNotFoundError, PermissionError) as error:
            raise LayerError(f"bad layer: hard link to {entry.linkname!r}: {error.strerror}") from error
        finally:
            os.close(here)

    def _dress(self, fd: int, entry: tarfile.TarInfo) -> None:
        """Give an open file or folder its owner, mode and attributes (in this order: each resets the next)."""
        os.chown(fd, entry.uid, entry.gid)
        os.chmod(fd, entry.mode & 0o7777)
        for key, value in entry.pax_headers.items():
            name = key.removeprefix(_PAX_XATTR)
            if name != key and (name.startswith("user.") or name == "security.capability"):
                _set_attribute(fd, name, value.encode("utf-8", "surrogateescape"))


def _set_attribute(fd: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(fd, name, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:  # tmpfs, for one, has no user.*; Docker goes on without, too
            raise


def _mtime(entry: tarfile.TarInfo) -> int:
    """Nanoseconds; a pax header has more digits than tarfile's float keeps."""
    try:
        exact = Decimal(entry.pax_headers.get("mtime", str(entry.mtime)))
    except InvalidOperation:
        return 0
    return min(max(int(exact * 1_000_000_000), 0), 2**63 - 1)

"""Unpack a tar archive into a folder of a container, by Docker's rules. Facts: moby pkg/archive.

Runs inside the container's tree: links there are followed as the container's own processes would.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import tarfile

from datacenter.images.header import StrictHeader
from datacenter.images.tree import parts_of

_CHUNK = 1 << 20
_BUFFER = 1 << 15
"""tarfile copies what is left of its buffer at each small read, so that a bigger one is slower."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_XATTR = "SCHILY.xattr."


class RefusedError(ValueError):
    """The archive asks for what may not be; the sentence is for the user."""


def unpack(
    source: io.BufferedIOBase, *, keep_kinds: bool, owner: tuple[int, int] | None, rename: str | None = None
) -> None:
    """Unpack into the working directory, plain tar or compressed with gzip, bzip2 or xz.

    ``keep_kinds`` refuses to put a file in a folder's place and the other way round; ``owner`` is given to
    everything instead of the archive's own; ``rename`` is the name of all that comes.

    Raises RefusedError, tarfile.TarError, OSError and ValueError.
    """
    with tarfile.open(
        fileobj=source, mode="r|*", bufsize=_BUFFER, tarinfo=StrictHeader, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        Unpacker(archive, keep_kinds=keep_kinds, owner=owner, rename=rename).run()


class Unpacker:
    """Places each entry of an archive, later entries over earlier ones."""

    def __init__(
        self, archive: tarfile.TarFile, *, keep_kinds: bool, owner: tuple[int, int] | None, rename: str | None
    ) -> None:
        self._rename = rename
        self._archive = archive
        self._keep_kinds = keep_kinds
        self._owner = owner
        self._folder_times: dict[str, int] = {}
        self._above = ""

    def run(self) -> None:
        while (entry := self._archive.next()) is not None:
            self._archive.members.clear()  # type: ignore[attr-defined]  # else it remembers every entry
            self._place(entry)
        for path, mtime in self._folder_times.items():  # only now: each file put into a folder changes its time
            try:
                os.utime(path, ns=(mtime, mtime), follow_symlinks=False)
            except FileNotFoundError:
                continue  # the container removed it

    def _place(self, entry: tarfile.TarInfo) -> None:
        parts = parts_of(self._rename or entry.name)
        if not parts:
            return  # the folder itself: Docker leaves it as it is
        path = "/".join(parts)
        self._make_above("/".join(parts[:-1]))
        kept = self._make_room(path, entry)
        if entry.isdir():
            if not kept:
                os.mkdir(path)
            self._folder_times[path] = _mtime(entry)
        elif entry.isreg():
            self._make_file(path, entry)
        elif entry.islnk():
            os.link("/".join(parts_of(entry.linkname)), path, follow_symlinks=False)
            return
        elif entry.issym():
            os.symlink(entry.linkname, path)
        elif entry.isfifo():
            os.mkfifo(path)
        elif entry.ischr() or entry.isblk():
            kind = stat.S_IFCHR if entry.ischr() else stat.S_IFBLK
            os.mknod(path, kind, os.makedev(entry.devmajor, entry.devminor))
        else:
            raise RefusedError(f"unhandled tar header type {entry.type!r}")
        self._dress(path, entry)

    def _make_above(self, folder: str) -> None:
        if folder and folder != self._above:
            os.makedirs(folder, 0o755, exist_ok=True)
        self._above = folder

    def _make_room(self, path: str, entry: tarfile.TarInfo) -> bool:
        """Remove what is in the way; True for a folder that stays."""
        try:
            is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
        except FileNotFoundError:
            return False
        if is_folder and entry.isdir():
            return True
        if self._keep_kinds and is_folder:
            raise RefusedError(f'cannot overwrite directory "{path}" with non-directory "{path}"')
        if self._keep_kinds and entry.isdir():
            raise RefusedError(f'cannot overwrite non-directory "{path}" with directory "{path}"')
        self._above = ""
        if is_folder:
            shutil.rmtree(path)
        else:
            os.unlink(path)
        return False

    def _make_file(self, path: str, entry: tarfile.TarInfo) -> None:
        with open(os.open(path, _NEW_FILE, 0o600), "wb", buffering=0) as file:
            content = self._archive.extractfile(entry) if entry.size else None
            if content is not None:
                shutil.copyfileobj(content, file, _CHUNK)

    def _dress(self, path: str, entry: tarfile.TarInfo) -> None:
        """Give owner, mode, attributes and time, in this order: each resets the next."""
        uid, gid = self._owner or (entry.uid, entry.gid)
        os.chown(path, uid, gid, follow_symlinks=False)
        if entry.issym():
            return
        os.chmod(path, entry.mode & 0o7777)  # just made, and no link
        for key, value in entry.pax_headers.items():
            name = key.removeprefix(_XATTR)
            if name != key and (name == "security.capability" or name.startswith("user.")):
                _set_attribute(path, name, value.encode("utf-8", "surrogateescape"))
        if not entry.isdir():
            os.utime(path, ns=(_mtime(entry), _mtime(entry)))


def _set_attribute(path: str, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise


def _mtime(entry: tarfile.TarInfo) -> int:
    """Nanoseconds, within what file systems take."""
    return min(max(int(entry.mtime * 1_000_000_000), 0), 2**63 - 1)

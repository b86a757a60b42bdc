"""The files of images on disk: ``<root>/<uuid>/file`` (and ``icon``), and what is still coming in."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from datacenter.images.compression import decompressed, sniff
from datacenter.images.pace import CHUNK


@dataclass(frozen=True)
class Facts:
    """What is known of a whole file, all of it reckoned from its bytes."""

    size: int
    sha1: str
    md5: str
    """Base64, as Content-MD5 wants it."""
    digest: str
    compression: str
    """By the first bytes, whatever anybody says."""


class Incoming:
    """A file that is being written and hashed; it vanishes with its context unless it was placed."""

    def __init__(self, folder: Path) -> None:
        fd, name = tempfile.mkstemp(dir=folder)
        self.path = Path(name)
        self._file = os.fdopen(fd, "wb")
        self._begin()

    def _begin(self) -> None:
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._head = b""
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        if len(self._head) < 6:
            self._head = (self._head + data)[:6]
        for digest in (self._sha256, self._sha1, self._md5):
            digest.update(data)
        self._file.write(data)
        self.size += len(data)

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._begin()

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"

    def finish(self) -> Facts:
        """Close the file; it stays where it is until its context ends."""
        self._file.close()
        return Facts(
            self.size,
            self._sha1.hexdigest(),
            base64.b64encode(self._md5.digest()).decode(),
            self.digest,
            sniff(self._head),
        )


class ImageFiles:
    """One file for each image."""

    def __init__(self, root: Path, known: Collection[str]) -> None:
        """Open the store, clearing away what a killed process left: all but the files of ``known`` images."""
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._incoming = root / "incoming"
        for entry in root.iterdir():
            if entry.is_dir() and entry.name not in known:
                shutil.rmtree(entry)
        self._incoming.mkdir()

    def incoming(self) -> Incoming:
        return Incoming(self._incoming)

    def path(self, uuid: str, name: str = "file") -> Path:
        return self._root / uuid / name

    def place(self, source: Path, uuid: str, name: str = "file") -> None:
        """Make a finished file an image's own, by a hard link, in one step."""
        target = self.path(uuid, name)
        target.parent.mkdir(exist_ok=True)
        new = target.with_name("new")
        new.unlink(missing_ok=True)
        new.hardlink_to(source)
        new.rename(target)
        new.unlink(missing_ok=True)  # rename leaves it when both are the same file

    def rename(self, uuid: str, new_uuid: str) -> None:
        """Give all files of an image to one of another uuid, which has none."""
        if (self._root / uuid).exists():
            (self._root / uuid).rename(self._root / new_uuid)

    def drop(self, uuid: str, name: str) -> None:
        self.path(uuid, name).unlink(missing_ok=True)

    def remove(self, uuid: str) -> None:
        shutil.rmtree(self._root / uuid, ignore_errors=True)


def diff_id(path: Path, compression: str) -> str:
    """Reckon the digest of the plain bytes within a file. It blocks: run it in a thread.

    Raises one of BAD_STREAM when the file can't be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        plain = decompressed(file, compression)
        while chunk := plain.read(CHUNK):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"

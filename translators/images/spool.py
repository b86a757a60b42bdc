"""A stream of unknown length put on disk, decompressed and hashed on the way."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

import zstandard

from gateway.errors import InvalidParameter, Unavailable

_BLOCK = 256 * 1024
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
DAMAGED = (zlib.error, zstandard.ZstdError, EOFError)
SPARED = 1 << 30
"""Bytes that stay free on the disk (a twentieth of it, if that is less): records of all accounts are on it, too."""

_LOOK_EVERY = 64
"""Blocks between two looks at the disk."""

_REFUSED = {b"BZh": "bzip2", b"\xfd7z": "xz"}


class Source(Protocol):
    """Anything with ``read``."""

    def read(self, size: int = -1, /) -> bytes: ...


class Spool:
    """A temporary file without a name; ``digest`` is the sha256 of its (decompressed) content, ``size`` in bytes."""

    def __init__(self, file: BinaryIO, digest: str, size: int) -> None:
        self.file = file
        self.digest = digest
        self.size = size

    @classmethod
    def of(cls, source: Source, folder: Path | None) -> Self:
        """Read a source to its end, through gzip or zstd when it is compressed so.

        Raises InvalidParameter, and Unavailable before the disk is full.
        """
        file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - handed over
        digest, size = hashlib.sha256(), 0
        try:
            for number, block in enumerate(_plain(source)):
                if number % _LOOK_EVERY == 0:
                    _check_room(file)
                digest.update(block)
                size += len(block)
                file.write(block)
                time.sleep(0)  # other greenlets' turn: a big layer is a lot of hashing
        except DAMAGED as error:
            file.close()
            raise InvalidParameter(f"the archive is damaged: {error}") from error
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return cls(file, f"sha256:{digest.hexdigest()}", size)

    def pieces(self) -> Pieces:
        """The content, to be sent."""
        return Pieces(self.file, 0, self.size)

    def close(self) -> None:
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _check_room(file: BinaryIO) -> None:
    disk = os.fstatvfs(file.fileno())
    if disk.f_bavail * disk.f_frsize < min(SPARED, disk.f_blocks * disk.f_frsize // 20):
        raise Unavailable("the archive is too large for the room that is left here: try again later")


def _plain(source: Source) -> Iterator[bytes]:
    head = b""
    while len(head) < 4 and (more := source.read(_BLOCK)):
        head += more
    for magic, name in _REFUSED.items():
        if head.startswith(magic):
            raise InvalidParameter(f"archives compressed with {name} are not supported: use gzip, zstd or none")
    if head.startswith(_GZIP):
        yield from _gunzipped(head, source)
    elif head.startswith(_ZSTD):
        reader = zstandard.ZstdDecompressor().stream_reader(cast("BinaryIO", _Prefixed(head, source)))
        while block := reader.read(_BLOCK):
            yield block
    else:
        yield head
        while block := source.read(_BLOCK):
            yield block


def _gunzipped(head: bytes, source: Source) -> Iterator[bytes]:
    """Gunzip all members of a stream, in pieces of bounded size."""
    inflate, data = zlib.decompressobj(31), head
    while data:
        block = inflate.decompress(data, _BLOCK)
        if block:
            yield block
        data = inflate.unconsumed_tail or source.read(_BLOCK)
        if inflate.eof:
            data = inflate.unused_data + (b"" if inflate.unconsumed_tail else data)
            if not data.strip(b"\0"):
                return
            inflate = zlib.decompressobj(31)
    if not inflate.eof:
        raise EOFError("it ends in the middle")


class _Prefixed(io.RawIOBase):
    """A source with the bytes put back that were read to know it."""

    def __init__(self, head: bytes, source: Source) -> None:
        self._head = head
        self._source = source

    def read(self, size: int = -1) -> bytes:
        if self._head:
            block, self._head = self._head[:size], self._head[size:] if size >= 0 else b""
            return block
        return self._source.read(size)


class Slice:
    """A part of a file, as a source. The file's position is its own while it is read."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        self._file = file
        self._at = offset
        self._end = offset + size

    def read(self, size: int = -1, /) -> bytes:
        left = self._end - self._at
        size = left if size < 0 else min(size, left)
        self._file.seek(self._at)
        data = self._file.read(size)
        self._at += len(data)
        return data


class Pieces:
    """A part of a file in big pieces, as often as it is iterated; its length in bytes is known beforehand."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        self._file = file
        self._offset = offset
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        part = Slice(self._file, self._offset, self._size)
        while data := part.read(_BLOCK):
            yield data


@dataclass(frozen=True, slots=True)
class Measures:
    """What a layer's bytes are: their digest, that of what they hold, and how they are compressed."""

    digest: str
    plain_digest: str
    compression: str


def measure(source: Source) -> Measures:
    """Read a layer to its end, keeping nothing of it. Raises InvalidParameter when it is damaged."""
    raw = _Hashing(source)
    plain = hashlib.sha256()
    try:
        for block in _plain(raw):
            plain.update(block)
            time.sleep(0)
    except DAMAGED as error:
        raise InvalidParameter(f"the archive is damaged: {error}") from error
    while raw.read(_BLOCK):
        pass  # padding behind the compressed stream is part of the file
    compression = "gzip" if raw.head.startswith(_GZIP) else "zstd" if raw.head.startswith(_ZSTD) else "none"
    return Measures(raw.digest, f"sha256:{plain.hexdigest()}", compression)


class _Hashing:
    """A source that is hashed as it is read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sha256 = hashlib.sha256()
        self.head = b""

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        self.head = self.head or data[:4]
        self._sha256.update(data)
        return data

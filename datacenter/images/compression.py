"""Open a compressed layer as the tar stream inside it."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, cast

import zstandard

from datacenter.images.pace import CHUNK

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
}


class CorruptStream(ValueError):
    """The bytes are not what their compression says, or they stop too early."""


BAD_STREAM = (ValueError, EOFError, OSError, lzma.LZMAError, zstandard.ZstdError)
"""All that reading a decompressed stream may raise; bz2 says it with an OSError."""


def sniff(head: bytes) -> str:
    """Tell a layer's compression from its first bytes (six are enough); ``none`` when they name none."""
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), "none")


def decompressed(source: IO[bytes], compression: str) -> IO[bytes]:
    """Return a reader of the plain bytes of ``source``.

    ``none`` is looked into: sdc-docker itself uploads its gzipped scratch layer as ``none``, and no tar
    archive starts with the magic of a compression. Reading raises CorruptStream, or what bz2 and lzma raise.
    """
    if compression == "none":
        buffered = io.BufferedReader(cast("io.RawIOBase", source), CHUNK)
        compression = sniff(buffered.peek(6))
        source = buffered
        if compression == "none":
            return buffered
    try:
        opener = _OPENERS[compression]
    except KeyError:
        raise ValueError(f"unknown compression: {compression}") from None
    return opener(source)


class _Inflater(io.RawIOBase):
    """Gunzip in big chunks, any number of members; gzip.GzipFile reads 8 KiB at a time."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer)).cast("B")
        while True:
            if self._member.eof:
                self._pending = self._member.unused_data
                self._member = zlib.decompressobj(wbits=31)
                self._begun = False
            data = self._pending or self._source.read(CHUNK)
            if not data and self._begun:
                raise CorruptStream("unexpected end of gzip stream")
            if not data or (not self._begun and not data.strip(b"\0")):
                return 0  # the end, or the zero padding some tools put after it
            try:
                plain = self._member.decompress(data, len(view))
            except zlib.error as error:
                raise CorruptStream(f"bad gzip stream: {error}") from error
            self._begun = True
            self._pending = self._member.unconsumed_tail
            if plain:
                view[: len(plain)] = plain
                return len(plain)


def _gunzip(source: IO[bytes]) -> IO[bytes]:
    return io.BufferedReader(_Inflater(source), CHUNK)


def _unzstd(source: IO[bytes]) -> IO[bytes]:
    reader = zstandard.ZstdDecompressor().stream_reader(source, read_size=CHUNK, read_across_frames=True)
    return cast("IO[bytes]", reader)


_OPENERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    "gzip": _gunzip,
    "zstd": _unzstd,
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}

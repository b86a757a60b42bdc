"""Headers of archives that nobody vouches for."""

from __future__ import annotations

import tarfile
from typing import Self


class StrictHeader(tarfile.TarInfo):
    """A header that is an error when it is bad; tarfile alone takes it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == 0:  # nothing at all is an archive of nothing: Docker imports it
                raise tarfile.EOFHeaderError("no header") from error  # type: ignore[attr-defined]  # public, yet not in typeshed
            if not any(buf):
                raise  # the end of the archive
            raise tarfile.ReadError(str(error)) from error

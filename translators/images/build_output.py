"""What a RUN of a build writes, as the lines that clients show. Pure."""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator

_HEADER = struct.Struct(">BxxxL")
_STDERR = 2


class BuildOutput:
    """Docker's frames, however they are cut, turned into text: stderr in red, as dockerd has it.

    Facts: moby ``pkg/streamformatter`` (StderrFormatter).
    """

    def __init__(self) -> None:
        self._held = b""
        self._kind, self._rest = 0, 0
        """The stream of the frame that has begun, and how many bytes of it are still to come."""
        decoder = codecs.getincrementaldecoder("utf-8")
        self._plain, self._red = decoder("replace"), decoder("replace")

    def feed(self, data: bytes) -> Iterator[str]:
        """Yield the text in the next bytes of the stream."""
        data = self._held + data
        at = 0
        while at < len(data):
            if not self._rest:
                if len(data) - at < _HEADER.size:
                    break
                self._kind, self._rest = _HEADER.unpack_from(data, at)
                at += _HEADER.size
            piece = data[at : at + self._rest]
            at, self._rest = at + len(piece), self._rest - len(piece)
            decoder = self._red if self._kind == _STDERR else self._plain
            if text := decoder.decode(piece):
                yield f"\033[91m{text}\033[0m" if self._kind == _STDERR else text
        self._held = data[at:]

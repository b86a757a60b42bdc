"""conmon's k8s-file log: ``<time> stdout|stderr F|P <text>``, one record a line.

conmon reads the container's output 8 KiB at a time, so a line is any number of P records and one F record. Times
are local with 9 digits and an offset, all of one width, so that they sort as text.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import groupby
from operator import itemgetter

from datacenter.node.frames import STDERR, STDOUT

BLOCK = 256 * 1024
TAIL_BLOCK = 64 * 1024
PARTIAL_MAX = 16 * 1024
"""Bytes of an unfinished line after which Docker gives it out in parts."""

STAMP = 29
"""Length of ``2026-11-23T18:04:52.123456789``; an offset of 6 follows."""
TEXT = 45
FLAG = slice(43, 44)
RECORD = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}[+-]\d\d:\d\d (?:stdout|stderr) [FP] ", re.ASCII)
KINDS = {b"stdout": STDOUT, b"stderr": STDERR}
_of_one_kind = itemgetter(slice(STAMP, TEXT))

Lines = tuple[int, list[bytes]]
"""A stream and lines of it, each with its newline."""


class Bound:
    """A moment in the log's own notation, to compare records with."""

    def __init__(self, seconds: str) -> None:
        """Read epoch seconds with up to 9 decimals. Raises ValueError."""
        try:
            moment = Decimal(seconds)
            whole = int(moment.to_integral_value("ROUND_FLOOR"))
            nanos = int((moment - whole) * 1_000_000_000)
            day = datetime.fromtimestamp(whole, tz=UTC)
        except (InvalidOperation, OverflowError, OSError) as error:
            raise ValueError(f"not epoch seconds: {seconds}") from error
        self.seconds = float(moment)
        self.stamp = f"{day:%Y-%m-%dT%H:%M:%S}.{nanos:09d}".encode()


class LineMaker:
    """Make the container's lines from records, within two bounds, of the wanted streams."""

    def __init__(
        self,
        *,
        wanted: frozenset[int] = frozenset((STDOUT, STDERR)),
        timestamps: bool = False,
        since: Bound | None = None,
        until: Bound | None = None,
    ) -> None:
        self.past = False
        """A record after ``until`` was seen; nothing more will come."""
        self._wanted = wanted
        self._timestamps = timestamps
        self._since = since.stamp if since else b""
        self._until = until.stamp if until else None
        self._held: dict[int, bytes] = {}

    @property
    def holds(self) -> bool:
        """Whether the beginning of a line was taken in that is not given out yet."""
        return any(self._held.values())

    def feed(self, block: bytes) -> Iterator[Lines]:
        """Yield the lines of a block of whole records, in the log's order."""
        records = block.split(b"\n")
        if not records[-1]:
            records.pop()
        for mark, group in groupby(records, key=_of_one_kind):
            run = list(group)
            if mark[:7] != b"+00:00 " or mark[7:13] not in KINDS or mark[13:] not in (b" F ", b" P "):
                yield from self._foreign(run)
                continue
            kind = KINDS[mark[7:13]]
            if kind in self._wanted:
                yield from self._run(kind, mark[14:15] == b"F", run)

    def rest(self) -> Iterator[Lines]:
        """Yield what was written after the last newline."""
        for kind, text in self._held.items():
            if text:
                yield kind, [text]
        self._held.clear()

    def _run(self, kind: int, whole: bool, run: list[bytes]) -> Iterator[Lines]:
        run = self._between(run)
        if not run:
            return
        if not whole:
            yield from self._hold(kind, run)
            return
        lines: list[bytes] = []
        if kind in self._held:
            lines.append(self._held.pop(kind) + run[0][TEXT:] + b"\n")
            run = run[1:]
        if self._timestamps:
            lines += [record[:STAMP] + b"Z " + record[TEXT:] + b"\n" for record in run]
        else:
            lines += [record[TEXT:] + b"\n" for record in run]
        yield kind, lines

    def _between(self, run: list[bytes]) -> list[bytes]:
        if self._since and run[0][:STAMP] < self._since:
            run = [record for record in run if record[:STAMP] >= self._since]
        if self._until and run and run[-1][:STAMP] > self._until:
            self.past = True
            run = [record for record in run if record[:STAMP] <= self._until]
        return run

    def _hold(self, kind: int, run: list[bytes]) -> Iterator[Lines]:
        """Keep the beginning of a line, giving it out in parts when it grows long. It has one timestamp."""
        for record in run:
            if kind not in self._held:
                self._held[kind] = record[:STAMP] + b"Z " if self._timestamps else b""
            self._held[kind] += record[TEXT:]
            if len(self._held[kind]) >= PARTIAL_MAX:
                yield kind, [self._held[kind]]
                self._held[kind] = b""

    def _foreign(self, run: list[bytes]) -> Iterator[Lines]:
        """Records in another time zone; broken ones are left out."""
        utc = [_to_utc(record) for record in run if RECORD.match(record)]
        if utc:
            yield from self.feed(b"\n".join(utc))


def _to_utc(record: bytes) -> bytes:
    stamp, offset = record[:STAMP].decode(), record[STAMP : STAMP + 6].decode()
    east = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    moment = datetime.fromisoformat(stamp[:19]) - (east if offset[0] == "+" else -east)
    return f"{moment.isoformat()}{stamp[19:]}+00:00".encode() + record[STAMP + 6 :]


class LogFile:
    """An open log, read in blocks of whole records. conmon may still be writing it."""

    def __init__(self, file: io.BufferedReader | io.FileIO) -> None:
        self.file = file
        self._held = b""

    def blocks(self, end: int | None = None) -> Iterator[bytes]:
        """Yield what is there now, up to offset ``end``; a record being written waits for the next call."""
        while True:
            room = BLOCK if end is None else min(BLOCK, end - self.file.tell())
            data = self.file.read(room) if room > 0 else b""
            if not data:
                return
            cut = data.rfind(b"\n") + 1
            if cut:
                yield self._held + data[:cut]
                self._held = data[cut:]
            else:
                self._held += data

    @property
    def inode(self) -> int:
        return os.fstat(self.file.fileno()).st_ino

    @property
    def offset(self) -> int:
        """Where the next record begins that was not yet given out."""
        return self.file.tell() - len(self._held)

    def seek(self, offset: int) -> None:
        """Go to where a record begins."""
        self.file.seek(offset)
        self._held = b""

    def close(self) -> None:
        self.file.close()

    def seek_tail(self, lines: int) -> int:
        """Go to where the last ``lines`` lines begin, reading backwards no more than they take.

        Returns how many lines the file lacks.
        """
        offset, missing = tail_offset(self.file, lines)
        self.seek(offset)
        return missing

    def seek_since(self, since: Bound) -> None:
        """Go near the first record not before ``since``, by halving: no more than a block before it."""
        low, high = 0, self.file.seek(0, io.SEEK_END)
        while high - low > TAIL_BLOCK:
            middle = (low + high) // 2
            self.file.seek(middle)
            data = self.file.read(BLOCK)
            found = RECORD.match(data, data.find(b"\n") + 1)
            if found and found[0][STAMP : STAMP + 6] == b"+00:00" and found[0][:STAMP] < since.stamp:
                low = middle
            else:
                high = middle
        self.file.seek(low)
        if low:
            self.file.seek(low + self.file.read(BLOCK).find(b"\n") + 1)
        self._held = b""


def tail_offset(file: io.BufferedReader | io.FileIO, lines: int) -> tuple[int, int]:
    """Where the last ``lines`` lines of a log begin, and how many it lacks. An unfinished line at the end counts."""
    at = end = file.seek(0, io.SEEK_END)
    held = b""
    found = 0
    while at > 0:
        start = max(0, at - TAIL_BLOCK)
        file.seek(start)
        held = file.read(at - start) + held
        at = start
        first = 0 if at == 0 else held.find(b"\n") + 1
        if not first and at:
            continue
        offset = at + len(held)
        for record in reversed(held[first:].split(b"\n")):
            offset -= len(record) + 1
            ends_line = record[FLAG] == b"F" or (found == 0 and record[FLAG] == b"P")
            if ends_line:
                if found == lines:
                    return offset + len(record) + 2, 0
                found += 1
        held = held[:first]
    return (0, lines - found) if lines else (end, 0)

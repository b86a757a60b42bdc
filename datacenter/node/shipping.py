"""Send what containers write to the receivers their log drivers name, line by line, from conmon's log.

The log on the node is the buffer: what a receiver missed while it was away, or while the agent was, is sent later. A
receiver is reached through the container's own network, so that nobody gets at what only the node can reach.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import msgspec
from gevent import socket

from datacenter.clock import epoch
from datacenter.node import netlink
from datacenter.node.frames import STDERR, STDOUT
from datacenter.node.logfile import STAMP, LineMaker, LogFile
from datacenter.node.logfiles import LogReader, changes
from datacenter.node.receivers import Entry, Receiver, receiver_of
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Zone

CONNECT_WITHIN = 5.0
FIRST_RETRY, LAST_RETRY = 0.1, 5.0
DRAIN = 5.0
"""Seconds that the end of a container's output may take on its way; its network is taken down afterwards."""

logger = logging.getLogger(__name__)


class Shipper:
    """One greenlet for each running zone whose log goes to a receiver. ``hostname`` is what the node is called."""

    def __init__(self, namespaces: Path, hostname: str) -> None:
        self._namespaces = namespaces
        self._hostname = hostname
        self._opened: dict[str, Outlet] = {}
        self._going: dict[str, gevent.Greenlet] = {}

    def begin(self, zone: Zone) -> None:
        """Connect to the receiver before the zone's process runs. Raises TaskError LogDriverFailed."""
        outlet = self._outlet(zone)
        if outlet is None:
            return
        try:
            outlet.open()
        except OSError as error:
            raise TaskError("LogDriverFailed", f"dial {outlet}: {error.strerror or error}") from error
        self._opened[zone.uuid] = outlet

    def watch(self, zone: Zone) -> None:
        """Ship the log of a running zone for as long as this life of it lasts."""
        outlet = self._opened.pop(zone.uuid, None) or self._outlet(zone)
        if outlet is not None:
            self._going[zone.uuid] = gevent.spawn(_ship, zone, outlet)

    def drain(self, zone: Zone) -> None:
        """Let the rest of an ended zone's log go out."""
        unused = self._opened.pop(zone.uuid, None)
        if unused is not None:
            unused.close()
        going = self._going.pop(zone.uuid, None)
        if going is None:
            return
        going.join(timeout=DRAIN)
        if not going.ready():
            logger.warning("the end of the log of %s was not sent: its receiver does not take it", zone.uuid)
            going.kill()

    def _outlet(self, zone: Zone) -> Outlet | None:
        receiver = receiver_of(zone, self._hostname)
        return Outlet(receiver, self._namespaces / zone.uuid) if receiver else None


class Outlet:
    """A connection to a receiver, through a network namespace."""

    def __init__(self, receiver: Receiver, namespace: Path) -> None:
        self.receiver = receiver
        self._namespace = namespace
        self._socket: socket.socket | None = None

    def __str__(self) -> str:
        return f"{self.receiver.protocol} {self.receiver.host}:{self.receiver.port}"

    def open(self) -> None:
        """Connect. Names are resolved as the node resolves them. Raises OSError."""
        if not self._namespace.exists():
            raise OSError(errno.ENETUNREACH, "connect: network is unreachable")
        kind = socket.SOCK_STREAM if self.receiver.protocol == "tcp" else socket.SOCK_DGRAM
        family, kind, protocol, _, address = socket.getaddrinfo(self.receiver.host, self.receiver.port, type=kind)[0]
        with netlink.inside(self._namespace):
            opened = socket.socket(family, kind, protocol)
        opened.settimeout(CONNECT_WITHIN)
        try:
            opened.connect(address)
        except BaseException:
            opened.close()
            raise
        self._socket = opened

    def send(self, messages: list[bytes]) -> None:
        """Send messages, over TCP until they are taken; a datagram that nobody takes is gone, as with dockerd."""
        if self.receiver.protocol == "udp":
            for message in messages:
                self._throw(message)
            return
        data, pause = b"".join(messages), FIRST_RETRY
        while data:
            try:
                if self._socket is None:
                    self.open()
                assert self._socket is not None
                self._socket.sendall(data)
                return
            except OSError:
                self.close()
                gevent.sleep(pause)
                pause = min(pause * 2, LAST_RETRY)

    def _throw(self, message: bytes) -> None:
        with suppress(OSError):
            if self._socket is None:
                self.open()
            assert self._socket is not None
            self._socket.send(message)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Place(msgspec.Struct):
    """How far a zone's log has been sent: a file by its inode, and where its next record begins."""

    inode: int
    offset: int

    @classmethod
    def load(cls, path: Path) -> Place:
        """Read a place back. A log that nobody has sent anything of begins at its beginning."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.DecodeError):
            return cls(0, 0)

    def save(self, path: Path) -> None:
        fresh = path.with_suffix(".new")
        with suppress(FileNotFoundError):  # the zone is being destroyed
            fresh.write_bytes(msgspec.json.encode(self))
            fresh.replace(path)

    def begin(self, files: list[LogFile]) -> list[LogFile]:
        """Leave what was not yet sent of a log's files; all of them when the file is none of theirs."""
        for number, log in enumerate(files):
            if log.inode == self.inode:
                log.seek(self.offset)
                for sent in files[:number]:
                    sent.close()
                return files[number:]
        return files


def _ship(zone: Zone, outlet: Outlet) -> None:
    """Send the log as it grows, and its end; then close."""
    kept = zone.folder / "shipped"
    reader = LogReader(zone.log_path, Place.load(kept).begin)
    entries = Entries()
    try:
        with changes(zone) as (changed, ending):
            while True:
                changed.clear()
                over = ending.seen.is_set()
                for block in reader.blocks():
                    outlet.send([message for entry in entries.feed(block) for message in outlet.receiver.encode(entry)])
                if over:
                    break
                if not entries.holds:
                    Place(*reader.place()).save(kept)
                changed.wait()
        outlet.send([message for entry in entries.rest() for message in outlet.receiver.encode(entry)])
        Place(*reader.place()).save(kept)
    finally:
        reader.close()
        outlet.close()


class Entries:
    """Make entries from records. A line that is given out in pieces has the time of its first one."""

    def __init__(self) -> None:
        self._maker = LineMaker(timestamps=True)
        self._unfinished = {STDOUT: False, STDERR: False}
        self._nanos = dict.fromkeys(self._unfinished, 0)

    @property
    def holds(self) -> bool:
        return self._maker.holds

    def feed(self, block: bytes) -> Iterator[Entry]:
        for kind, lines in self._maker.feed(block):
            yield from self._read(kind, lines)

    def rest(self) -> Iterator[Entry]:
        """What was written after the last newline."""
        for kind, lines in self._maker.rest():
            yield from self._read(kind, lines)

    def _read(self, kind: int, lines: list[bytes]) -> Iterator[Entry]:
        for line in lines:
            text = line
            if not self._unfinished[kind]:
                self._nanos[kind] = int(epoch(f"{line[:19].decode()}Z")) * 1_000_000_000 + int(line[20:STAMP])
                text = line[STAMP + 2 :]
            whole = line.endswith(b"\n")
            self._unfinished[kind] = not whole
            yield Entry(kind, text.removesuffix(b"\n"), self._nanos[kind], whole)

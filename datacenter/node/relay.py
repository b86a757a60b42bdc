"""Move a process's output to a client in big batches: read until nothing waits, frame in place, send once."""

from __future__ import annotations

import errno
import os
from types import TracebackType
from typing import Self

from gevent import get_hub
from gevent.socket import wait_write

from datacenter.node.client import Client
from datacenter.node.frames import STDERR, STDOUT, Batch, FrameBatch

READ = 1
CONMON_STREAMS = {2: STDOUT, 3: STDERR}


class Source:
    """A descriptor that is read without blocking. Owns it; a context manager that closes it."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._watcher = get_hub().loop.io(fd, READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self.fd >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self.fd)
            self.fd = -1

    def wait(self) -> None:
        get_hub().wait(self._watcher)

    def read_into(self, room: memoryview) -> int | None:
        """How many bytes were read: 0 at the end, None when nothing waits."""
        try:
            return os.readv(self.fd, [room])
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in (errno.EIO, errno.ECONNRESET):  # a terminal's last user left; conmon died
                return 0
            raise

    def fill(self, batch: Batch) -> bool:
        """Move what waits into the batch; False at the end."""
        raise NotImplementedError


class Stream(Source):
    """A pipe or a terminal's master: all its bytes are one output stream."""

    def __init__(self, fd: int, kind: int) -> None:
        super().__init__(fd)
        self.kind = kind

    def fill(self, batch: Batch) -> bool:
        while not batch.full:
            size = self.read_into(batch.space())
            if size is None:
                return True
            if size == 0:
                batch.finish(self.kind)
                return False
            batch.add(self.kind, size)
        return True


class Packets(Source):
    """conmon's attach socket: packets of at most 8 KiB that name their stream in the first byte.

    ``wanted`` are the output kinds to pass on; the others are read and dropped.
    """

    def __init__(self, fd: int, wanted: frozenset[int]) -> None:
        super().__init__(fd)
        self._wanted = wanted

    def fill(self, batch: Batch) -> bool:
        while not batch.full:
            room = batch.space(lead=1)
            size = self.read_into(room)
            if size is None:
                return True
            if size == 0:
                for kind in self._wanted:
                    batch.finish(kind)
                return False
            kind = CONMON_STREAMS.get(room[0], STDOUT)
            if kind in self._wanted:
                batch.add(kind, size - 1)
        return True


def relay(source: Source, client: Client) -> None:
    """Pass a source on to its end, also when the client has left: its process must not block on a full pipe."""
    batch = client.framing.batch()
    going = True
    while going:
        source.wait()
        going = source.fill(batch)
        client.send(batch.take())
        batch.rest()


def drain(source: Source) -> None:
    """Read a source to its end for nobody."""
    batch = FrameBatch()
    while source.fill(batch):
        batch.take()
        batch.rest()
        source.wait()


def write_all(fd: int, data: bytes) -> None:
    """Write to a non-blocking descriptor, letting other greenlets run. Raises OSError when nobody reads it."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            wait_write(fd)

"""What a container wrote: replay and follow its log.

Docker: GET /containers/{id}/logs   SDC: CNAPI docker-exec {Logs: true}
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
from gevent import get_hub, socket
from gevent.event import Event

from datacenter.node.client import Client, rendezvous
from datacenter.node.ending import Ending
from datacenter.node.frames import DETACH, STDERR, STDIN_EOF, STDOUT, Framing, ProtocolError
from datacenter.node.logfile import Bound, LineMaker, LogFile
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Zone


class LogQuery:
    """Which part of a log is asked for. Raises TaskError InvalidParameters."""

    def __init__(self, command: dict[str, Any]) -> None:
        self.follow = _true(command.get("Follow"))
        self.timestamps = _true(command.get("Timestamps"))
        kinds = {STDOUT: command.get("Stdout", True), STDERR: command.get("Stderr", True)}
        self.wanted = frozenset(kind for kind, asked in kinds.items() if _true(asked))
        self.tail = _tail(command.get("Tail"))
        self.since = _bound(command.get("Since"))
        self.until = _bound(command.get("Until"))

    def maker(self) -> LineMaker:
        return LineMaker(wanted=self.wanted, timestamps=self.timestamps, since=self.since, until=self.until)


def _true(value: Any) -> bool:
    return value in (True, "true", "1", 1)


def _tail(value: Any) -> int | None:
    """Lines from the end; None for all.

    What is no number means all, as with Docker; so does "+1", which ``tail -n`` of a real node reads as "from the
    first line on".
    """
    if isinstance(value, str) and value.startswith("+"):
        return None
    try:
        count = int(value)
    except (TypeError, ValueError):
        return None
    return count if count >= 0 else None


def _bound(value: Any) -> Bound | None:
    if value in (None, "", "0", 0):
        return None
    try:
        return Bound(str(value))
    except ValueError as error:
        raise TaskError("InvalidParameters", str(error)) from error


def serve_logs(zone: Zone, command: dict[str, Any], framing: Framing) -> int:
    """Open a port on which the log is given out; returns the port. Works for stopped containers too.

    With Follow the stream ends by itself when the container has ended; a FIN of the client ends it any time.
    """
    query = LogQuery(command)

    def serve(connection: socket.socket) -> None:
        client = Client(connection, framing)
        reading = gevent.spawn(_leave, client)
        try:
            send_log(zone, query, client, reading)
        finally:
            reading.kill()
        client.close()

    return rendezvous(serve)


def _leave(client: Client) -> None:
    try:
        for event in client.events():
            if event.kind in (DETACH, STDIN_EOF):
                return
    except ProtocolError:
        return


class LogReader:
    """A zone's log from where the query begins, on through conmon's changes of file."""

    def __init__(self, path: Path, query: LogQuery) -> None:
        self._path = path
        self._query = query
        self._log: LogFile | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield what is there now and was not yet read."""
        if self._log is None:
            self._open(begin=True)
        elif self._log is not None:
            yield from self._log.blocks()
            if not self._is_current():
                yield from self._log.blocks()
                self.close()
                self._open(begin=False)
        if self._log is not None:
            yield from self._log.blocks()

    def _open(self, *, begin: bool) -> None:
        try:
            self._log = LogFile(self._path.open("rb", buffering=0))
        except FileNotFoundError:
            return
        if begin and self._query.tail is not None:
            self._log.seek_tail(self._query.tail)
        elif begin and self._query.since is not None:
            self._log.seek_since(self._query.since)

    def _is_current(self) -> bool:
        assert self._log is not None
        try:
            return self._path.stat().st_ino == os.fstat(self._log.file.fileno()).st_ino
        except FileNotFoundError:
            return True

    def close(self) -> None:
        if self._log is not None:
            self._log.file.close()
            self._log = None


def send_log(zone: Zone, query: LogQuery, client: Client, reading: gevent.Greenlet) -> None:
    """Send the lines asked for, and with Follow those to come, until the container ends or the client leaves."""
    maker = query.maker()
    reader = LogReader(zone.log_path, query)
    try:
        with _changes(zone) as (changed, ending):
            while True:
                changed.clear()
                last = ending.seen.is_set() or not query.follow
                for block in reader.blocks():
                    client.lines(maker.feed(block))
                    gevent.sleep(0)  # a long log of which little is wanted must not hold the others up
                    if maker.past or reading.ready():
                        break
                if last or maker.past or not _wait(changed, reading, query.until):
                    break
        client.lines(maker.rest())
    finally:
        reader.close()


@contextmanager
def _changes(zone: Zone) -> Iterator[tuple[Event, Ending]]:
    """An event set when the log's file changes or the zone ends; the loop's one inotify serves all followers."""
    changed = Event()
    ending = Ending(zone, wake=changed)
    watcher = get_hub().loop.stat(str(zone.log_path), 0)
    watcher.start(changed.set)
    try:
        yield changed, ending
    finally:
        ending.forget()
        watcher.stop()
        watcher.close()


def _wait(changed: Event, reading: gevent.Greenlet, until: Bound | None) -> bool:
    """Wait for news; False when the client left or ``until`` has passed."""
    left = None if until is None else until.seconds - time.time()
    if reading.ready() or (left is not None and left <= 0):
        return False
    gevent.wait([changed, reading], timeout=left, count=1)
    return not reading.ready()

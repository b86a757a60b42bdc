"""What a container wrote: replay and follow its log.

Docker: GET /containers/{id}/logs   SDC: CNAPI docker-exec {Logs: true}
"""

from __future__ import annotations

import time
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event

from datacenter.node.client import Client, Listener, rendezvous
from datacenter.node.frames import DETACH, STDERR, STDIN_EOF, STDOUT, Framing, ProtocolError
from datacenter.node.logfile import Bound, LineMaker, LogFile
from datacenter.node.logfiles import Begin, LogReader, changes, everything, from_tail
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

    def begin(self) -> Begin:
        """Where to begin reading."""
        if self.tail is not None:
            return from_tail(self.tail)
        since = self.since
        return everything if since is None else lambda files: _near(files, since)

    def maker(self) -> LineMaker:
        return LineMaker(wanted=self.wanted, timestamps=self.timestamps, since=self.since, until=self.until)


def _near(files: list[LogFile], since: Bound) -> list[LogFile]:
    for log in files:
        log.seek_since(since)
    return files


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
        reading = client.listen(_leave)
        try:
            send_log(zone, query, client, reading)
        finally:
            reading.stop()
        client.close()

    return rendezvous(serve)


def _leave(client: Client) -> None:
    try:
        for event in client.events():
            if event.kind in (DETACH, STDIN_EOF):
                return
    except ProtocolError:
        return


def send_log(zone: Zone, query: LogQuery, client: Client, reading: Listener) -> None:
    """Send the lines asked for, and with Follow those to come, until the container ends or the client leaves."""
    maker = query.maker()
    reader = LogReader(zone.log_path, query.begin())
    try:
        with changes(zone) as (changed, ending):
            while True:
                changed.clear()
                last = ending.seen.is_set() or not query.follow
                for block in reader.blocks():
                    client.lines(maker.feed(block))
                    gevent.sleep(0)  # a long log of which little is wanted must not hold the others up
                    if maker.past or reading.over.is_set():
                        break
                if last or maker.past or not _wait(changed, reading, query.until):
                    break
        client.lines(maker.rest())
    finally:
        reader.close()


def _wait(changed: Event, reading: Listener, until: Bound | None) -> bool:
    """Wait for news; False when the client left or ``until`` has passed."""
    left = None if until is None else until.seconds - time.time()
    if reading.over.is_set() or (left is not None and left <= 0):
        return False
    gevent.wait([changed, reading.over], timeout=left, count=1)
    return not reading.over.is_set()

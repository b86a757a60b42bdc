"""The events of an account: what the log has of a window of time, and what is added while the client stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.call import Call
from gateway.state.event_log import Event, EventLog
from translators.events.message import message
from translators.events.selection import ACCEPTED, Test, chooser, window
from translators.filters import parse_filters

_NANO = 1e9


@dataclass(frozen=True, slots=True)
class Listener:
    """What one client asked for. ``place`` is where the log ended when it asked."""

    log: EventLog
    owner_uuid: str
    wants: Test
    since: int | None
    until: int | None
    place: int

    def events(self) -> Iterator[Event]:
        """Yield history, when a time was given, and then what comes, until ``until`` or for ever."""
        place = self.place
        if self.since is not None or self.until is not None:
            place = self.log.before(self.owner_uuid, self.since or 0)
        with self.log.listening() as news:
            while True:
                ended = self.until is not None and time.time_ns() > self.until
                news.clear()
                for event in self._after(place):
                    if self.until is not None and event.moment > self.until:
                        return
                    place = event.place
                    if self.wants(event.what):
                        yield event
                if ended:
                    return
                news.wait(None if self.until is None else max(0.0, (self.until - time.time_ns()) / _NANO))

    def _after(self, place: int) -> Iterator[Event]:
        while events := self.log.read(self.owner_uuid, after=place):
            yield from events
            place = events[-1].place


def listen(call: Call) -> Iterator[dict[str, Any]]:
    """Begin to listen, and return what yields events in Docker's form. Raises InvalidParameter.

    Docker: GET /events   SDC: - (the gateway's own log)
    """
    since, until = window(call.arg("since"), call.arg("until"))
    wants = chooser(parse_filters(call.arg("filters"), ACCEPTED))
    log = call.state.events
    listener = Listener(log, call.owner.uuid, wants, since, until, log.head())
    return (message(event, call.version) for event in listener.events())

"""The end of a zone's present life, remembered however soon the zone is started again."""

from __future__ import annotations

from typing import Any

from gevent.event import Event

from datacenter.node.zone import Zone


class Ending:
    """Notes the next end of a zone, or that it has ended already. ``code`` is the exit status once ``seen`` is set."""

    def __init__(self, zone: Zone, wake: Event | None = None) -> None:
        self.seen = Event()
        self.code: int | None = None
        self._zone = zone
        self._wake = wake
        if zone.ended.is_set():
            self._note()
        else:
            zone.ended.rawlink(self._note)

    def _note(self, _: Any = None) -> None:
        self.code = self._zone.exit_status
        self.seen.set()
        if self._wake is not None:
            self._wake.set()

    def forget(self) -> None:
        """Stop waiting for it."""
        self._zone.ended.unlink(self._note)

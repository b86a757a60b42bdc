"""Restart policies: whether a zone that has ended is started again, and after how long.

The policy is ``docker:restartpolicy``: ``always``, ``unless-stopped``, ``on-failure`` or ``on-failure:<most>``. A zone
that waits for its next start is ``stopped`` for SDC, with the ``zone_state`` ready: set up, its process not running.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.event import Event

from datacenter.clock import epoch
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Life, Zone

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 60.0
STEADY = 10.0
"""Seconds after which a run was a good one: the next pause is the first again."""


def wants_restart(policy: str, life: Life, *, host_booted: bool = False) -> bool:
    """Whether a policy starts a zone again that ended as ``life`` tells.

    ``host_booted``: the question is what to start after a boot of the host, where ``always`` is taken at its word,
    and so is ``on-failure``; at other times what somebody stopped stays stopped.
    """
    if life.halted and (not host_booted or policy == "unless-stopped"):
        return False
    name, _, most = policy.partition(":")
    if name == "on-failure":
        return life.exit_status != 0 and (not most or life.restart_count < int(most))
    return name in {"always", "unless-stopped"}


def next_pause(last: float, ran: float) -> float:
    """Seconds to wait after a run of ``ran`` seconds, when the pause before it was ``last``."""
    return FIRST_PAUSE if ran >= STEADY or last == 0 else min(last * 2, LONGEST_PAUSE)


def plan(zone: Zone, life: Life) -> dict[str, Any]:
    """The fields that the policy changes in ``life``, a life that is over."""
    if not wants_restart(zone.restart_policy, life):
        return {"waiting": False}
    pause = next_pause(life.backoff, _seconds_of(life))
    return {"waiting": True, "backoff": pause, "restart_count": life.restart_count + 1}


def _seconds_of(life: Life) -> float:
    if not life.boot_timestamp:
        return 0.0
    return time.time() - epoch(life.boot_timestamp)


class Restarts:
    """The zones that wait for their next start. ``boot`` is called with the zone's lock held."""

    def __init__(self, boot: Callable[[Zone], None]) -> None:
        self._boot = boot
        self._timers: dict[str, gevent.Greenlet] = {}
        self._open = Event()

    def begin(self, zones: Iterable[Zone], *, host_booted: bool) -> None:
        """Carry on where an earlier agent stopped; until now nothing was started.

        After a boot of the host also what somebody had stopped is started, where its policy says so.
        """
        for zone in zones:
            life = zone.life
            ran = life.state == "stopped" and life.boot_timestamp is not None
            if host_booted and ran and wants_restart(zone.restart_policy, life, host_booted=True):
                zone.note_life(waiting=True, backoff=0.0)
            if life.waiting and zone.uuid not in self._timers:
                self.schedule(zone)
        self._open.set()

    def schedule(self, zone: Zone) -> None:
        """Start a zone after its pause, unless it is started or stopped before."""
        self._timers[zone.uuid] = gevent.spawn(self._start_later, zone)

    def forget(self, zone: Zone) -> None:
        self._timers.pop(zone.uuid, None)

    def _start_later(self, zone: Zone) -> None:
        self._open.wait()
        gevent.sleep(zone.life.backoff)
        with zone.lock:
            if zone.life.waiting and self._timers.get(zone.uuid) is gevent.getcurrent():
                self.forget(zone)
                try:
                    self._boot(zone)
                except TaskError:
                    pass  # told to VMAPI: like dockerd, no policy starts what can't be started

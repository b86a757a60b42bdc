"""Tell events: what a call did, what it is about to cause, and what was seen of a VM. All workers write one log.

A turn of a container's life (create, start, die, destroy) may be seen by the call that caused it, by the feed in
another worker, and by a later listing. The journal says how far each story has been told; reading it, telling
and noting that are one transaction, so that every turn is told once, and in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.call import Call
from gateway.errors import DeadlineExceeded
from gateway.state.container_journal import Announcement, Chapter
from gateway.state.event_log import Happening
from gateway.state.image_records import ImageRecord
from gateway.state.undertakings import ENDING
from sdc.errors import SdcError
from translators.containers.networks import shown_name
from translators.containers.packages import package_name
from translators.events import actors
from translators.events.story import Turn, due, started, unread
from translators.jobs import pauses

Vm = dict[str, Any]
Announced = tuple[str, dict[str, str], float | None]
"""Action, attributes, and the seconds after which it is to happen by force, if at all."""
Reading = tuple[list[Turn], Chapter | None]

FEED_TRIES = 12
"""How often a call looks whether the feed has told what it has just brought about: half a second in all."""


def tell(call: Call, vm: Vm, action: str, **attributes: str) -> None:
    """Tell an event of a container that is no turn of its life: ``attach``, ``rename``, ``exec_start: ls`` ..."""
    tell_happening(call, vm["owner_uuid"], actors.container(vm, action, package_name(call, vm), **attributes))


def tell_image(call: Call, record: ImageRecord, action: str, *, actor_id: str = "", name: str = "") -> None:
    """Tell an event of an image; ``actor_id`` and ``name`` are its id unless told otherwise."""
    tell_happening(call, record.owner_uuid, actors.image(record, action, actor_id=actor_id, name=name))


def tell_prune(call: Call, kind: str, reclaimed: int) -> None:
    """Tell that an account's unused containers, images ... were removed, and the bytes won by it."""
    attributes = {"reclaimed": str(reclaimed)}
    tell_happening(call, call.owner.uuid, Happening(type=kind, action="prune", actor_id="", attributes=attributes))


def tell_happening(call: Call, owner_uuid: str, what: Happening) -> None:
    """Tell any event: of a network, a volume ..."""
    with call.state.events.writing():
        call.state.events.append(owner_uuid, what)


def observe(call: Call, vm: Vm, *, new: bool = False, given_up: bool = False) -> None:
    """Tell what a VM, as it was just seen, adds to its container's story; mostly nothing.

    A container of which nothing was ever noted is new; but before everything was listed once it is an old one,
    and noted only, unless the caller knows it to be ``new``. ``given_up``: an exit code that has not come by now
    will not come.
    """

    def read(chapter: Chapter | None) -> Reading:
        turns, after = unread(chapter, vm, given_up=given_up)
        known = chapter is not None or new or call.state.journal.begun()
        return turns if known else [], after

    before = call.state.journal.read(vm["uuid"])
    if read(before) != ([], before):
        _tell_turns(call, vm, read)


@contextmanager
def starting(call: Call, vm: Vm) -> Iterator[None]:
    """Tell the start that the block carries out, unless the feed was faster."""
    observe(call, vm)
    before = _runs(call, vm)
    yield
    _tell_turns(call, vm, lambda chapter: _unless_told(chapter, before))


def _unless_told(chapter: Chapter | None, before: int) -> Reading:
    if chapter is None or chapter.runs > before or chapter.gone:
        return [], chapter
    return started(chapter)


def _runs(call: Call, vm: Vm) -> int:
    chapter = call.state.journal.read(vm["uuid"])
    return chapter.runs if chapter else 0


@contextmanager
def restarting(call: Call, vm: Vm) -> Iterator[None]:
    """Tell the start of a restart, and the restart. How the run before ended only the feed sees: it comes first."""
    observe(call, vm)
    before = _runs(call, vm)
    yield
    _give_time(lambda: _runs(call, vm) > before)
    _tell_turns(call, vm, lambda chapter: _unless_told(chapter, before))
    tell(call, vm, "restart")


def _give_time(told: Callable[[], bool]) -> None:
    """Let the worker that hears the feed be the first: it sees more than who only knows that a job is done."""
    for pause in islice(pauses(), FEED_TRIES):
        if told():
            return
        time.sleep(pause)


@dataclass(slots=True)
class Ending:
    """Announcements of a call that is about to end a container, or to send it a signal."""

    call: Call
    vm: Vm
    token: str
    begun: bool = False
    """The first announcement was told already, by a call whose worker died over it."""

    def sent(self) -> None:
        """Tell the first announcement: the data center has accepted to do it."""
        if not self.begun:
            self._tell(most=1)

    def done(self) -> None:
        """Tell what the container's end has not told yet; what was to happen by force did not."""
        state = self.call.state
        if state.journal.awaits_force(self.token):
            _give_time(lambda: not state.journal.awaits_force(self.token))
        self._tell()

    def _tell(self, most: int = -1) -> None:
        if not self.token:
            return
        state, vm = self.call.state, self.vm
        with state.events.writing():
            for one in state.journal.take(vm["uuid"], token=self.token, most=most):
                if one.if_killed_after is None:
                    state.events.append(vm["owner_uuid"], one.what)
            if most < 0:
                state.undertakings.end(ENDING, self.token)

    def withdraw(self) -> None:
        """Take back what has not been told: it did not come to it."""
        with self.call.state.events.writing():
            self.call.state.journal.take(self.vm["uuid"], token=self.token)
            self.call.state.undertakings.end(ENDING, self.token)

    def leave(self) -> None:
        """Leave it to the data center's news whether it came to it."""
        if self.token:
            self.call.state.undertakings.leave(ENDING, self.token, self.vm["owner_uuid"])


@contextmanager
def ending(call: Call, vm: Vm, *announced: Announced) -> Iterator[Ending]:
    """Announce events that the block brings about, in order.

    They are told before the container's end at the latest, whichever worker sees it, and at the end of the block;
    not at all when the block fails before, save by running out of time: then the data center is still at it.

    A call that asks once more for what another did not see the end of, because its worker died or its time ran out,
    takes up what that one has announced: a client that repeats itself is told of one stop.
    """
    told = Ending(call, vm, "")
    if announced:
        observe(call, vm)
        package = package_name(call, vm)
        announcements = [
            Announcement(what=actors.container(vm, action, package, **attributes), if_killed_after=after)
            for action, attributes, after in announced
        ]
        with call.state.events.writing():
            if not _take_up(told, announcements):
                told.token = call.state.journal.announce(vm["uuid"], announcements)
                call.state.undertakings.begin(ENDING, told.token, vm["owner_uuid"])
    try:
        yield told
    except DeadlineExceeded:
        told.leave()  # it goes on, and what was announced may still happen
        raise
    except BaseException:
        told.withdraw()
        raise
    told.done()


def _take_up(told: Ending, announcements: list[Announcement]) -> bool:
    """Make the announcements of a call that was broken off one's own, when it was to bring about the same."""
    state, wanted = told.call.state, [_gist(one) for one in announcements]
    for token, left in state.journal.announced(told.vm["uuid"]).items():
        gist = [_gist(one) for one in left]
        if gist in (wanted, wanted[1:]) and state.undertakings.take_over(ENDING, token):
            told.token, told.begun = token, gist != wanted
            return True
    return False


def _gist(announcement: Announcement) -> tuple[str, str | None, bool]:
    what, forced = announcement.what, announcement.if_killed_after is not None
    return what.action, what.attributes.get("signal"), forced


def _tell_turns(call: Call, vm: Vm, read: Callable[[Chapter | None], Reading]) -> None:
    """Read on in a container's story and tell what is new, in one transaction."""
    state, owner_uuid = call.state, vm["owner_uuid"]
    package = package_name(call, vm)
    joined = _endpoints(call, vm)
    with state.events.writing():
        before = state.journal.read(vm["uuid"])
        turns, after = read(before)
        running = before is not None and before.running
        for turn in turns:
            if turn.action == "start":
                _append(call, owner_uuid, actors.networks(joined, "connect"))
                _append(call, owner_uuid, actors.volumes(vm, "mount"))
            elif turn.action == "die":
                _append(call, owner_uuid, _announced(call, vm, turn))
                if running:
                    _append(call, owner_uuid, actors.networks(joined, "disconnect"))
                    _append(call, owner_uuid, actors.volumes(vm, "unmount"))
            running = turn.action == "start" or (running and turn.action == "oom")
            _append(call, owner_uuid, [actors.container(vm, turn.action, package, **turn.attributes)])
        if after is not None and after != before:
            state.journal.write(vm["uuid"], after)


def _endpoints(call: Call, vm: Vm) -> dict[str, dict[str, str]]:
    """Return the container's networks; one that NAPI does not tell goes by its uuid."""

    def name_of(uuid: str) -> str:
        try:
            return shown_name(call, vm, uuid)
        except SdcError:
            return uuid

    return actors.endpoints(vm, name_of)


def _append(call: Call, owner_uuid: str, happenings: list[Happening]) -> None:
    for what in happenings:
        call.state.events.append(owner_uuid, what)


def _announced(call: Call, vm: Vm, die: Turn) -> list[Happening]:
    """Take the announcements that a container's end makes true; they are told before it."""
    announcements = call.state.journal.take(vm["uuid"])
    return [one.what for one in due(announcements, die.attributes["exitCode"], time.time())]

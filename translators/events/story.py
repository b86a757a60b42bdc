"""What a VM, as it was just seen, adds to what has been told of its container. Pure.

News come late, twice and in any order, and what happened between two of them may not be seen at all. VMAPI's
timestamps of the last start and the last end say what is new.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.state.container_journal import Announcement, Chapter
from translators.containers.health import health_status
from translators.containers.states import last_end, metadata

Vm = dict[str, Any]

KILLED = 137
"""The exit code of an end that nobody saw or kept: whatever takes a container away unseen takes it by force."""
_UNMADE = frozenset({"provisioning", "incomplete", "failed", "configured"})
_ENDED = frozenset({"stopped", "down", "destroyed"})


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a container's story: ``create``, ``start``, ``health_status: ...``, ``oom``, ``die``, ``destroy``."""

    action: str
    attributes: dict[str, str] = field(default_factory=dict)


def unread(chapter: Chapter | None, vm: Vm, *, given_up: bool = False) -> tuple[list[Turn], Chapter | None]:
    """Return the turns that have to be told now, and what has been told after that.

    An end whose exit code is late is not told yet, unless the code is ``given_up``.
    """
    state = str(vm.get("state"))
    if state in _UNMADE or (chapter is None and state == "destroyed") or (chapter is not None and chapter.gone):
        return [], chapter
    turns: list[Turn] = []
    if chapter is None:
        chapter = Chapter(owner_uuid=vm["owner_uuid"])
        turns.append(Turn("create"))
    chapter = _take_start(chapter, vm, turns)
    if state in _ENDED:
        chapter = _take_end(chapter, vm, turns, unseen=given_up or state == "destroyed")
    elif chapter.running:
        chapter = _take_health(chapter, vm, turns)
    if state == "destroyed":
        turns.append(Turn("destroy"))
        chapter = replace(chapter, gone=True)
    return turns, chapter


def _take_health(chapter: Chapter, vm: Vm, turns: list[Turn]) -> Chapter:
    """Tell a verdict; that checks have begun anew is none, and neither is what was true before the last one."""
    seen = str(vm.get("last_modified") or "")
    if seen < chapter.health_seen:
        return chapter
    status = health_status(vm)
    if status != chapter.health and status in {"healthy", "unhealthy"}:
        turns.append(Turn(f"health_status: {status}"))
    return replace(chapter, health=status, health_seen=seen)


def _take_start(chapter: Chapter, vm: Vm, turns: list[Turn]) -> Chapter:
    boot = str(vm.get("boot_timestamp") or "")
    if boot <= chapter.boot:
        return chapter
    if chapter.undated and chapter.running:
        return replace(chapter, boot=boot, exit=boot, undated=False)
    if chapter.running:
        turns += _unseen_end(chapter, vm)
    turns.append(Turn("start"))
    return replace(_started(chapter), boot=boot, exit=boot)


def _unseen_end(chapter: Chapter, vm: Vm) -> list[Turn]:
    """The end of a run of which nothing was heard before the next had begun: what the compute node kept of it."""
    end = last_end(vm)
    if str(end.get("exit_timestamp") or "") < chapter.boot or end.get("exit_status") is None:
        return [_die(chapter, {})]
    oom = [Turn("oom")] if end.get("oom_killed") else []
    return [*oom, _die(chapter, {**end, "boot_timestamp": chapter.boot})]


def _started(chapter: Chapter) -> Chapter:
    return replace(chapter, runs=chapter.runs + 1, running=True, undated=False, told_start=time.time_ns())


def started(chapter: Chapter) -> tuple[list[Turn], Chapter]:
    """Tell a start that a call has seen succeed; the data center will say later when it was."""
    turns = [_die(chapter, {})] if chapter.running else []
    return [*turns, Turn("start")], replace(_started(chapter), undated=True)


def _take_end(chapter: Chapter, vm: Vm, turns: list[Turn], *, unseen: bool) -> Chapter:
    if is_code_late(chapter, vm):
        if unseen:
            turns.append(_die(chapter, {}))
            return replace(chapter, running=False, undated=False)
        return chapter
    ended = str(vm.get("exit_timestamp") or "")
    if ended <= chapter.exit and not chapter.running:
        return chapter
    if metadata(vm).get("docker:oomkilled") in (True, "true"):
        turns.append(Turn("oom"))
    turns.append(_die(chapter, vm))
    return replace(chapter, running=False, undated=False, exit=max(ended, chapter.exit))


def is_code_late(chapter: Chapter, vm: Vm) -> bool:
    """Whether a run has ended, but the data center has not said how: it may take real nodes 15 s to tell.

    What it says then is about the run before. A run may end in the millisecond in which it began.
    """
    if not chapter.running:
        return False
    ended = str(vm.get("exit_timestamp") or "")
    return vm.get("exit_status") is None or ended < chapter.exit or (chapter.undated and ended == chapter.exit)


def _die(chapter: Chapter, vm: Vm) -> Turn:
    code = vm.get("exit_status")
    attributes = {"exitCode": str(KILLED if code is None else int(code))}
    attributes["execDuration"] = str(max(0, int(_seconds(chapter, vm))) if chapter.running else 0)
    return Turn("die", attributes)


def _seconds(chapter: Chapter, vm: Vm) -> float:
    """How long the container ran: by the data center's clock, or by when its start was told."""
    try:
        return (_moment(vm["exit_timestamp"]) - _moment(vm["boot_timestamp"])).total_seconds()
    except (KeyError, TypeError, ValueError):
        return (time.time_ns() - chapter.told_start) / 1e9


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def due(announcements: list[Announcement], exit_code: str, now: float) -> list[Announcement]:
    """Choose the announcements that a container's end makes true."""
    return [
        one
        for one in announcements
        if one.if_killed_after is None or (exit_code == str(KILLED) and now - one.made >= one.if_killed_after)
    ]

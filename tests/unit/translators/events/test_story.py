"""Every way in which news of a container may come, and what they add to its story."""

from __future__ import annotations

import json
import time
from itertools import permutations

import pytest

from gateway.state.container_journal import Announcement, Chapter
from gateway.state.event_log import Happening
from translators.events.story import due, is_code_late, started, unread

B1, E1 = "2026-11-23T10:00:00.000Z", "2026-11-23T10:00:07.900Z"
B2, E2 = "2026-11-23T10:01:00.000Z", "2026-11-23T10:01:00.000Z"
B3 = "2026-11-23T10:02:00.000Z"

MADE = {"state": "stopped"}
RUN1 = {"state": "running", "boot_timestamp": B1}
END1 = {"state": "stopped", "boot_timestamp": B1, "exit_timestamp": E1, "exit_status": 3}
RUN2 = {"state": "running", "boot_timestamp": B2}
END2 = {"state": "stopped", "boot_timestamp": B2, "exit_timestamp": E2, "exit_status": 0}
RUN3 = {"state": "running", "boot_timestamp": B3}
NOT_STARTED = {"state": "stopped", "exit_timestamp": E1, "exit_status": 127}
OOM = {**END1, "exit_status": 137, "internal_metadata": {"docker:oomkilled": True}}
CODE_LATE = {"state": "stopped", "boot_timestamp": B1}
STALE_CODE = {"state": "stopped", "boot_timestamp": B2, "exit_timestamp": E1, "exit_status": 3}


def after(code, ended, vm, *, oom=False):
    """The VM, whose node has kept how the run before ended."""
    end = {"exit_status": code, "exit_timestamp": ended, "oom_killed": oom}
    return {**vm, "internal_metadata": {"docker:lastend": json.dumps(end)}}


def gone(vm):
    return {**vm, "state": "destroyed"}


def story(*news):
    chapter, told = None, []
    for vm in news:
        turns, chapter = unread(chapter, {"uuid": "v", "owner_uuid": "alice", **vm})
        told += [f"die {turn.attributes['exitCode']}" if turn.action == "die" else turn.action for turn in turns]
    return " ".join(told)


@pytest.mark.parametrize(("news", "told"), [
    ([{"state": "provisioning"}], ""),
    ([{"state": "provisioning"}, {"state": "failed"}], ""),
    ([{"state": "failed"}], ""),
    ([gone(END1)], ""),  # never heard of: it was told, and forgotten
    ([{"state": "provisioning"}, MADE], "create"),
    ([MADE, MADE, RUN1, RUN1], "create start"),
    ([MADE, RUN1, END1, END1], "create start die 3"),
    ([MADE, END1], "create start die 3"),  # so short that nobody saw it run
    ([END1], "create start die 3"),
    ([MADE, RUN1, END1, RUN1], "create start die 3"),  # in the wrong order
    ([MADE, RUN1, END1, RUN2, END1, RUN1, END2], "create start die 3 start die 0"),  # ended as soon as it began
    ([MADE, RUN1, RUN2], "create start die 137 start"),  # its end went unseen
    ([MADE, RUN1, RUN2, END1], "create start die 137 start"),
    ([MADE, RUN1, END2, RUN3], "create start die 137 start die 0 start"),
    ([MADE, RUN1, after(3, E1, RUN2)], "create start die 3 start"),  # its node has kept its end
    ([MADE, RUN1, END1, after(3, E1, RUN2)], "create start die 3 start"),
    ([MADE, RUN1, after(3, E1, END2)], "create start die 3 start die 0"),
    ([MADE, RUN1, after(137, E1, RUN2, oom=True)], "create start oom die 137 start"),
    ([MADE, RUN1, END1, RUN2, after(3, E1, RUN3)], "create start die 3 start die 137 start"),  # that was another's
    ([MADE, RUN1, after(5, E2, RUN3)], "create start die 5 start"),  # a whole run went unseen
    ([MADE, NOT_STARTED, NOT_STARTED], "create die 127"),
    ([MADE, RUN1, OOM], "create start oom die 137"),
    ([MADE, gone(MADE), MADE, gone(MADE)], "create destroy"),
    ([MADE, RUN1, gone(RUN1), END1], "create start die 137 destroy"),
    ([MADE, RUN1, gone(END1)], "create start die 3 destroy"),
    ([MADE, RUN1, END1, gone(END1)], "create start die 3 destroy"),
    ([MADE, RUN1, CODE_LATE], "create start"),
    ([MADE, RUN1, CODE_LATE, END1], "create start die 3"),
    ([MADE, RUN1, END1, RUN2, STALE_CODE, END2], "create start die 3 start die 0"),
    ([MADE, RUN1, {"state": "unknown", "boot_timestamp": B1}, RUN1], "create start"),  # its node is out of reach
])  # fmt: skip
def test_what_is_told(news, told):
    assert story(*news) == told


def test_no_order_of_news_tells_anything_twice():
    for news in permutations([MADE, RUN1, END1, RUN2, END2]):
        words = story(*news).split()
        assert words.count("create") == 1
        assert 1 <= words.count("start") <= 2
        assert words.count("die") == words.count("start")


def test_a_start_that_a_call_tells_is_dated_by_the_news():
    _, chapter = unread(None, {"owner_uuid": "alice", **END1})
    turns, chapter = started(chapter)
    assert [turn.action for turn in turns] == ["start"]
    assert (chapter.runs, chapter.running, chapter.undated) == (2, True, True)
    turns, chapter = unread(chapter, END1)  # late news of the run before
    assert turns == []
    turns, chapter = unread(chapter, RUN2)
    assert (turns, chapter.boot, chapter.runs) == ([], B2, 2)
    turns, chapter = unread(chapter, END2)
    assert [turn.action for turn in turns] == ["die"]
    assert not chapter.running


def test_a_start_told_while_the_run_before_was_not_seen_to_end():
    _, chapter = unread(None, {"owner_uuid": "alice", **RUN1})
    turns, chapter = started(chapter)
    assert [turn.action for turn in turns] == ["die", "start"]
    assert unread(chapter, RUN2)[0] == []


def test_how_long_it_ran():
    _, chapter = unread(None, {"owner_uuid": "alice", **RUN1})
    (die,), _ = unread(chapter, END1)
    assert die.attributes == {"exitCode": "3", "execDuration": "7"}
    chapter = Chapter(owner_uuid="alice", running=True, boot=B1, exit=B1, told_start=time.time_ns() - 5 * 10**9)
    die, _ = unread(chapter, gone(RUN1))[0]
    assert die.attributes == {"exitCode": "137", "execDuration": "5"}


def test_a_code_that_does_not_come_is_given_up():
    _, chapter = unread(None, {"owner_uuid": "alice", **RUN1})
    assert is_code_late(chapter, CODE_LATE)
    assert not is_code_late(chapter, END1)
    (die,), chapter = unread(chapter, CODE_LATE, given_up=True)
    assert die.attributes["exitCode"] == "137"
    assert unread(chapter, CODE_LATE, given_up=True)[0] == []


@pytest.mark.parametrize(("code", "elapsed", "told"), [
    ("143", 1.0, ["kill 15", "stop"]),
    ("137", 11.0, ["kill 15", "kill 9", "stop"]),
    ("137", 2.0, ["kill 15", "stop"]),  # somebody else killed it
    ("0", 11.0, ["kill 15", "stop"]),
])  # fmt: skip
def test_a_kill_by_force_is_told_when_it_came_to_that(code, elapsed, told):
    def announced(action, after=None):
        what = Happening(type="container", action=action, actor_id="c", attributes={})
        return Announcement(what=what, if_killed_after=after, made=1000.0)

    announcements = [announced("kill 15"), announced("kill 9", 10.0), announced("stop")]
    assert [one.what.action for one in due(announcements, code, 1000.0 + elapsed)] == told


def test_old_news_of_health_is_none():
    def seen(status, modified):
        return RUN1 | {
            "internal_metadata": {"docker:health": json.dumps({"Status": status})},
            "last_modified": modified,
        }

    news = [seen("starting", B1), seen("unhealthy", B2), seen("starting", B1), seen("unhealthy", B2)]
    assert story(MADE, *news) == "create start health_status: unhealthy"
    late = [seen("healthy", B1), seen("unhealthy", B2), seen("healthy", B1), seen("healthy", B3)]
    told = "health_status: healthy health_status: unhealthy health_status: healthy"
    assert story(MADE, *late) == f"create start {told}"


def test_verdicts_on_health_are_told_once_each():
    def seen(status):
        return RUN1 | {"internal_metadata": {"docker:health": json.dumps({"Status": status})}}

    told = story(MADE, seen("starting"), seen("healthy"), seen("healthy"), seen("unhealthy"), seen("healthy"))
    verdicts = "health_status: healthy health_status: unhealthy health_status: healthy"
    assert told == f"create start {verdicts}"
    ended = END1 | seen("unhealthy") | END1
    assert story(MADE, seen("healthy"), ended) == "create start health_status: healthy die 3"

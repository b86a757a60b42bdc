"""Containers kept in memory: asked for once, and again as soon as anything may have changed, whoever changed it."""

from __future__ import annotations

import pytest

from gateway.errors import InvalidParameter, NotFound
from gateway.state import State
from sdc.errors import SdcUnavailable
from tests.unit.translators.containers.conftest import ALICE, BOB
from tests.unit.translators.containers.test_create import create
from translators.containers import logs as log
from translators.containers import roster as rosters
from translators.containers.vmfeed import feed_of
from translators.events.recorder import tell
from translators.jobs import run_job


@pytest.fixture
def asked(world, monkeypatch):
    """What VMAPI is asked for, question by question, while the feed is connected."""
    questions, listed = [], world.vmapi.list_vms

    def list_vms(**query):
        questions.append(query)
        found = listed(**query)
        for meanwhile in world.meanwhile:
            meanwhile()
        return found

    world.meanwhile = []
    monkeypatch.setattr(world.vmapi, "list_vms", list_vms)
    for name in ("web", "db"):
        create(world, name)
    feed_of(world.vmapi).connected = True
    roster(world)
    questions.clear()
    return questions


def roster(world):
    return rosters.roster(world.call())


def names(world, owner=ALICE):
    return {vm["alias"] for vm in roster(world).containers(owner)}


def hear(world, name):
    feed_of(world.vmapi)._dispatch({"changedResourceId": world.vm(name)["uuid"], "resourceObject": world.vm(name)})


def test_asked_once_as_long_as_there_is_no_news(world, asked):
    assert names(world) == names(world) == {"web", "db"}
    assert len(asked) == 1
    assert names(world, BOB) == set()


def test_followers_of_a_log_are_not_asked_for_one_by_one_and_none_follows_what_is_gone(world, asked, monkeypatch):
    opened = []
    monkeypatch.setattr(log, "open_console", lambda _, vm, *__, **___: opened.append(vm["alias"]))
    for _ in range(3):
        log.logs(world.call("container.logs", stdout="1", follow="1"), "web")
    assert (opened, len(asked)) == (["web"] * 3, 1)
    gone = world.vm("web")
    gone["state"] = "destroyed"
    feed_of(world.vmapi)._dispatch({"changedResourceId": gone["uuid"], "resourceObject": gone})
    with pytest.raises(NotFound, match="No such container: web"):
        log.logs(world.call("container.logs", stdout="1", follow="1"), "web")


def test_of_single_containers_only_so_many_names_are_remembered(world, asked, monkeypatch):
    monkeypatch.setattr(rosters, "MOST_FOUND", 3)
    whole = roster(world).find(ALICE, "web")["internal_metadata"]["docker:id"]
    for digits in range(4, 40):
        assert roster(world).find(ALICE, whole[:digits])["alias"] == "web"
    assert len(roster(world)._accounts[ALICE].found) <= 3


def test_what_is_heard_is_read_again_alone(world, asked):
    names(world)
    world.vm("web")["state"] = "running"
    hear(world, "web")
    states = {vm["alias"]: vm["state"] for vm in roster(world).containers(ALICE)}
    assert states == {"web": "running", "db": "stopped"}
    assert asked[1]["predicate"]["and"][-1] == {"eq": ["uuid", world.vm("web")["uuid"]]}


def test_a_destroyed_one_is_gone_and_a_new_one_is_there(world, asked):
    names(world)
    gone = world.vm("db")
    hear(world, "db")
    gone["state"] = "destroyed"
    assert names(world) == {"web"}
    create(world, "new")  # its own events tell of it
    assert names(world) == {"web", "new"}


def test_what_another_worker_tells_is_heard(world, asked):
    names(world)
    other = world.call()
    other.state = State(world.state.folder)
    world.vm("db")["alias"] = "database"
    tell(other, world.vm("database"), "rename")
    assert names(world) == {"web", "database"}
    assert len(asked) == 2


@pytest.mark.parametrize("look", [names, lambda world: roster(world).find(ALICE, "web")])
def test_what_a_job_did_is_seen_though_nobody_told_of_it(world, asked, look):
    look(world)
    run_job(world.call("network.connect"), world.vm("web")["uuid"], "add_nics", lambda: world.vmapi._job("x", "y"))
    look(world)
    look(world)
    assert len(asked) == 2


def test_news_of_an_account_that_lists_nothing_do_not_pile_up(world, asked):
    roster(world).find(ALICE, "web")
    hear(world, "web")
    assert roster(world)._accounts[ALICE].stale == set()


def test_after_a_gap_all_are_listed(world, asked):
    names(world)
    feed_of(world.vmapi)._announce_gap()
    names(world)
    assert asked[1]["predicate"] == asked[0]["predicate"]


def test_nothing_is_kept_while_the_feed_is_away(world, asked):
    feed_of(world.vmapi).connected = False
    assert names(world) == names(world)
    assert roster(world).find(ALICE, "web") == roster(world).find(ALICE, "web")
    assert [roster(world).answer(ALICE, "question", lambda answer=answer: answer) for answer in (b"1", b"2")] == [
        b"1",
        b"2",
    ]
    assert len(asked) == 4


def test_news_that_come_while_reading_are_not_lost(world, asked):
    names(world)
    world.meanwhile.append(lambda: hear(world, "web"))
    hear(world, "web")
    names(world)
    world.meanwhile.clear()
    names(world)
    assert len(asked) == 3
    names(world)
    assert len(asked) == 3


def test_a_failed_reading_is_made_good(world, asked, monkeypatch):
    names(world)
    hear(world, "web")
    with monkeypatch.context() as broken:
        broken.setattr(world.vmapi, "list_vms", _away)
        with pytest.raises(SdcUnavailable):
            names(world)
    world.vm("web")["state"] = "running"
    assert [vm["state"] for vm in roster(world).containers(ALICE) if vm["alias"] == "web"] == ["running"]


def _away(**_):
    raise SdcUnavailable("vmapi", 503, "ServiceUnavailable", "away")


def test_too_much_news_and_too_old_lists_are_read_whole(world, asked, monkeypatch):
    names(world)
    monkeypatch.setattr(rosters, "MOST_SINGLY", 0)
    hear(world, "web")
    names(world)
    monkeypatch.setattr(rosters, "OLDEST_SECONDS", 0.0)
    names(world)
    assert [question["predicate"] for question in asked[1:]] == [asked[0]["predicate"]] * 2


def test_more_events_than_are_read_at_once_make_all_new(world, asked, monkeypatch):
    names(world)
    monkeypatch.setattr(rosters, "MOST_NEWS", 2)
    for _ in range(3):
        tell(world.call(), world.vm("web"), "attach")
    names(world)
    names(world)
    assert len(asked) == 2


@pytest.mark.parametrize("listed", [False, True])
def test_found_by_name_id_and_the_beginning_of_an_id(world, asked, listed):
    if listed:
        names(world)
    web = world.vm("web")
    docker_id = web["internal_metadata"]["docker:id"]
    for ref in ("web", "/web", docker_id, docker_id[:12]):
        assert roster(world).find(ALICE, ref)["uuid"] == web["uuid"]
        assert roster(world).find(ALICE, ref)["uuid"] == web["uuid"]
        with pytest.raises(NotFound):
            roster(world).find(BOB, ref)
    with pytest.raises(InvalidParameter, match='invalid name or ID supplied: ""'):
        roster(world).find(ALICE, "")
    assert len(asked) == (1 if listed else 4) + 4


def test_one_that_is_found_alone_is_found_anew_after_any_news(world, asked):
    roster(world).find(ALICE, "web")
    world.vm("db")["alias"], world.vm("web")["alias"] = "web", "old"
    hear(world, "old")
    assert roster(world).find(ALICE, "web")["uuid"] == world.vm("web")["uuid"]


def test_an_answer_is_made_again_after_news_and_when_anything_was_written(world, asked):
    made = []

    def answer(question="list"):
        return roster(world).answer(ALICE, question, lambda: made.append(question) or b"[]")

    answer()
    hear(world, "web")
    answer()
    world.state.reservations.release("nobody")  # writes nothing
    assert answer("other") == b"[]"
    tell(world.call(), world.vm("web"), "attach")
    answer()
    assert made.count("list") == 3


def test_an_answer_is_made_once_a_second(world, asked, monkeypatch):
    made, now = [], [1000.0]
    monkeypatch.setattr(rosters.time, "time", lambda: now[0])
    for now[0] in (1000.0, 1000.9, 1001.0):
        assert roster(world).answer(ALICE, "list", lambda: made.append(now[0]) or b"[]") == b"[]"
    assert made == [1000.0, 1001.0]


def test_an_answer_made_of_old_facts_is_not_kept(world, asked):
    made = []

    def make():
        made.append(1)
        if len(made) == 1:
            hear(world, "web")
        return b"[]"

    for _ in range(2):
        roster(world).answer(ALICE, "list", make)
    assert len(made) == 2


def test_answers_are_not_kept_without_end(world, asked, monkeypatch):
    monkeypatch.setattr(rosters, "MOST_BYTES", 100)
    for number in range(20):
        roster(world).answer(ALICE, number, lambda: b"x" * 30)
    assert len(roster(world)._accounts[ALICE].answers) <= 5
    monkeypatch.setattr(rosters, "MOST_ACCOUNTS", 2)
    for owner in "abc":
        roster(world).containers(owner)
    assert set(roster(world)._accounts) == {"b", "c"}

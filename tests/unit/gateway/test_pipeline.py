"""The chain's moments: order, reach, fail policy, observing, taking back, signals, numbers."""

from __future__ import annotations

import pytest

from gateway import signals
from gateway.call import Reply
from gateway.errors import Conflict, Forbidden, InternalError, NotFound, ServiceError, ServiceUnavailable, Unavailable
from middleware.base import Middleware
from middleware.testing import pipeline


class Recorder(Middleware):
    """Notes every moment in ``seen``."""

    seen: list

    def before(self, call):
        self.seen.append(f"{self.name}.before")

    def provision(self, call, payload):
        self.seen.append(f"{self.name}.provision")
        payload["by"] = [*payload.get("by", []), self.name]

    def after(self, call, reply):
        self.seen.append(f"{self.name}.after")

    def item(self, call, item):
        return None if item == f"not {self.name}" else f"{item}+{self.name}"

    def stream(self, call, stream):
        return (chunk + self.name.encode() for chunk in stream)

    def failed(self, call, error):
        self.seen.append(f"{self.name}.failed:{type(error).__name__}")


def member(called, base=Recorder, **attributes):
    return type(called.title(), (base,), {"name": called, **attributes})


@pytest.fixture
def seen():
    Recorder.seen = []
    return Recorder.seen


def test_moments_run_in_order_and_back(seen):
    chain = pipeline(member("a"), member("b"))
    chain.run("container.create", payload={"x": 1})
    assert seen == ["a.before", "b.before", "a.provision", "b.provision", "b.after", "a.after"]
    assert chain.payload == {"x": 1, "by": ["a", "b"]}


def test_an_error_is_seen_in_reverse_by_those_reached(seen):
    def refuse(self, call):
        raise Forbidden("no")

    chain = pipeline(member("a"), member("b", before=refuse), member("c"))
    with pytest.raises(Forbidden):
        chain.run("container.list")
    assert seen == ["a.before", "b.failed:Forbidden", "a.failed:Forbidden"]


def test_a_member_without_before_is_reached_in_its_place(seen):
    class OnlyFailed(Middleware):
        def failed(self, call, error):
            seen.append(f"{self.name}.failed")

    def refuse(self, call):
        raise Forbidden("no")

    first, refusing, last = (
        member("first", OnlyFailed),
        member("refusing", OnlyFailed, before=refuse),
        member("last", OnlyFailed),
    )
    with pytest.raises(Forbidden):
        pipeline(first, refusing, last).run("container.list")
    assert seen == ["refusing.failed", "first.failed"]


def test_a_translators_error_is_seen_by_all_and_may_be_replaced(seen):
    def translate(self, call, error):
        return Conflict("better") if isinstance(error, NotFound) else None

    chain = pipeline(member("a"), member("b", failed=translate), member("c"))
    with pytest.raises(Conflict, match="better") as raised:
        chain.run("container.start", answer=NotFound("gone"))
    assert isinstance(raised.value.__cause__, NotFound)
    assert seen[-2:] == ["c.failed:NotFound", "a.failed:Conflict"]


def test_a_failed_after_fails_the_call(seen):
    def refuse(self, call, reply):
        raise Forbidden("not for you")

    chain = pipeline(member("a"), member("b", after=refuse))
    with pytest.raises(Forbidden):
        chain.run("container.inspect")
    assert seen[-2:] == ["b.failed:Forbidden", "a.failed:Forbidden"]


def test_items_pass_all_members_and_may_be_dropped():
    chain = pipeline(member("a"), member("b"))
    call = chain.make_call("container.list")
    assert list(chain.pipeline.filter_items(call, ["x", "not a", "y"])) == ["x+a+b", "y+a+b"]


def test_filtering_closes_the_source():
    closed = []

    def source():
        try:
            yield from range(10)
        finally:
            closed.append(True)

    chain = pipeline(member("a"))
    items = chain.pipeline.filter_items(chain.make_call("event.list"), source())
    next(items)
    items.close()
    assert closed == [True]


def test_streams_are_wrapped_in_order():
    chain = pipeline(member("a"), member("b"))
    stream = chain.pipeline.open_stream(chain.make_call("container.logs"), iter([b"1", b"2"]))
    assert list(stream) == [b"1ab", b"2ab"]


def test_scope_and_open_operations(seen):
    chain = pipeline(member("a", runs_on=("container.*", "image.list")))
    for operation in ("container.start", "image.list", "image.create", "system.ping"):
        chain.run(operation)
    assert seen == ["a.before", "a.after"] * 2


class Broken(Middleware):
    def before(self, call):
        call.hints["half"] = True
        raise KeyError("secret detail")

    def failed(self, call, error):
        raise KeyError("worse")


def test_a_broken_member_fails_the_call_and_tells_nothing_of_itself():
    chain = pipeline(member("broken", Broken))
    with pytest.raises(InternalError) as raised:
        chain.run("container.list")
    assert raised.value.message == "internal error in container.list (request id test-1)"
    assert isinstance(raised.value.__cause__, KeyError)


def test_a_broken_member_that_fails_open_is_skipped(seen):
    chain = pipeline((member("broken", Broken), {"on_error": "open"}), member("a"))
    assert chain.run("container.list").status == 200
    assert seen == ["a.before", "a.after"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ServiceUnavailable("papi", 503, "ServiceUnavailable", "10.0.0.3 refused"), Unavailable),
        (ServiceError("papi", 500, "InternalError", "stack"), InternalError),
    ],
)
def test_a_services_trouble_inside_a_member_becomes_a_kind(error, kind):
    def ask(self, call):
        raise error

    with pytest.raises(kind) as raised:
        pipeline(member("asks", before=ask)).run("container.list")
    assert "10.0.0.3" not in raised.value.message
    assert "stack" not in raised.value.message


def test_items_and_streams_survive_a_member_that_fails_open():
    def breaks(self, call, subject):
        raise KeyError

    chain = pipeline((member("broken", item=breaks, stream=breaks), {"on_error": "open"}))
    call = chain.make_call("container.list")
    assert list(chain.pipeline.filter_items(call, ["x"])) == ["x"]
    assert list(chain.pipeline.open_stream(call, iter([b"x"]))) == [b"x"]


def test_an_observed_member_refuses_and_changes_nothing(seen):
    class Strict(Middleware):
        name = "strict"

        def before(self, call):
            call.body.Labels["changed"] = "yes"
            call.hints["strict"] = True

        def provision(self, call, payload):
            assert call.hints["strict"]
            payload["strict"] = True
            raise Forbidden("no")

        def after(self, call, reply):
            reply.body["x"] = 2

        def item(self, call, item):
            return None

        def stream(self, call, stream):
            raise AssertionError("streams of observed members are left alone")

    chain = pipeline((Strict, {"observe": True}), member("a"))
    reply = chain.run("container.create", {"Labels": {}}, payload={"u": 1}, answer=Reply(body={"x": 1}))
    assert reply.body == {"x": 1}
    assert chain.call.body.Labels == {}
    assert "strict" not in chain.call.hints
    assert chain.payload == {"u": 1, "by": ["a"]}
    assert list(chain.pipeline.filter_items(chain.call, ["x"])) == ["x+a"]
    assert list(chain.pipeline.open_stream(chain.call, iter([b"x"]))) == [b"xa"]
    refusals = {row["moment"]: row["refusals"] for row in chain.pipeline.statistics() if row["member"] == "strict"}
    assert refusals["provision"] == 1


def test_what_an_observed_member_left_to_undo_is_taken_back_in_any_case():
    undone = []

    class Holder(Middleware):
        name = "holder"

        def before(self, call):
            call.undo.append(lambda: undone.append("held"))

    chain = pipeline((Holder, {"observe": True}))
    chain.run("container.create")
    assert undone == ["held"]
    assert chain.call.undo == []


def test_undo_runs_in_reverse_on_failure_only_and_one_failure_stops_nothing():
    done = []

    class Leaves(Middleware):
        name = "leaves"

        def before(self, call):
            call.undo += [lambda: done.append(1), lambda: 1 / 0, lambda: done.append(3)]

    pipeline(Leaves).run("container.create")
    assert done == []
    with pytest.raises(Conflict):
        pipeline(Leaves).run("container.create", answer=Conflict("taken"))
    assert done == [3, 1]


def test_undo_runs_when_the_greenlet_is_killed():
    done = []

    class Killed(BaseException):
        pass

    def dies():
        raise Killed

    class Leaves(Middleware):
        name = "leaves"

        def before(self, call):
            call.undo.append(lambda: done.append(1))

        def failed(self, call, error):
            done.append(str(error))

    with pytest.raises(Killed):
        pipeline(Leaves).run("container.create", answer=dies)
    assert done == [1, "the client went away"]


def test_signals_tell_of_start_end_and_failure():
    told = []

    def started(sender, **data):
        told.append(("started", sender, sorted(data)))

    def finished(sender, *, call, status, seconds):
        told.append(("finished", sender, status))

    def failed(sender, *, call, error):
        told.append(("failed", sender, type(error)))

    chain = pipeline(member("a", base=Middleware, before=lambda self, call: None))
    with (
        signals.call_started.connected_to(started),
        signals.call_finished.connected_to(finished),
        signals.call_failed.connected_to(failed),
    ):
        chain.run("container.start", answer=Reply(status=204))
        with pytest.raises(NotFound):
            chain.run("container.start", answer=NotFound("No such container: x"))
    assert told == [
        ("started", "container.start", ["call"]),
        ("finished", "container.start", 204),
        ("started", "container.start", ["call"]),
        ("failed", "container.start", NotFound),
        ("finished", "container.start", 404),
    ]


def test_jobs_are_noted_in_the_calls_hints():
    chain = pipeline(member("a", base=Middleware, before=lambda self, call: None))

    def translator():
        signals.job_submitted.send("container.start", call=chain.call, job_uuid="j1", vm_uuid="v1", task="start")
        return Reply()

    chain.run("container.start", answer=translator)
    assert chain.call.hints == {"jobs": ["j1"], "vms": ["v1"]}


def test_statistics_count_every_moment():
    chain = pipeline(member("broken", Broken))
    for _ in range(3):
        with pytest.raises(InternalError):
            chain.run("container.list")
    before = chain.pipeline.statistics()[0]
    assert (before["member"], before["moment"], before["calls"], before["errors"]) == ("broken", "before", 3, 3)
    assert sum(count for _, count in before["buckets"]) == 3
    assert before["buckets"][-1][0] is None


def test_describe_names_members_and_moments_per_operation():
    class Small(Middleware):
        name = "small"
        runs_on = ("container.create",)

        def before(self, call): ...

    chain = dict(pipeline((Small, {"observe": True, "on_error": "open"})).pipeline.describe())
    assert chain["container.create"] == ["small (before, observed, fails open)"]
    assert chain["container.list"] == []
    assert chain["system.ping"] == []

"""The body is read when the call has an account, and by nobody's wish before."""

from __future__ import annotations

import pytest

from gateway.call import Account
from gateway.errors import InvalidParameter, Unauthorized
from middleware.base import Middleware
from middleware.testing import pipeline


def member(called, **moments):
    return type(called.title(), (Middleware,), {"name": called, **moments})


@pytest.fixture
def seen():
    return []


def knows(self, call):
    """Put an account in, as authentication does."""
    call.account = Account(uuid="5c2b8f1e-7c5a-4f0e-9d6e-000000000001", login="jill")


def test_the_body_is_read_once_the_account_is_known(seen):
    def look(self, call):
        seen.append((self.name, call.body))

    looker = {"before": look}
    chain = pipeline(
        member("early", **looker), (member("shy", **looker), {"observe": True}), member("knows", before=knows)
    )
    chain.account = None
    chain.run("container.create", unread=lambda: seen.append("read") or {"Image": "busybox"})
    assert seen == [("early", None), ("shy", None), "read"]
    assert chain.call.body == {"Image": "busybox"}


def test_members_after_the_account_see_the_body_and_observed_ones_a_copy(seen):
    def look(self, call):
        seen.append(call.body["Image"])
        call.body["Image"] = self.name

    looker = {"before": look}
    chain = pipeline(
        member("knows", before=knows), (member("shy", **looker), {"observe": True}), member("late", **looker)
    )
    chain.account = None
    chain.run("container.create", unread=lambda: {"Image": "busybox"})
    assert seen == ["busybox", "busybox"]
    assert chain.call.body == {"Image": "late"}


def test_a_refused_call_leaves_its_body_unread(seen):
    def refuse(self, call):
        raise Unauthorized("Unauthorized")

    chain = pipeline(member("door", before=refuse))
    chain.account = None
    with pytest.raises(Unauthorized):
        chain.run("container.create", unread=lambda: seen.append("read"))
    assert seen == []


def test_a_body_that_cannot_be_read_fails_the_call_as_a_refusal_does(seen):
    def unread():
        raise InvalidParameter("invalid JSON")

    def note(self, call, *error):
        seen.append((self.name, *map(type, error)))

    noting = {"before": note, "failed": note}
    chain = pipeline(member("a", **noting), member("knows", before=knows), member("b", **noting))
    chain.account = None
    with pytest.raises(InvalidParameter):
        chain.run("container.create", unread=unread)
    assert seen == [("a",), ("a", InvalidParameter)]

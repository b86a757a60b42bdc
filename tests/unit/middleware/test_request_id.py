"""The id of a call, from the client or made here, on every reply."""

from __future__ import annotations

from uuid import UUID

import pytest
import structlog

from gateway.call import Reply
from gateway.errors import NotFound
from middleware.request_id import RequestId
from middleware.testing import pipeline


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"x-request-id": "abc-1"}, "abc-1"),
        ({"request-id": "abc.2_:x"}, "abc.2_:x"),
        ({"request-id": "first", "x-request-id": "second"}, "first"),
        ({"request-id": "bad one", "x-request-id": "second"}, "second"),
        ({"x-request-id": "a" * 128}, "a" * 128),
        ({"x-request-id": "a" * 129}, None),
        ({"x-request-id": "a\nb"}, None),
        ({"x-request-id": "-a"}, None),
        ({"x-request-id": ""}, None),
        ({"x-request-id": "ä"}, None),
        ({}, None),
    ],
)
def test_what_is_taken_from_the_client(headers, taken):
    chain = pipeline(RequestId)
    reply = chain.run("container.list", headers=headers, request_id="")
    assert reply.headers["X-Request-Id"] == chain.call.request_id
    if taken:
        assert chain.call.request_id == taken
    else:
        assert UUID(chain.call.request_id).version == 4


def test_an_id_given_by_the_edge_is_kept():
    chain = pipeline(RequestId)
    chain.run("container.list", request_id="edge")
    assert chain.call.request_id == "edge"


def test_errors_carry_the_id_too():
    chain = pipeline(RequestId)
    with pytest.raises(NotFound) as raised:
        chain.run("container.start", headers={"x-request-id": "abc"}, answer=NotFound("No such container: x"))
    assert raised.value.headers == {"X-Request-Id": "abc"}
    with pytest.raises(KeyError):
        chain.run("container.start", answer=KeyError("x"))


def test_log_lines_carry_the_id_of_this_call_and_nothing_of_the_last():
    def seen():
        return Reply(body=structlog.contextvars.get_contextvars())

    chain = pipeline(RequestId)
    structlog.contextvars.bind_contextvars(login="of the call before")
    first = chain.run("container.list", headers={"x-request-id": "one"}, answer=seen)
    assert first.body == {"req_id": "one", "operation": "container.list"}
    structlog.contextvars.clear_contextvars()

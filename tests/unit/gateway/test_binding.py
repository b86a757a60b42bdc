"""Replies made into responses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from gateway.blueprints.binding import respond
from gateway.call import StreamReply
from middleware.base import Middleware
from middleware.testing import pipeline


class Passing(Middleware):
    """A member that looks at every item."""

    name = "passing"

    def item(self, call, item):
        return item


class Idle(Middleware):
    name = "idle"

    def before(self, call): ...


@pytest.mark.parametrize("member", [Passing, Idle])
def test_who_closes_a_stream_of_json_ends_what_it_comes_from(member):
    """Explicitly: what is left to the collector cannot wait for anything, and a build waits for its container's end."""
    ended = []

    def source() -> Iterator[dict[str, str]]:
        try:
            while True:
                yield {"stream": "Step 1"}
        finally:
            ended.append(True)

    chain, items = pipeline(member), source()
    with Flask("test").test_request_context():
        response = respond(chain.pipeline, chain.make_call("image.build"), StreamReply(items=items))
    chunks = iter(response.response)
    assert next(chunks) == b""
    assert b"Step 1" in next(chunks)
    chunks.close()
    assert ended

"""Connections taken from a request whose client has gone before it could be greeted."""

from __future__ import annotations

import io
import socket
from types import SimpleNamespace

import pytest

from gateway.wire.hijack import HijackResponse
from gateway.wire.resting import ABLE_TO_REST, Rest


@pytest.fixture
def gone():
    """The environ of a request whose client has left."""
    ours, theirs = socket.socketpair()
    theirs.close()
    body = io.BytesIO()
    body_of = SimpleNamespace(read=body.read, reader=SimpleNamespace(unreader=SimpleNamespace(take_buffered=bytes)))
    yield {"gunicorn.socket": ours, "wsgi.input": body_of, "HTTP_UPGRADE": "tcp"}
    ours.close()


def test_the_session_is_begun_all_the_same_for_it_has_things_to_end(gone):
    ended = []

    def session(stream):
        try:
            stream.write(b"output")
        finally:
            ended.append("the process is followed from here")

    HijackResponse(session)(gone, None)
    assert ended
    assert gone["gunicorn.socket"].fileno() == -1


def test_a_stream_that_would_rest_is_handed_over_and_ended_there(gone):
    tap = SimpleNamespace()
    assert isinstance(HijackResponse(lambda _: None, tap=tap)({**gone, ABLE_TO_REST: True}, None), Rest)

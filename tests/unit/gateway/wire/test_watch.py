from __future__ import annotations

import gevent
import pytest
from gevent import socket as gsocket

from gateway.wire.watch import ClientLeft, watched, watching


@pytest.fixture
def ends():
    here, there = gsocket.socketpair()
    yield here, there
    here.close()
    there.close()


def test_the_block_ends_where_it_waits(ends):
    here, there = ends
    gevent.spawn_later(0, there.close)
    with pytest.raises(ClientLeft), watching({"gunicorn.socket": here}):
        gevent.sleep(60)


def test_a_callback_lets_the_block_go_on(ends):
    here, there = ends
    told = gevent.event.Event()
    with watching({"gunicorn.socket": here}, told.set):
        there.close()
        assert told.wait(10)


def test_a_client_that_stays_disturbs_nobody_and_is_not_read(ends):
    here, there = ends
    with watching({"gunicorn.socket": here}):
        there.sendall(b"next request")
        gevent.sleep(0.01)
    assert here.recv(100) == b"next request"
    there.close()
    gevent.sleep(0.01)  # no longer watched


def test_broad_handlers_do_not_swallow_it():
    assert not issubclass(ClientLeft, Exception)


def test_a_body_begins_with_the_head_and_is_closed_with_its_client(ends):
    here, there = ends
    closed = []

    def chunks():
        try:
            yield b"one"
            gevent.sleep(60)
        finally:
            closed.append(True)

    body = watched({"gunicorn.socket": here}, chunks())
    assert [next(body), next(body)] == [b"", b"one"]
    there.close()
    with pytest.raises(ClientLeft):
        next(body)
    assert closed == [True]


def test_without_a_socket_nothing_is_watched():
    assert list(watched({}, iter([b"x"]))) == [b"", b"x"]

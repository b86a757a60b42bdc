"""Learning that a client has left while there is nothing to send it."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import gevent
from gevent import GreenletExit, getcurrent
from gevent.monkey import get_original

from gateway.wire.spawn import spawn
from gateway.wire.tls import TLSSocket

_READ = 1
_poll = get_original("select", "poll")  # gevent's own would wait in the hub

HANG_UP_EVERY = 2.0
"""Seconds between looks at a hijacked connection."""


class ClientLeft(GreenletExit):
    """Raised inside a block under ``watching`` when its client hangs up.

    No ``Exception``, so that neither an HTTP library's retries nor a broad handler swallow it.
    """


@contextmanager
def watching(environ: Mapping[str, Any], on_leave: Callable[[], Any] | None = None) -> Iterator[None]:
    """End the block with ``ClientLeft``, wherever it waits, once the request's client has gone.

    With ``on_leave`` that is called instead, in a greenlet of its own, and the block goes on. The
    request's body must have been read before. A client that ends only its sending side counts as
    gone, as it does for Go's HTTP server; one that sends more (a pipelined request) is no longer
    watched, and a write will tell. Costs a loop watcher, not a greenlet. Without a socket in
    ``environ`` (a test client) nothing is watched.
    """
    sock = environ.get("gunicorn.socket")
    if sock is None:
        yield
        return
    act = partial(spawn, on_leave) if on_leave else partial(gevent.kill, getcurrent(), ClientLeft)
    watcher = gevent.get_hub().loop.io(sock.fileno(), _READ)

    def readable() -> None:
        state = _look(sock)
        if state is not None:
            watcher.stop()
        if state == b"":
            act()

    watcher.start(readable)
    try:
        yield
    finally:
        watcher.stop()
        watcher.close()


@contextmanager
def until_hung_up(sock: Any, unless: Callable[[], bool]) -> Iterator[None]:
    """End the block of a hijacked connection with ``ClientLeft`` once its client has hung up altogether.

    A client that has only ended its sending side stays: under TLS that is a ``close_notify`` without an end of
    the TCP stream, and on a plain socket the kernel reports a hang-up only when both directions are down. Of a
    plain TCP client it learns that by keepalive. While ``unless`` says so (somebody reads, and will meet the end)
    nothing happens. Costs a loop timer, not a greenlet.
    """
    greenlet = getcurrent()
    events = select.POLLRDHUP if isinstance(sock, TLSSocket) else 0
    poll = _poll()
    poll.register(sock.fileno(), events)  # hang-ups and errors are reported unasked
    timer = gevent.get_hub().loop.timer(HANG_UP_EVERY, HANG_UP_EVERY)

    def look() -> None:
        if not unless() and poll.poll(0):
            timer.stop()
            gevent.kill(greenlet, ClientLeft)

    timer.start(look)
    try:
        yield
    finally:
        timer.stop()
        timer.close()


def watched(environ: Mapping[str, Any], chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield b"" (which sends the head at once), then ``chunks``, ended when the client leaves.

    Give it to a response as its body. ``chunks`` waits in the request's greenlet; when the client
    leaves, ``ClientLeft`` is raised there and its ``finally`` blocks run.
    """
    with watching(environ):
        yield b""
        yield from chunks


def _look(sock: Any) -> bytes | None:
    """Return what could be read without taking it: b"" at the end, None when nothing is there."""
    timeout = sock.gettimeout()
    sock.settimeout(0.0)
    try:
        found: bytes = sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    finally:
        sock.settimeout(timeout)
    return found

"""Streams at rest: an answer that goes on for hours, mostly silent, costs no greenlet and no buffer meanwhile.

A response that would only copy what somebody else sends (the output of a container) hands the worker a ``Rest`` instead
of pieces, where the environ has ``ABLE_TO_REST``. The worker gives its greenlet back, and the loop itself moves what
comes, as far as neither side must be waited for; a greenlet is made for a client that is too slow, and for the end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import gevent
from flask import Response

from gateway.wire.hangups import HangUps
from gateway.wire.spawn import spawn

ABLE_TO_REST = "gateway.able_to_rest"
"""The key of the WSGI environ under which a worker says that it knows what to do with a ``Rest``."""

_READ = 1

log = logging.getLogger(__name__)


class Tap(Protocol):
    """Output that nobody needs to wait for: whoever holds one is told when its descriptor can be read."""

    def fileno(self) -> int: ...

    def pour(self, write: Callable[[bytes | memoryview], None]) -> bool:
        """Read once, without waiting, and write what came; False at the end."""

    def close(self) -> None: ...


class Rest:
    """One stream at rest. ``hijacked``: the connection is no HTTP now, and a client that ends its own side stays."""

    def __init__(self, tap: Tap, *, hijacked: bool = False) -> None:
        self.hijacked = hijacked
        self._tap = tap
        self._unsent = b""
        self._over = False

    def begin(
        self, sock: Any, hangups: HangUps, ended: Callable[[bool], Any], wrap: Callable[[Any], bytes] | None = None
    ) -> None:
        """Pass on to ``sock`` what comes, each piece as ``wrap`` makes it.

        ``ended`` is called in a greenlet of its own: with True when all has been sent, with False when the client has
        left or the output broke. The socket is the caller's to close; the tap is closed here.
        """
        self._sock, self._hangups, self._ended, self._wrap = sock, hangups, ended, wrap
        self._descriptor = sock.fileno()
        self._loop = gevent.get_hub().loop
        self._watcher = self._loop.io(self._tap.fileno(), _READ)
        self._watcher.start(self._something_came)
        hangups.watch(self._descriptor, self._left, half=not self.hijacked or hasattr(sock, "peer_certificate"))

    def abandon(self) -> None:
        """Close the tap of a stream that never begins."""
        self._tap.close()

    def _left(self) -> None:
        self._end(whole=False)

    def _something_came(self) -> None:
        """Queue up: of thousands that have news at once some milliseconds' worth is moved, then others have a turn."""
        self._watcher.stop()
        self._loop.run_callback(self._pour)

    def _pour(self) -> None:
        """Move what is there; runs in the loop."""
        if self._over:
            return
        try:
            going = self._tap.pour(self._write)
        except OSError as error:
            log.debug("a client was lost: %s", error)
            self._end(whole=False)
        except BaseException:
            self._end(whole=False)
            raise
        else:
            self._go_on(going=going)

    def _go_on(self, *, going: bool) -> None:
        if self._unsent:
            spawn(self._catch_up, going=going)
        elif going:
            self._watcher.start(self._something_came)
        else:
            self._end(whole=True)

    def _write(self, data: bytes | memoryview) -> None:
        """Send what goes at once and keep the rest. Raises OSError."""
        view = memoryview(self._wrap(data) if self._wrap else data)
        sent = 0
        if not self._unsent:
            self._sock.settimeout(0.0)
            try:
                while sent < len(view):
                    sent += self._sock.send(view[sent:])
            except BlockingIOError:
                pass
            finally:
                self._sock.settimeout(None)
        self._unsent += view[sent:]

    def _catch_up(self, *, going: bool) -> None:
        """Wait for a client that is slower than the output."""
        try:
            self._sock.sendall(self._unsent)
        except OSError as error:
            log.debug("a slow client was lost: %s", error)
            self._end(whole=False)
            return
        self._unsent = b""
        if self._over:
            return
        self._go_on(going=going)

    def _end(self, *, whole: bool) -> None:
        if self._over:
            return
        self._over = True
        self._watcher.stop()
        self._watcher.close()
        self._hangups.forget(self._descriptor)
        self._tap.close()
        spawn(self._ended, whole)


class RestingResponse(Response):
    """A response of what a tap gives; ``body`` gives the same to those that cannot rest, who wait for each piece."""

    def __init__(self, tap: Tap, body: Iterable[bytes], **options: Any) -> None:
        super().__init__(body, **options)
        self._tap = tap

    def __call__(self, environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        if ABLE_TO_REST not in environ:
            return super().__call__(environ, start_response)  # type: ignore[arg-type]
        start_response(self.status, self.get_wsgi_headers(environ).to_wsgi_list())  # type: ignore[arg-type]
        return Rest(self._tap)  # type: ignore[return-value]

"""The gunicorn worker: gevent, TLS by pyOpenSSL, and HTTP/1.1 as Docker clients speak it."""

from __future__ import annotations

import ctypes
import queue
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
from gevent import GreenletExit
from gunicorn.http import wsgi
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, NoMoreData, ParseException
from gunicorn.workers.base_async import ALREADY_HANDLED
from gunicorn.workers.ggevent import GeventWorker
from OpenSSL import SSL

from gateway.wire.closing import close_gently
from gateway.wire.connection import Connection, StandIn
from gateway.wire.hangups import HangUps
from gateway.wire.http1 import LAST_CHUNK, ClientGoneError, Request, RequestParser, Response, as_chunk, refusal
from gateway.wire.peer import PEER, Peer, address_of, peer_of, unix_peer
from gateway.wire.resting import ABLE_TO_REST, Rest
from gateway.wire.tls import PlainTextError, TLSSocket

__all__ = ["Worker", "peer_of"]

KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""Dead clients of silent streams are noticed after a minute and a half."""

PR_SET_PDEATHSIG = 1  # linux/prctl.h

Shortcut = Callable[[Request, Peer], bytes | None]


class Worker(GeventWorker):
    """Serve TLS, plain TCP and unix sockets, one greenlet per connection that is not at rest (``wire/resting``).

    Every listener has its kind: unix sockets stay as they are, TCP is under TLS when the class has a
    ``tls`` context (conf/gunicorn.py sets it on the worker before the fork). Each request's environ
    carries, beside the usual:

    - ``gateway.peer``: the connection's ``Peer`` (transport, address, certificate, uid); see ``peer_of``;
    - ``wsgi.url_scheme``: https under TLS, whatever headers claim;
    - ``gunicorn.socket``: the socket, for ``watch`` and ``hijack``;
    - ``gateway.able_to_rest``: a ``Rest`` may be returned instead of pieces.

    An application with an attribute ``shortcut(request, peer) -> bytes | None`` is asked before an
    environ is built; bytes are sent as they are (head and body) and the request is done. That is how
    ``/_ping`` and hot reads stay cheap. It must not touch the request's body. Its attribute
    ``common_headers`` (pairs) goes with what the worker itself refuses.
    """

    tls: SSL.Context | None = None
    noted: queue.SimpleQueue[int] | None = None
    """The arbiter's signals, as they were at the fork (conf/gunicorn.py)."""
    handshake_timeout = 10.0  # seconds

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: set[gevent.Greenlet] = set()
        self._shortcut: Shortcut | None = None
        self._common_headers: Sequence[tuple[str, str]] = ()

    def init_process(self) -> None:
        """Die with the arbiter: a worker that outlives it holds the port that the next arbiter wants."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        gevent.config.track_greenlet_tree = False  # who spawned whom: 10 µs and 2 KiB of each greenlet
        super().init_process()

    def init_signals(self) -> None:
        """Take up signals that came too early: until here they met the arbiter's handlers, which only note them."""
        super().init_signals()
        if self.noted is None:
            return
        with suppress(queue.Empty):
            while True:
                if self.noted.get_nowait() in {signal.SIGTERM, signal.SIGQUIT, signal.SIGINT}:
                    self.alive = False

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self._shortcut = getattr(self.wsgi, "shortcut", None)
        self._common_headers = getattr(self.wsgi, "common_headers", ())

    def run(self) -> None:
        for listener in self.sockets:
            if listener.family != socket.AF_UNIX:  # connections inherit what the listener has
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for option, value in KEEPALIVE:
                    listener.setsockopt(socket.IPPROTO_TCP, option, value)
        self._hangups, self._stand_in = HangUps(), StandIn()
        super().run()

    def notify(self) -> None:
        """Tell the arbiter that this worker lives; when stopping, let go of connections at rest."""
        super().notify()
        if not self.alive:
            gevent.killall(list(self._idle), block=False)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection from its first byte to its last."""
        try:
            sock, peer = self._welcome(client, addr)
        except OSError as error:
            self.log.debug("connection with %s came to nothing: %s", addr, error)
            client.close()
            return
        parser = RequestParser(self.cfg, sock, addr)
        connection = Connection(listener.getsockname(), sock, addr, peer, parser)
        if self._guarded(connection, partial(self._serve, connection)):
            self._stand_in.stand()

    def _guarded(self, connection: Connection, serve: Callable[[], bool]) -> bool:
        """Run ``serve`` and close the connection after it, unless a stream rests there: then it is True."""
        rests = False
        try:
            rests = serve()
        except OSError as error:
            self.log.debug("connection with %s ended: %s", connection.address, error)
        except GreenletExit:
            pass  # the client left a watched stream, or the worker stops
        finally:
            if not rests:
                with suppress(OSError):
                    connection.sock.close()
        return rests

    def _welcome(self, client: Any, addr: Any) -> tuple[Any, Peer]:
        """Return the socket to speak on and who is there; raise OSError when it comes to nothing."""
        if client.family == socket.AF_UNIX:
            return client, unix_peer(client)
        if self.tls is None:
            return client, Peer("tcp", address_of(addr))
        sock = TLSSocket(client, self.tls)
        try:
            with gevent.Timeout(self.handshake_timeout, TimeoutError("no TLS handshake in time")):
                sock.do_handshake()
        except PlainTextError:
            client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
            close_gently(client)
            raise
        return sock, Peer("tls", address_of(addr), certificate=sock.peer_certificate())

    def _serve(self, connection: Connection) -> bool:
        """Answer requests until the connection is to be closed; True when a stream on it rests, and others go on."""
        parser, sock = connection.parser, connection.sock
        while request := self._next_request(parser, sock):
            if self._shortcut and (whole := self._shortcut(request, connection.peer)):
                sock.sendall(whole)
                again: bool | Rest | None = self.alive and not request.should_close()
            else:
                again = self._answer(request, connection)
            if again is None:
                return False
            if isinstance(again, Rest):
                return True
            if not again or not parser.discard_body():
                close_gently(sock)
                return False
        return False

    def _next_request(self, parser: RequestParser, sock: Any) -> Request | None:
        """Wait for the next request; None when there is none and the connection is to be closed."""
        greenlet = gevent.getcurrent()
        self._idle.add(greenlet)
        try:
            with gevent.Timeout(self.cfg.keepalive, False):
                request: Request = next(parser)
                return request
        except (StopIteration, NoMoreData):
            pass
        except ParseException as error:
            self.log.debug("unreadable request: %s", error)
            sock.sendall(refusal(_status(error), self._common_headers))
            close_gently(sock)
        finally:
            self._idle.discard(greenlet)
        return None

    def _answer(self, request: Request, connection: Connection) -> bool | Rest | None:
        """Answer one request; True to keep the connection, False to close it, None when it is gone, or its Rest."""
        peer, sock = connection.peer, connection.sock
        request.scheme = "https" if peer.transport == "tls" else "http"
        response, environ = wsgi.create(
            request, sock, connection.address, connection.server, self.cfg, response_class=Response
        )
        environ["wsgi.multithread"] = True
        environ[PEER] = peer
        environ[ABLE_TO_REST] = True
        if not self.alive:
            response.force_close()
        try:
            return self._run(environ, response, connection)
        except ClientGoneError:
            return None
        except Exception:
            self.log.exception("error while answering %s %s", request.method, request.path)
            if not response.headers_sent:
                sock.sendall(refusal("500 Internal Server Error", self._common_headers))
                return False
            return None  # cut off without a last chunk, so that the client knows

    def _run(self, environ: dict[str, Any], response: Response, connection: Connection) -> bool | Rest | None:
        pieces = self.wsgi(environ, response.start_response)
        if pieces is ALREADY_HANDLED:
            return None
        if isinstance(pieces, Rest):
            return self._lay_down(pieces, response, connection)
        try:
            for piece in pieces:
                response.write(piece)
            response.close()
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        return not response.should_close()

    def _lay_down(self, rest: Rest, response: Response, connection: Connection) -> Rest:
        """Let a stream rest, with no more of its request than its end will need."""
        chunked = response.chunked and not rest.hijacked
        keep = not (rest.hijacked or response.should_close())
        try:
            if not rest.hijacked:
                response.write(b"")  # the head
                keep = keep and connection.parser.discard_body()
        except BaseException:
            rest.abandon()
            raise
        connection.outlive_greenlet()
        ended = partial(self._get_up, connection, chunked=chunked, keep=keep)
        self._stand_in.lies_down()
        rest.begin(connection.sock, self._hangups, ended, as_chunk if chunked else None)
        return rest

    def _get_up(self, connection: Connection, whole: bool, *, chunked: bool, keep: bool) -> None:
        """Go on where a stream has ended; without its last chunk when it broke off, so that the client knows."""

        def serve() -> bool:
            if whole and chunked:
                connection.sock.sendall(LAST_CHUNK)
            if whole and keep:
                return self._serve(connection)
            close_gently(connection.sock)
            return False

        try:
            self._guarded(connection, serve)
        finally:
            self._stand_in.gets_up()


def _status(error: ParseException) -> str:
    if isinstance(error, LimitRequestLine):
        return "414 URI Too Long"
    if isinstance(error, LimitRequestHeaders):
        return "431 Request Header Fields Too Large"
    return "400 Bad Request"

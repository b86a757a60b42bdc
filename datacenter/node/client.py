"""The gateway's end of a stdio session: one TCP connection to an ephemeral port of this node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import gevent
from gevent import socket
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from datacenter.node.frames import STDIN_EOF, Asked, Framing

CONNECT_WITHIN = 30.0
LINGER = 10.0
"""Seconds a finished session waits for the client to have read everything."""
RECEIVE = 128 * 1024
KEEPALIVE = 20
"""Seconds between probes of a silent connection."""
TCP_CLOSE = 7
READ = 1


def rendezvous(
    serve: Callable[[socket.socket], None],
    missed: Callable[[], None] | None = None,
    *,
    within: float = CONNECT_WITHIN,
) -> int:
    """Listen on a loopback port for exactly one connection, which ``serve`` gets in a greenlet of its own.

    The port closes with the first connection, or after ``within`` seconds without one; then ``missed`` is called.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.settimeout(within)

    def accept() -> None:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            if missed is not None:
                missed()
            return
        finally:
            listener.close()
        with connection:
            connection.settimeout(None)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE)
            serve(connection)

    gevent.spawn(accept)
    port: int = listener.getsockname()[1]
    return port


class Listener:
    """Waits for a client's first word without a greenlet: most who follow a container never say any.

    ``over`` is set when ``read`` has returned.
    """

    def __init__(self, descriptor: int, read: Callable[[], None]) -> None:
        self.over = Event()
        self._read = read
        self._reading: gevent.Greenlet | None = None
        self._watcher = gevent.get_hub().loop.io(descriptor, READ)
        self._watcher.start(self._heard)

    def _heard(self) -> None:
        self._watcher.stop()
        self._reading = gevent.spawn(self._read)
        self._reading.rawlink(lambda _: self.over.set())

    def stop(self) -> None:
        """Listen no longer; to be called before the connection is closed."""
        self._watcher.stop()
        self._watcher.close()
        if self._reading is not None:
            self._reading.kill()


class Client:
    """A connected client that speaks one framing.

    Writing to a client that went is no error: the process goes on, so its output is dropped. ``left`` is set when
    the connection broke, or by a session that sees its client wants no more.
    """

    def __init__(self, connection: socket.socket, framing: Framing) -> None:
        self.framing = framing
        self.left = Event()
        self._gone = False
        self._connection = connection
        self._sending = BoundedSemaphore(1)

    def listen(self, read: Callable[[Client], None]) -> Listener:
        """Have ``read`` called in a greenlet of its own as soon as the client says something or leaves."""
        return Listener(self._connection.fileno(), lambda: read(self))

    def send(self, data: bytes | memoryview) -> None:
        """Send bytes already framed, whole even when several greenlets send."""
        if not data:
            return
        with self._sending:
            if self._gone:
                return
            try:
                self._connection.sendall(data)
            except OSError:
                self._break()

    def _break(self) -> None:
        self._gone = True
        self.left.set()

    def output(self, kind: int, data: bytes) -> None:
        self.send(self.framing.output(kind, data))

    def lines(self, runs: Iterable[tuple[int, list[bytes]]]) -> None:
        """Send whole lines of output, all in one send."""
        self.send(b"".join([self.framing.lines(kind, lines) for kind, lines in runs]))

    def events(self) -> Iterator[Asked]:
        """Yield what the client asks until it is gone; its half-close is the end of stdin, and the last event.

        Raises ProtocolError.
        """
        reader = self.framing.reader()
        while True:
            try:
                data = self._connection.recv(RECEIVE)
            except OSError:
                self._break()
                return
            if not data:
                yield Asked(STDIN_EOF)
                self._wait_gone()
                return
            yield from reader.feed(data)

    def _wait_gone(self) -> None:
        """Wait for a client that sent FIN to be gone altogether, which a keepalive probe finds out within two minutes.

        Else a client that closed would be kept for as long as a container is silent.
        """
        while self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_CLOSE:
            if self.left.wait(KEEPALIVE):
                return
        self._break()

    def end(self, code: int | None, error: dict[str, str] | None = None) -> None:
        """Send the end message, then ``close``."""
        self.send(self.framing.end(code, error))
        self.close()

    def close(self) -> None:
        """Send FIN and wait a while for the client's, since closing over unread input would reset the connection.

        Nobody may be reading ``events`` any more; what is sent from now on is dropped.
        """
        with self._sending:
            if self._gone:
                return
            self._break()
        with gevent.Timeout(LINGER, False):
            try:
                self._connection.shutdown(socket.SHUT_WR)
                while self._connection.recv(RECEIVE):
                    pass
            except OSError:
                pass

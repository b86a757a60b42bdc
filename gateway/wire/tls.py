"""TLS for gevent through pyOpenSSL.

The standard library cannot ask for a client certificate and then accept one that no authority has
signed; Triton accounts present exactly that. The handshake therefore lets everybody in, and who a
client is gets decided for each request from the key that the handshake proved it holds.
"""

from __future__ import annotations

import errno
import io
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from gevent.socket import wait_read, wait_write
from OpenSSL import SSL, crypto

T = TypeVar("T")

RECORD = 16 * 1024
"""Bytes of payload in the largest TLS record: one read of OpenSSL never returns more."""


class TLSError(ConnectionError):
    """A connection whose TLS layer failed; nothing more can be sent or read on it."""


class PlainTextError(TLSError):
    """A client that speaks plain HTTP to a TLS port."""


def server_context(certificate: Path, key: Path) -> SSL.Context:
    """Return the server's context: any client certificate passes, none is required.

    A resumed session would carry the certificate of the connection that made it, even to a client
    that shows none, so sessions are neither cached nor ticketed: every connection proves its key.
    Build the context before workers fork, so that all of them read the key once and a bad file
    stops the start.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"docker")  # without one OpenSSL fails a client that tries to resume
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # an idle connection keeps no 34 KiB of buffers
    context.set_verify(SSL.VERIFY_PEER, _accept_any)
    context.set_alpn_select_callback(_choose_http1)
    context.use_certificate_chain_file(str(certificate))
    context.use_privatekey_file(str(key))
    context.check_privatekey()
    return context


def _accept_any(*_: object) -> bool:
    return True


def _choose_http1(_: SSL.Connection, offered: list[bytes]) -> Any:
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def peer_certificate_der(sock: object) -> bytes | None:
    """Return the certificate whose key the client proved to hold, in DER, or None.

    Its names, dates and issuer are the client's claims and nothing more.
    """
    return sock.peer_certificate() if isinstance(sock, TLSSocket) else None


class TLSSocket:
    """A gevent socket under TLS, with the methods of a socket.

    One greenlet may read while another writes; two readers or two writers may not. ``sendfile`` is
    left out on purpose: it would put plain bytes on the wire. With a timeout of None calls wait for
    ever; with 0 they raise ``BlockingIOError`` instead of waiting.
    """

    __slots__ = ("_closed", "_said_goodbye", "_sock", "_ssl")

    def __init__(self, sock: Any, context: SSL.Context) -> None:
        self._sock = sock
        self._ssl = SSL.Connection(context, sock)
        self._ssl.set_accept_state()
        self._closed = False
        self._said_goodbye = False

    def do_handshake(self) -> None:
        """Shake hands; raise ``PlainTextError``, another ``TLSError`` or an ``OSError``."""
        try:
            self._patiently(True, self._ssl.do_handshake)
        except EOFError:
            raise ConnectionResetError(errno.ECONNRESET, "the client left during the handshake") from None

    def peer_certificate(self) -> bytes | None:
        """Return the client's certificate as it was sent (DER), unread: it may be any nonsense."""
        certificate = self._ssl.get_peer_certificate()
        return None if certificate is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return up to ``size`` bytes, waiting for the first only, or b"" once the client has ended its side.

        OpenSSL hands out one record at a time; as many as are there are put together, so that who reads much at
        once also passes much on at once.
        """
        data = self._record(size, flags)
        if flags or not data or size - len(data) < RECORD:
            return data
        pieces = [data, *self._records_there(size - len(data))]
        return b"".join(pieces) if len(pieces) > 1 else data

    def _record(self, size: int, flags: int) -> bytes:
        """Wait for a record, or for the end, which is b""."""
        try:
            return self._patiently(True, self._ssl.recv, min(size, RECORD), flags) if size > 0 else b""
        except EOFError:
            return b""

    def _records_there(self, room: int) -> Iterator[bytes]:
        """Yield the records that need not be waited for, as long as a whole one fits."""
        while room >= RECORD:
            try:
                data = self._ssl.recv(RECORD)
            except SSL.Error:  # nothing there yet, or an end or error that the next call meets again
                return
            room -= len(data)
            yield data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Fill ``buffer`` with what has arrived, as ``recv`` does; 0 once the client has ended its side."""
        view = memoryview(buffer).cast("B")
        view = view[:nbytes] if nbytes else view
        data = self._record(len(view), flags)
        view[: len(data)] = data
        filled = len(data)
        if data and not flags:
            for piece in self._records_there(len(view) - filled):
                view[filled : filled + len(piece)] = piece
                filled += len(piece)
        return filled

    def send(self, data: Any, flags: int = 0) -> int:
        """Send some of ``data`` and return how many bytes went."""
        if not len(data):
            return 0
        try:
            return self._patiently(False, self._ssl.send, data, flags)
        except EOFError:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of ``data``, in records cut from one view of it."""
        sent = self.send(data, flags)
        if sent == len(data):
            return
        view = memoryview(data).cast("B")
        while sent < len(view):
            sent += self.send(view[sent:], flags)

    def shutdown(self, how: int) -> None:
        """Send ``close_notify`` and go on reading, unless reading is to end too.

        With ``SHUT_WR`` no TCP FIN goes out: the client learns of the end by TLS alone and its own
        bytes still come in. ``SHUT_RD`` alone has no meaning in TLS and does nothing.
        """
        if how != socket.SHUT_RD and not self._said_goodbye:
            self._said_goodbye = True
            with suppress(EOFError):
                self._patiently(False, self._ssl.shutdown)
        if how == socket.SHUT_RDWR:
            self._sock.shutdown(how)

    def close(self) -> None:
        """Send ``close_notify`` if it can go at once, then close; whoever waits here is woken."""
        if self._closed:
            return
        self._closed = True  # OpenSSL keeps the number of the descriptor, which may soon be another's
        if not self._said_goodbye:
            with suppress(SSL.Error):
                self._ssl.shutdown()
        self._sock.close()

    def move(self, moved: Callable[[Any], Any]) -> None:
        """Speak through what ``moved`` makes of the socket below, with the same descriptor, from now on."""
        self._sock = moved(self._sock)

    def fileno(self) -> int:
        return cast("int", self._sock.fileno())

    def gettimeout(self) -> float | None:
        return cast("float | None", self._sock.gettimeout())

    def settimeout(self, seconds: float | None) -> None:
        self._sock.settimeout(seconds)

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def getpeername(self) -> Any:
        return self._sock.getpeername()

    def getsockname(self) -> Any:
        return self._sock.getsockname()

    def setsockopt(self, *args: Any) -> None:
        self._sock.setsockopt(*args)

    def makefile(self, mode: str = "rb", buffering: int = io.DEFAULT_BUFFER_SIZE) -> io.BufferedIOBase:
        """Return a binary file over the connection; closing it leaves the connection open."""
        raw = _SocketFile(self)
        if "r" in mode and "w" in mode:
            return io.BufferedRWPair(raw, raw, buffering)
        return io.BufferedWriter(raw, buffering) if "w" in mode else io.BufferedReader(raw, buffering)

    def _patiently(self, reading: bool, call: Callable[..., T], *args: Any) -> T:
        """Repeat ``call`` until OpenSSL need not wait; raise EOFError when the other side has ended."""
        while True:
            if self._closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            try:
                return call(*args)
            except SSL.WantReadError:
                for_read = True
            except SSL.WantWriteError:
                for_read = False
            except SSL.Error as error:
                raise _as_os_error(error) from error
            self._wait(for_read=for_read, own=reading is for_read)  # outside: an error being handled is kept alive

    def _wait(self, *, for_read: bool, own: bool) -> None:
        """Wait for the descriptor; woken with EBADF when another greenlet closes the socket.

        A reader that must first write (a key update) or the reverse waits on a watcher of its own:
        the socket's watcher for that direction belongs to the other greenlet.
        """
        sock = self._sock
        if sock.timeout == 0.0:
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
        if own:
            sock._wait(sock._read_event if for_read else sock._write_event)
        else:
            (wait_read if for_read else wait_write)(sock.fileno(), sock.timeout)


def _as_os_error(error: SSL.Error) -> OSError | EOFError:
    """Translate an error of pyOpenSSL; EOFError stands for an end of the other side's stream."""
    if isinstance(error, SSL.ZeroReturnError):
        return EOFError()
    if isinstance(error, SSL.SysCallError):
        number = error.args[0]
        # -1 is an end without close_notify: clients that die, and many that just hang up
        return OSError(number, os.strerror(number)) if number > 0 else EOFError()
    reasons = [entry[-1] for entry in error.args[0]] if error.args and isinstance(error.args[0], list) else []
    if "http request" in reasons:
        return PlainTextError("a plain HTTP request on a TLS port")
    if "protocol is shutdown" in reasons:
        return BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    return TLSError("; ".join(reasons) or type(error).__name__)


class _SocketFile(io.RawIOBase):
    def __init__(self, sock: TLSSocket) -> None:
        self._sock = sock

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._sock.recv_into(buffer)

    def write(self, data: Any) -> int:
        return self._sock.send(data)

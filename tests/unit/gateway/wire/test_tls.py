from __future__ import annotations

import errno
import gc
import hashlib
import socket

import gevent
import pytest
from gevent import socket as gsocket
from OpenSSL import SSL

from gateway.wire.certificate import ensure_server_certificate
from gateway.wire.relay import pump
from gateway.wire.tls import RECORD, PlainTextError, TLSError, TLSSocket, peer_certificate_der, server_context


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    ensure_server_certificate(folder / "cert.pem", folder / "key.pem")
    return server_context(folder / "cert.pem", folder / "key.pem")


@pytest.fixture(params=[SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["tls12", "tls13"])
def ends(request, context):
    """The server's and the client's end of one connection, hands shaken."""
    here, there = gsocket.socketpair()
    ours = SSL.Context(SSL.TLS_CLIENT_METHOD)
    ours.set_min_proto_version(request.param)
    ours.set_max_proto_version(request.param)
    server, client = TLSSocket(here, context), TLSSocket(there, ours)
    client._ssl.set_connect_state()
    shaking = gevent.spawn(client.do_handshake)
    server.do_handshake()
    shaking.get()
    yield server, client
    server.close()
    client.close()


def read_all(sock) -> bytes:
    pieces = []
    while data := sock.recv(65536):
        pieces.append(data)
    return b"".join(pieces)


DATA = hashlib.sha256(b"wire").digest() * 100_000


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_large_buffer_arrives_whole(ends, kind):
    server, client = ends
    reading = gevent.spawn(read_all, client)
    server.sendall(kind(DATA))
    server.close()
    assert reading.get() == DATA


def test_a_reader_and_a_writer_share_a_connection(ends):
    server, client = ends
    reading = [gevent.spawn(read_all, end) for end in ends]
    writing = [gevent.spawn(end.sendall, DATA) for end in ends]
    gevent.joinall(writing, raise_error=True)
    for end in ends:
        end.shutdown(socket.SHUT_WR)
    assert [greenlet.get() for greenlet in reading] == [DATA, DATA]


def test_each_side_ends_by_itself(ends):
    server, client = ends
    client.shutdown(socket.SHUT_WR)
    assert server.recv(10) == b""
    server.sendall(b"still here")
    assert client.recv(100) == b"still here"
    with pytest.raises(BrokenPipeError):
        client.send(b"x")


def test_bytes_inside_openssl_are_not_waited_for(ends):
    """A record is read from the socket whole; what recv left of it makes no descriptor readable."""
    server, client = ends
    client.sendall(b"abcdef")
    assert server.recv(2) == b"ab"
    assert server.recv(1, socket.MSG_PEEK) == b"c"
    assert server.recv(100) == b"cdef"


def test_recv_into_gathers_records_and_respects_the_buffer(ends):
    server, client = ends
    client.sendall(b"x" * (3 * RECORD))
    gevent.sleep(0)
    buffer = bytearray(4 * RECORD)
    assert server.recv_into(buffer) == 3 * RECORD
    client.sendall(b"12345")
    assert server.recv_into(buffer, 2) == 2
    assert (bytes(buffer[:2]), server.recv(9)) == (b"12", b"345")


def test_pump_copies_to_the_end(ends):
    server, client = ends
    writing = gevent.spawn(lambda: (client.sendall(DATA), client.shutdown(socket.SHUT_WR)))
    sink = bytearray()

    class Sink:
        def sendall(self, data):
            sink.extend(data)

    assert pump(server, Sink()) == len(DATA)
    writing.get()
    assert bytes(sink) == DATA


def test_timeouts_are_those_of_sockets(ends):
    server, _ = ends
    server.settimeout(0.01)
    with pytest.raises(TimeoutError):
        server.recv(1)
    server.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.recv(1)
    assert server.gettimeout() == 0.0


def test_a_reader_that_waits_holds_nothing_of_its_last_try(ends):
    server, client = ends
    reading = gevent.spawn(server.recv, 1)
    gevent.sleep(0)
    gc.collect()
    assert not [found for found in gc.get_objects() if isinstance(found, SSL.WantReadError)]
    client.sendall(b"x")
    assert reading.get() == b"x"


def test_closing_wakes_a_reader_of_another_greenlet(ends):
    server, _ = ends
    reading = gevent.spawn(server.recv, 1)
    gevent.sleep(0)
    server.close()
    with pytest.raises(OSError) as caught:
        reading.get()
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError) as caught:  # the number of its descriptor may be another's by now
        server.send(b"x")
    assert caught.value.errno == errno.EBADF


def test_an_end_without_goodbye_is_an_end_to_readers_and_a_broken_pipe_to_writers(ends):
    server, client = ends
    client.sendall(b"x")
    server.recv(1)
    client._sock.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    client._sock.close()
    with pytest.raises(ConnectionError):
        for _ in range(100):
            server.sendall(DATA)


def test_damaged_records_break_the_connection(ends):
    server, client = ends
    client._sock.sendall(b"\x17\x03\x03\x00\x20" + b"\0" * 32)
    with pytest.raises(TLSError):
        server.recv(1)


def test_files_read_lines_and_leave_the_connection_open(ends):
    server, client = ends
    client.sendall(b"one\ntwo\n")
    with server.makefile("rb") as file:
        assert file.readline() == b"one\n"
    with server.makefile("wb") as file:
        file.write(b"three")
    assert client.recv(10) == b"three"


@pytest.mark.parametrize(
    "sent, error",
    [(b"GET / HTTP/1.1\r\n\r\n", PlainTextError), (b"\0" * 64, TLSError), (b"", ConnectionResetError)],
)
def test_what_is_no_handshake_is_named(context, sent, error):
    here, there = gsocket.socketpair()
    there.sendall(sent)
    there.shutdown(socket.SHUT_WR)
    server = TLSSocket(here, context)
    with pytest.raises(error):
        server.do_handshake()
    server.close()
    there.close()


def test_no_certificate_is_no_identity(ends):
    assert peer_certificate_der(ends[0]) is None
    assert peer_certificate_der(ends[0]._sock) is None


def test_plain_bytes_cannot_slip_out(ends):
    assert not hasattr(ends[0], "sendfile")

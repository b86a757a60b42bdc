"""Bytes and documents from a node's socket, and archives to it."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from sdc import transfer
from sdc.errors import SdcError, SdcUnavailable


def node_that(serve) -> dict:
    """A listener that serves one connection; what a node answers to get there."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        connection, _ = listener.accept()
        with listener, connection:
            serve(connection)

    threading.Thread(target=run, daemon=True).start()
    return {"host": "127.0.0.1", "port": listener.getsockname()[1]}


def test_bytes_come_until_the_end():
    answer = node_that(lambda connection: connection.sendall(b"x" * 1_000_000))
    assert b"".join(transfer.receive(answer)) == b"x" * 1_000_000


def test_a_reset_is_no_end():
    may_go = threading.Event()

    def serve(connection):
        connection.sendall(b"half")
        may_go.wait(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    chunks = transfer.receive(node_that(serve))
    assert next(chunks) == b"half"
    may_go.set()
    with pytest.raises(SdcUnavailable):
        next(chunks)


def test_documents_are_lines_however_they_are_cut():
    def serve(connection):
        for piece in (b'{"a":1}\r\n{"a"', b":2}\r", b"\n\r\n", b'{"a":3}\r\n'):
            connection.sendall(piece)

    assert [found["a"] for found in transfer.documents(node_that(serve))] == [1, 2, 3]


def taking(answer: bytes, taken: list[bytes]):
    def serve(connection):
        while data := connection.recv(1000):
            taken.append(data)
        connection.sendall(answer)

    return serve


def test_an_archive_is_sent_whole():
    taken: list[bytes] = []
    transfer.send(node_that(taking(b"{}\r\n", taken)), iter([b"one", b"two"]))
    assert b"".join(taken) == b"onetwo"
    transfer.send(node_that(taking(b"", taken)), iter([]))  # a plain node reports nothing


def test_a_report_of_failure_is_an_error():
    report = b'{"error":{"restCode":"ExtractionFailed","message":"no space"}}\r\n'
    with pytest.raises(SdcError) as caught:
        transfer.send(node_that(taking(report, [])), iter([b"x"]))
    assert (caught.value.code, caught.value.message) == ("ExtractionFailed", "no space")


def test_a_node_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = {"host": "127.0.0.1", "port": listener.getsockname()[1]}
    with pytest.raises(SdcUnavailable):
        transfer.receive(answer)

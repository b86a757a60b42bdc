from __future__ import annotations

import json

import pytest
from flask import Response, request
from gevent import socket

from datacenter.restify import reply, service
from datacenter.services.serving import Server

ASK = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


def heard():
    return reply({**request.headers, "body": request.get_data().decode()})


@pytest.fixture
def server():
    app = service("test", "Test/1")
    app.add_url_rule("/small", "small", view_func=lambda: reply({"a": 1}))
    app.add_url_rule("/large", "large", view_func=lambda: Response(b"x" * 1_000_000))
    app.add_url_rule("/none", "none", view_func=lambda: reply(status=204))
    app.add_url_rule("/stream", "stream", view_func=lambda: Response(iter([b"a", b"b"])))
    app.add_url_rule("/heard", "heard", methods=["POST"], view_func=heard)
    server = Server(0, app, lambda environ, sock: sock.sendall(environ["PATH_INFO"].encode()))
    server.start()
    yield server
    server.stop(timeout=0)


@pytest.fixture
def client(server):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as client:
        yield client


def test_a_small_answer_comes_in_one_piece(client):
    for _ in range(3):
        client.sendall(ASK % b"/small")
        answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b'\r\n\r\n{"a":1}')


def test_head_has_the_length_and_no_body(client):
    client.sendall(b"HEAD /small HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Content-Length: 7\r\n" in (answer := client.recv(65536))
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", [b"/large", b"/none", b"/stream"])
def test_other_answers_end_too(client, path):
    client.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
    answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    expected = {b"/large": b"x" * 1_000_000, b"/none": b"", b"/stream": b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"}
    assert body == expected[path]
    assert head.count(b"HTTP/1.1") == 1


def test_upgrades_get_the_socket(client):
    client.sendall(b"GET /feed HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert b"".join(iter(lambda: client.recv(65536), b"")) == b"/feed"


def test_accepted_sockets_do_not_wait_for_acknowledgements(server):
    assert server.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_only_loopback(server):
    assert server.server_host == "127.0.0.1"


def test_headers_arrive_whatever_their_case_and_twice_when_sent_twice(client):
    head = b"POST /heard HTTP/1.1\r\nhOST: x\r\nX-One:  a:b \r\nx-one: c\r\nCONTENT-TYPE: text/plain\r\nX-None:\r\n"
    client.sendall(head + b"content-length: 2\r\n\r\nhi")
    found = json.loads(client.recv(65536).partition(b"\r\n\r\n")[2])
    assert found == {"Host": "x", "X-One": "a:b,c", "Content-Type": "text/plain", "X-None": "", "Content-Length": "2",
                     "body": "hi"}  # fmt: skip


def test_chunks_win_over_a_length(client):
    head = b"POST /heard HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.sendall(head + b"3\r\nabc\r\n0\r\n\r\n")
    found = json.loads(client.recv(65536).partition(b"\r\n\r\n")[2])
    assert (found["body"], found.get("Content-Length")) == ("abc", None)


@pytest.mark.parametrize(
    "headers",
    [
        b"no colon",
        b": no name",
        b"blank : before",
        b"a: b\r\n folded: c",
        b"long: " + b"x" * 70_000,
        b"\r\n".join(b"h%d: x" % n for n in range(101)),
        b"Content-Length: -1",
    ],
)
def test_headers_that_are_none_are_refused(client, headers):
    client.sendall(b"GET /small HTTP/1.1\r\n%b\r\n\r\n" % headers)
    assert client.recv(65536).startswith(b"HTTP/1.1 400 ")

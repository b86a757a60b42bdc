from __future__ import annotations

import hashlib
import json
import threading

import pytest
from OpenSSL import SSL
from wire_client import Client, Live

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
BIG = 131 * 1024 * 1024


@pytest.fixture(params=["unix", "tls12", "tls13"])
def connect(request, live: Live):
    if request.param == "unix":
        return live.unix
    version = {"tls12": SSL.TLS1_2_VERSION, "tls13": SSL.TLS1_3_VERSION}[request.param]
    return lambda: live.tls(version, live.identity)


def upgraded(client: Client, path: str, body: bytes = b"") -> None:
    client.ask("POST", path, UPGRADE, body)
    assert client.read_head().status == 101


def test_the_head_of_an_upgrade_is_dockers(connect):
    with connect() as client:
        client.ask("POST", "/hijack/echo", UPGRADE)
        reply = client.read_head()
        assert reply.line == "HTTP/1.1 101 UPGRADED"
        assert list(reply.headers.items())[:3] == [
            ("content-type", "application/vnd.docker.multiplexed-stream"),
            ("connection", "Upgrade"),
            ("upgrade", "tcp"),
        ]
        assert (reply.headers["api-version"], reply.headers["server"]) == ("1.51", "Wire/1")
        assert reply.headers["x-extra"] == "1"
        assert "content-length" not in reply.headers


def test_without_upgrade_the_stream_is_raw(connect):
    with connect() as client:
        client.ask("POST", "/hijack/echo")
        reply = client.read_head()
        assert reply.line == "HTTP/1.1 200 OK"
        assert reply.headers["content-type"] == "application/vnd.docker.raw-stream"
        client.send(b"over")
        assert client.read_exactly(4) == b"over"


@pytest.mark.parametrize("read", ["", "?read=1"])
@pytest.mark.parametrize(
    "headers, body",
    [
        ({}, b""),
        ({"Content-Length": "0"}, b""),
        ({"Content-Length": "13"}, b'{"Tty":false}'),
        ({"Transfer-Encoding": "chunked"}, b'd\r\n{"Tty":false}\r\n0\r\n\r\n'),
    ],
)
def test_bytes_right_behind_the_request_belong_to_the_stream(connect, headers, body, read):
    with connect() as client:
        client.ask("POST", f"/hijack/digest{read}", {**UPGRADE, **headers}, body, early=b"PRI * early")
        client.half_close()
        assert client.read_head().status == 101
        assert client.read_to_end() == hashlib.sha256(b"PRI * early").hexdigest().encode()


def test_after_its_half_close_a_client_still_gets_its_answer(connect):
    with connect() as client:
        upgraded(client, "/hijack/digest")
        client.send(b"hello\n")
        client.half_close()
        assert client.read_to_end() == hashlib.sha256(b"hello\n").hexdigest().encode()


def test_after_our_half_close_a_client_is_still_heard(connect):
    """The session asserts that the thanks arrived, which came after its own end."""
    with connect() as client:
        upgraded(client, "/hijack/blast")
        client.send(b"131072 7")
        assert len(client.read_to_end()) == 131072
        if client.tls is None:
            client.send(b"thanks")
        else:
            client.tls.send(b"thanks")


def test_131_mb_to_the_server(connect):
    block = bytes(range(256)) * 4096
    seen = hashlib.sha256()
    with connect() as client:
        upgraded(client, "/hijack/digest")
        for _ in range(BIG // len(block)):
            client.send(block)
            seen.update(block)
        client.half_close()
        assert client.read_to_end() == seen.hexdigest().encode()


def test_131_mb_from_the_server(connect):
    with connect() as client:
        upgraded(client, "/hijack/blast")
        client.send(b"%d 5" % BIG)
        seen, size = hashlib.sha256(), 0
        while data := client.recv(1 << 20):
            seen.update(data)
            size += len(data)
        client.send(b"thanks")
    block = hashlib.sha256(b"5").digest() * 4096
    expected = hashlib.sha256()
    for _ in range(BIG // len(block)):
        expected.update(block)
    assert size == BIG
    assert seen.digest() == expected.digest()


@pytest.mark.parametrize("session", ["echo", "copy"])
def test_both_ways_at_once(live: Live, session: str):
    """A thread writes while this one reads: the server's reader and writer are one greenlet here."""
    total = 8 * 1024 * 1024
    with live.unix() as client:
        upgraded(client, f"/hijack/{session}")
        data = hashlib.sha256(session.encode()).digest() * (total // 32)
        writer = threading.Thread(target=lambda: (client.send(data), client.half_close()))
        writer.start()
        assert client.read_to_end() == data
        writer.join()


def test_the_last_words_arrive_although_the_client_still_sends(connect):
    with connect() as client:
        upgraded(client, "/hijack/first_line")
        client.send(b"x" * 300_000)
        assert client.read_to_end() == b"the last words"


def test_a_session_that_breaks_ends_its_connection_and_nothing_else(connect):
    with connect() as client:
        upgraded(client, "/hijack/fail")
        assert client.read_to_end() == b"so far"
    with connect() as client:
        assert client.get("/_ping").body == b"OK"


@pytest.mark.parametrize("session", ["mute", "heard_out"])
def test_a_silent_session_ends_when_its_client_hangs_up(connect, session, request):
    name = f"{session}-{request.node.callspec.params['connect']}"
    with connect() as client:
        upgraded(client, f"/hijack/{session}?name={name}")
    with connect() as other:
        assert json.loads(other.get(f"/left/{name}").body) is True


def test_a_half_close_is_no_hanging_up(connect, request):
    name = f"half-{request.node.callspec.params['connect']}"
    with connect() as client, connect() as other:
        upgraded(client, f"/hijack/heard_out?name={name}")
        client.half_close()
        assert json.loads(other.get(f"/left/{name}?seconds=2.5").body) is False


def test_a_silent_session_ends_when_its_client_is_cut_off(live: Live):
    client = live.tls(SSL.TLS1_3_VERSION, live.identity)
    upgraded(client, "/hijack/heard_aside?name=cut-session")
    client.sock.close()
    with live.unix() as other:
        assert json.loads(other.get("/left/cut-session").body) is True

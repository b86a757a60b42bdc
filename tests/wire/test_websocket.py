from __future__ import annotations

import hashlib

import pytest
from wire_client import Client, Live
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from gateway.wire.websocket import refusal


class Browser:
    """A client of a WebSocket; ``answer`` is the server's half of the handshake."""

    def __init__(self, client: Client, path: str, **asked) -> None:
        self.client = client
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._events = iter(())
        client.send(self._ws.send(Request(host="docker", target=path, **asked)))
        self.answer = self.next()

    def send(self, event) -> None:
        self.client.send(self._ws.send(event))

    def next(self):
        """The next event, None when the connection has ended."""
        while (event := next(self._events, None)) is None:
            data = self.client.recv()
            if not data:
                return None
            self._ws.receive_data(data)
            self._events = iter(list(self._ws.events()))
        return event

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            event = self.next()
            data += event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
        return data


@pytest.fixture(params=["unix", "tls"])
def client(request, live: Live):
    with live.unix() if request.param == "unix" else live.tls(identity=live.identity) as client:
        yield client


def test_bytes_go_both_ways_whatever_the_messages(client):
    browser = Browser(client, "/ws/echo")
    assert isinstance(browser.answer, AcceptConnection)
    assert (b"x-extra", b"1") in [(name.lower(), value) for name, value in browser.answer.extra_headers]
    data = bytes(range(256)) * 200
    browser.send(BytesMessage(data=data[:30_000], message_finished=False))
    browser.send(BytesMessage(data=data[30_000:]))
    assert browser.read(len(data)) == data
    browser.send(TextMessage(data="früh"))
    assert browser.read(5) == "früh".encode()


def test_the_first_of_the_offered_subprotocols_is_taken(client):
    assert Browser(client, "/ws/echo", subprotocols=["binary", "base64"]).answer.subprotocol == "binary"


def test_pings_are_answered_and_a_close_is_too(client):
    browser = Browser(client, "/ws/echo")
    browser.send(Ping(payload=b"there?"))
    assert browser.next() == Pong(payload=b"there?")
    browser.send(CloseConnection(code=1000, reason="enough"))
    closed = browser.next()
    assert isinstance(closed, CloseConnection)
    assert closed.code == 1000
    assert browser.next() is None


def test_the_end_of_a_session_closes_in_the_protocols_own_way(client):
    browser = Browser(client, "/ws/first_line")
    browser.send(BytesMessage(data=b"something"))
    assert browser.next().data == b"the last words"
    assert browser.next().code == 1000


def test_a_close_is_the_end_of_what_is_read(client):
    """The session answers only after the client's end: over a WebSocket nobody hears it, and it ends."""
    browser = Browser(client, "/ws/digest")
    browser.send(BytesMessage(data=b"hello\n"))
    browser.send(CloseConnection(code=1000))
    assert isinstance(browser.next(), CloseConnection)
    assert browser.next() is None


def test_nonsense_ends_the_conversation(client):
    browser = Browser(client, "/ws/echo")
    client.send(b"\xff\xff\xff\xff")
    assert browser.next().code == 1002


def test_text_is_utf8_even_when_the_output_is_none(client):
    browser = Browser(client, "/ws/echo?text=1")
    browser.send(BytesMessage(data=b"fr" + "ü".encode()[:1]))
    assert browser.next() == TextMessage(data="fr")
    browser.send(BytesMessage(data="ü".encode()[1:] + b"h\xff"))
    assert browser.next() == TextMessage(data="üh\ufffd")


def test_a_big_message_is_not_held_in_memory_whole(client):
    browser = Browser(client, "/ws/echo")
    seen, wanted = hashlib.sha256(), hashlib.sha256()
    for turn in range(64):
        piece = bytes([turn]) * 65536
        wanted.update(piece)
        browser.send(BytesMessage(data=piece, message_finished=turn == 63))
        seen.update(browser.read(65536))  # comes back before the message has ended
    assert seen.digest() == wanted.digest()


GOOD = {
    "host": "docker",
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"upgrade": "WebSocket"}, None),
        ({"upgrade": ""}, "not a websocket protocol"),
        ({"upgrade": "tcp"}, "not a websocket protocol"),
        ({"sec-websocket-version": "8"}, "bad websocket handshake"),
        ({"sec-websocket-key": ""}, "bad websocket handshake"),
        ({"connection": "close"}, "bad websocket handshake"),
    ],
)
def test_what_keeps_a_request_from_becoming_a_websocket(change, problem):
    said = refusal({name: value for name, value in {**GOOD, **change}.items() if value})
    assert said is None if problem is None else said.startswith(problem)


def test_rejections_are_seen_by_the_client_of_these_tests(live: Live):
    with live.unix() as client:
        assert isinstance(Browser(client, "/nowhere").answer, RejectConnection)

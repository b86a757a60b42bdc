from __future__ import annotations

import hashlib
import os
import signal
import socket
import time
import uuid

import pytest
from live_server import start
from OpenSSL import SSL
from wire_client import Client, Live, make_identity

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
MANY = 40


@pytest.fixture(params=["unix", "tls12", "tls13"])
def connect(request, live: Live):
    if request.param == "unix":
        return live.unix
    version = {"tls12": SSL.TLS1_2_VERSION, "tls13": SSL.TLS1_3_VERSION}[request.param]
    return lambda: live.tls(version, live.identity)


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


def tell(live: Live, name: str, data: bytes, query: str = "") -> None:
    with live.unix() as client:
        assert client.request("POST", f"/tap/{name}?{query}", body=data).body == b"ok"


def has_left(live: Live, name: str) -> bool:
    with live.unix() as client:
        return client.get(f"/left/{name}").body.strip() == b"true"


def begin(client: Client, name: str, method: str = "GET") -> None:
    client.ask(method, f"/rest/{name}", UPGRADE if method == "POST" else {})
    assert client.read_head().status == (101 if method == "POST" else 200)


def test_what_comes_while_a_stream_rests_reaches_its_client_and_the_next_request_is_answered(connect, live, name):
    with connect() as client:
        begin(client, name)
        for piece in (b"one", b"two"):
            tell(live, name, piece)
            assert client.read_chunk() == piece
        client.ask("GET", "/status/200")  # sent while the stream goes on, answered after it
        tell(live, name, b"three", "end")
        assert [client.read_chunk(), client.read_chunk()] == [b"three", b""]
        assert client.read_reply().body == b"body"
        assert client.get("/_ping").body == b"OK"
        assert has_left(live, name)


def test_the_raw_bytes_of_a_hijacked_stream_pass_until_both_sides_have_ended(connect, live, name):
    with connect() as client:
        begin(client, name, "POST")
        tell(live, name, b"one")
        assert client.read_exactly(3) == b"one"
        client.half_close()
        tell(live, name, b"two", "end")
        assert client.read_to_end() == b"two"
        assert has_left(live, name)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_slow_client_gets_all_of_it(connect, live, name, method):
    block, times = os.urandom(1 << 20), 30
    with connect() as client:
        begin(client, name, method)
        tell(live, name, block, f"times={times}&end")
        with live.unix() as other:  # the worker does not stand still for it
            assert other.get("/_ping").body == b"OK"
        if method == "POST":
            body = client.read_to_end()
        else:
            body = b"".join(iter(client.read_chunk, b""))
    expected = hashlib.sha256()
    for _ in range(times):
        expected.update(block)
    assert hashlib.sha256(body).digest() == expected.digest()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_stream_at_rest_ends_when_its_client_leaves(connect, live, name, method):
    with connect() as client:
        begin(client, name, method)
    assert has_left(live, name)


def test_a_client_that_leaves_before_it_has_read_all_is_noticed(connect, live, name):
    with connect() as client:
        begin(client, name)
        tell(live, name, os.urandom(1 << 20), "times=30")
        client.read_chunk()
    assert has_left(live, name)


def test_a_client_cut_off_without_a_goodbye_is_noticed(live: Live, name):
    with live.tls(None, live.identity) as client:
        begin(client, name, "POST")
        client.sock.close()
    assert has_left(live, name)


def test_a_tap_that_breaks_costs_its_stream_the_last_chunk_and_nobody_else_anything(connect, live, name):
    with connect() as client:
        begin(client, name)
        tell(live, name, b"crash")
        with pytest.raises((EOFError, ConnectionError, SSL.Error)):
            client.read_chunk()
    assert has_left(live, name)
    with connect() as client:
        assert client.get("/_ping").body == b"OK"


def test_streams_at_rest_hold_no_greenlets(live: Live, name):
    with live.unix() as asking:
        before = int(asking.get("/greenlets").body)
        clients = [live.tls(None, live.identity) for _ in range(MANY)]
        for number, client in enumerate(clients):
            begin(client, f"{name}-{number}", "POST" if number % 2 else "GET")
        assert int(asking.get("/greenlets").body) <= before + 2  # one stands in for all
        for client in clients:
            client.close()
        assert all(has_left(live, f"{name}-{number}") for number in range(MANY))


def test_a_worker_that_stops_waits_for_streams_at_rest(tmp_path, name):
    make_identity(tmp_path)
    live, process = start(tmp_path)
    with socket.socket(socket.AF_UNIX) as node, live.tls(None, live.identity) as client:
        node.bind(str(tmp_path / "node"))
        node.listen()
        begin(client, f"{name}?path={tmp_path}/node")
        source, _ = node.accept()
        process.send_signal(signal.SIGTERM)
        while still_open(live):
            time.sleep(0.05)
        assert process.poll() is None
        source.sendall(b"late")
        assert client.read_chunk() == b"late"
        source.close()
        assert client.read_chunk() == b""
        assert process.wait(20) == 0


def still_open(live: Live) -> bool:
    try:
        with live.tcp():
            return True
    except ConnectionRefusedError:
        return False

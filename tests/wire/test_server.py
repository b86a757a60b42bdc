from __future__ import annotations

import hashlib
import json
import socket
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from live_server import start, stop
from OpenSSL import SSL, crypto
from wire_client import Live, client_context, make_identity


@pytest.fixture(params=["unix", "tls12", "tls13"])
def connect(request, live: Live):
    """Every kind of connection, the TLS ones with a client certificate."""
    if request.param == "unix":
        return live.unix
    version = {"tls12": SSL.TLS1_2_VERSION, "tls13": SSL.TLS1_3_VERSION}[request.param]
    return lambda: live.tls(version, live.identity)


def fingerprint(path) -> str:
    return hashlib.sha256(x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)).hexdigest()


def test_a_certificate_nobody_signed_is_who_the_client_is(live: Live):
    for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
        with live.tls(version, live.identity) as client:
            found = json.loads(client.get("/peer").body)
            host, port = client.sock.getsockname()
            assert found == {
                "transport": "tls",
                "address": f"{host}:{port}",
                "scheme": "https",
                "fingerprint": fingerprint(live.identity[0]),
                "uid": None,
            }


def test_a_client_without_certificate_is_let_in_as_nobody(live: Live):
    with live.tls() as client:
        assert json.loads(client.get("/peer").body)["fingerprint"] is None


def test_a_certificate_no_library_reads_still_passes_the_handshake(live: Live):
    """Whether it is anybody is for authentication to say; the connection must not die of it."""
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    odd = crypto.X509()
    odd.set_version(7)
    odd.gmtime_adj_notBefore(0)
    odd.gmtime_adj_notAfter(60)
    odd.set_pubkey(key)
    odd.sign(key, "sha256")
    with pytest.raises(x509.InvalidVersion):
        odd.to_cryptography()
    client = live.tcp()
    context = client_context()
    context.use_certificate(odd)
    context.use_privatekey(key)
    client.tls = SSL.Connection(context, client.sock)
    client.tls.set_connect_state()
    der = crypto.dump_certificate(crypto.FILETYPE_ASN1, odd)
    with client:
        assert json.loads(client.get("/peer").body)["fingerprint"] == hashlib.sha256(der).hexdigest()


def test_a_stream_that_ends_leaves_its_connection_to_the_next_request(connect):
    with connect() as client:
        for _ in range(2):
            reply = client.request("POST", "/v1.51/containers/x/wait")
            assert json.loads(reply.body) == {"StatusCode": 7}
        assert client.get("/_ping").body == b"OK"


def test_unix_clients_are_known_by_their_user(live: Live):
    with live.unix() as client:
        found = json.loads(client.get("/peer").body)
    import os

    assert (found["transport"], found["scheme"], found["uid"]) == ("unix", "http", os.getuid())
    assert found["address"] == live.unix_path


def test_the_unix_socket_is_not_for_everybody(live: Live):
    import os
    import stat

    assert stat.S_IMODE(os.stat(live.unix_path).st_mode) == 0o660


def test_headers_do_not_change_scheme_or_path(live: Live):
    with live.unix() as client:
        headers = {"X-Forwarded-Proto": "https", "Script-Name": "/x", "Path_Info": "/crash", "Script_Name": "/peer"}
        reply = client.request("GET", "/peer", headers)
    assert json.loads(reply.body)["scheme"] == "http"


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_no_session_is_resumed_so_none_carries_an_identity(live: Live, version: int):
    context = client_context(version)
    with live.tls(context=context, identity=live.identity) as first:
        assert json.loads(first.get("/peer").body)["fingerprint"] == fingerprint(live.identity[0])
        session = first.tls.get_session()
    with live.tls(context=context, session=session) as second:
        assert json.loads(second.get("/peer").body)["fingerprint"] is None


def test_old_tls_is_refused_and_alpn_is_http1(live: Live):
    with live.tls() as client:
        assert client.tls.get_alpn_proto_negotiated() == b"http/1.1"
    old = client_context()
    old.set_min_proto_version(SSL.TLS1_1_VERSION)
    old.set_max_proto_version(SSL.TLS1_1_VERSION)
    old.set_cipher_list(b"DEFAULT@SECLEVEL=0")
    with pytest.raises(SSL.Error):
        live.tls(context=old)


def test_a_plain_request_on_the_tls_port_is_told_so(live: Live):
    with live.tcp() as client:
        client.send(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = client.read_to_end()
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b"Client sent an HTTP request to an HTTPS server." in answer


def test_many_requests_on_one_connection(connect):
    with connect() as client:
        for _ in range(3):
            assert client.get("/_ping").body == b"OK"
            assert client.request("POST", "/status/204").status == 204
            assert client.get("/status/304").status == 304
            head = client.request("HEAD", "/status/200")
            assert (head.status, head.headers["content-length"], head.body) == (200, "4", b"")
            assert client.get("/status/404").body == b"body"
            assert client.request("POST", "/sizes", body=b"x" * 70_000).status == 200


def test_headers_of_a_reply(connect):
    with connect() as client:
        reply = client.get("/_ping")
    assert reply.line == "HTTP/1.1 200 OK"
    assert reply.headers["server"] == "Wire/1"
    assert reply.headers["api-version"] == "1.51"
    assert reply.headers["date"].endswith(" GMT")
    assert "connection" not in reply.headers


def test_a_client_that_asks_for_close_gets_a_proper_end(connect):
    with connect() as client:
        reply = client.request("GET", "/_ping", {"Connection": "close"})
        assert reply.headers["connection"] == "close"
        assert client.recv() == b""  # close_notify under TLS: anything else raises


def test_http_1_0_is_answered_and_closed(live: Live):
    with live.unix() as client:
        client.send(b"GET /crash HTTP/1.0\r\n\r\n")
        answer = client.read_to_end()
    assert b"Transfer-Encoding" not in answer
    assert answer.endswith(b"\r\n\r\none")


def test_query_and_headers_of_the_classic_builder_pass(connect):
    with connect() as client:
        reply = client.request("POST", "/sizes?" + "q" * 20_000, {"X-Registry-Config": "r" * 20_000}, b"b")
        found = json.loads(reply.body)
    assert (found["query"], found["header"], found["body"]) == (20_000, 20_000, 1)


@pytest.mark.parametrize(
    "head, status",
    [
        (b"GET /" + b"q" * 1_100_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 66_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 400),
    ],
)
def test_unreadable_requests_are_answered_in_plain_words_and_closed(live: Live, head: bytes, status: int):
    with live.unix() as client:
        client.send(head)
        reply = client.read_reply()
        assert client.recv() == b""
    assert reply.status == status
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.body.startswith(str(status).encode())
    assert (reply.headers["api-version"], reply.headers["server"]) == ("1.51", "Wire/1")


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)] + [b""]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def test_chunked_uploads_arrive_whole(connect):
    body = bytes(range(256)) * 20_000
    with connect() as client:
        client.ask("POST", "/sizes", {"Transfer-Encoding": "chunked"})
        client.send(chunked(body, 100_000))
        found = json.loads(client.read_reply().body)
        assert found["sha"] == hashlib.sha256(body).hexdigest()
        assert client.get("/_ping").body == b"OK"


def test_a_body_nobody_reads_is_dropped_and_the_connection_kept(connect):
    with connect() as client:
        assert client.request("POST", "/unread", body=b"x" * 100_000).status == 403
        assert client.get("/_ping").body == b"OK"


def test_an_error_in_the_middle_of_a_large_upload_reaches_the_client(connect):
    with connect() as client:
        client.ask("POST", "/unread", {"Content-Length": str(1 << 30)})
        client.send(b"x" * 500_000)
        assert client.read_reply().status == 403


def test_a_stream_that_breaks_is_cut_without_a_last_chunk(connect):
    with connect() as client:
        client.ask("GET", "/crash")
        client.read_head()
        assert client.read_chunk() == b"one"
        assert client.recv() == b""


def test_the_head_of_a_silent_stream_comes_at_once(connect):
    with connect() as client:
        client.ask("GET", "/quiet")
        assert client.read_head().status == 200


def test_a_silent_stream_ends_when_its_client_leaves(connect, request):
    name = hashlib.sha256(request.node.name.encode()).hexdigest()
    with connect() as client:
        client.ask("GET", f"/silent?name={name}")
        client.read_head()
        assert client.read_chunk() == b"first\n"
    with connect() as other:
        assert json.loads(other.get(f"/left/{name}").body) is True


def test_a_stream_ends_when_its_client_is_cut_off_without_a_goodbye(live: Live):
    client = live.tls()
    client.ask("GET", "/silent?name=cut")
    client.read_head()
    client.sock.close()
    with live.unix() as other:
        assert json.loads(other.get("/left/cut").body) is True


def test_a_shortcut_answers_before_the_application(connect):
    with connect() as client:
        assert client.get("/short").body == b"quick"
        assert client.request("POST", "/short").status == 404
        reply = client.request("GET", "/short", {"Connection": "close"})
        assert reply.body == b"quick"
        assert client.recv() == b""


def test_a_worker_that_stops_lets_go_of_connections_at_rest(tmp_path):
    """They would keep it for the 75 seconds that a connection may rest."""
    make_identity(tmp_path)
    live, process = start(tmp_path)
    with live.tls() as resting:
        assert resting.get("/_ping").body == b"OK"
        assert stop(process) == 0
        assert resting.recv() == b""


def test_a_worker_told_to_stop_before_it_listens_stops(tmp_path):
    """With several workers a stop right after the start met one of them there, and was waited for ten minutes."""
    make_identity(tmp_path)
    live, process = start(tmp_path, LIVE_STOP_AT_FORK=str(tmp_path / "told"))
    deadline = time.monotonic() + 20
    while "Worker exiting" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "Worker exiting" in (tmp_path / "log").read_text()
    assert stop(process) == 0


def test_replies_leave_without_waiting_for_acknowledgements(live: Live):
    """Nagle's algorithm makes a kept connection wait 40 ms per reply."""
    with live.tls() as client:
        assert client.get("/_ping").status == 200
        began = time.monotonic()
        for _ in range(100):
            client.get("/_ping")
        assert time.monotonic() - began < 4.0


def test_a_second_client_certificate_is_a_second_identity(live: Live, tmp_path):
    other = make_identity(tmp_path, "other")
    with live.tls(identity=other) as one, live.tls(identity=live.identity) as two:
        assert json.loads(one.get("/peer").body)["fingerprint"] == fingerprint(other[0])
        assert json.loads(two.get("/peer").body)["fingerprint"] == fingerprint(live.identity[0])


def test_idle_clients_of_the_handshake_are_let_go(live: Live):
    """live_conf gives a client one second instead of ten; nothing is sent back."""
    with live.tcp() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(16))
        client.sock.settimeout(20)
        assert client.sock.recv(1) == b""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest

from sdc.connections import Connections
from sdc.errors import SdcError, SdcTimeout, SdcUnavailable
from sdc.http import ServiceClient

OK = b"HTTP/1.1 200 OK\r\nX-Thing: 7\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def service(*connections: list[bytes]):
    """A service that gives each connection its answers, and closes it then; its url, and what it was sent."""
    heard: list[bytes] = []

    def serve() -> None:
        for answers in connections:
            sock, _ = server.accept()
            with sock:
                for answer in answers:
                    heard.append(sock.recv(65536))
                    sock.sendall(answer)
                closed.set()
                last.wait(5)

    closed, last = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard, last
        last.set()
        thread.join()


def test_one_connection_carries_many_requests():
    with service([OK, OK]) as (url, heard, _):
        connections = Connections(f"{url}/base", 5.0)
        for body in (None, b"[]"):
            answer = connections.exchange("POST", "/x?a=1", {"X-Request-Id": "r"}, body, 5.0)
            assert (answer.status_code, answer.headers.get("x-thing"), answer.content) == (200, "7", b"{}")
    assert all(sent.startswith(b"POST /base/x?a=1 HTTP/1.1\r\n") for sent in heard)
    assert heard[1].endswith(b"\r\n\r\n[]")
    assert all(b"X-Request-Id: r\r\n" in sent for sent in heard)


def test_a_connection_that_its_service_closed_meanwhile_is_not_used_again():
    with service([OK], [OK]) as (url, heard, last):
        connections = Connections(url, 5.0)
        connections.exchange("POST", "/one", {}, b"", 5.0)
        kept = connections._idle[0].sock
        last.set()
        kept.settimeout(5)
        assert kept.recv(1, socket.MSG_PEEK) == b""
        assert connections.exchange("POST", "/two", {}, b"", 5.0).status_code == 200
    assert [sent.split()[1] for sent in heard] == [b"/one", b"/two"]


def test_a_connection_to_be_closed_is_not_kept():
    with service([OK.replace(b"X-Thing: 7", b"Connection: close")]) as (url, _, _):
        connections = Connections(url, 5.0)
        connections.exchange("GET", "/", {}, None, 5.0)
        assert connections._idle == []


def test_silence_is_a_timeout_and_nonsense_is_unavailability():
    with service([b""]) as (url, _, _), pytest.raises(SdcTimeout):
        ServiceClient(url).get("/", timeout=0.05)
    with service([b"what?\r\n\r\n"]) as (url, _, _), pytest.raises(SdcUnavailable):
        ServiceClient(url).post("/")


def test_nobody_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(SdcUnavailable):
        ServiceClient(url).delete("/")


def test_an_answer_that_is_no_json_is_an_error_of_the_service():
    page = b"<html>welcome</html>"
    with service([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)]) as (url, _, _):
        with pytest.raises(SdcError, match="502 BadAnswer: not JSON"):
            ServiceClient(url).get("/vms")


def test_an_error_has_the_services_own_code():
    body = b'{"code": "VmNotRunning", "message": "no"}'
    answer = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with service([answer]) as (url, _, _), pytest.raises(SdcError) as raised:
        ServiceClient(url).post("/", body={})
    assert (raised.value.status, raised.value.code) == (409, "VmNotRunning")


def test_what_is_safe_is_tried_again():
    with service([b""], [OK]) as (url, heard, last):
        last.set()
        assert ServiceClient(url).get("/") == {}
    assert len(heard) == 2


@pytest.mark.parametrize("url", ["https://x", "ftp://x", "http://"])
def test_only_plain_http_is_spoken(url):
    with pytest.raises(ValueError, match="not plain HTTP"):
        Connections(url, 5.0)

"""Attach over a WebSocket, as web consoles do: through the gateway's TLS, to a real container."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, RejectConnection, Request, TextMessage

pytestmark = pytest.mark.docker


class Console:
    """A WebSocket to a container. ``answer`` is what the gateway said to the handshake."""

    def __init__(self, docker, path: str) -> None:
        where = urlsplit(docker.host)
        context = ssl.create_default_context(cafile=docker.certs / "ca.pem")
        context.load_cert_chain(docker.certs / "cert.pem", docker.certs / "key.pem")
        plain = socket.create_connection((where.hostname, where.port), timeout=30)
        self._sock = context.wrap_socket(plain, server_hostname=where.hostname)
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._events = iter(())
        self._sock.sendall(self._ws.send(Request(host="docker", target=path)))
        self.answer = self._next()

    def _next(self):
        while (event := next(self._events, None)) is None:
            data = self._sock.recv(65536)
            self._ws.receive_data(data or None)
            self._events = iter(list(self._ws.events()))
        return event

    def send(self, data: bytes) -> None:
        self._sock.sendall(self._ws.send(BytesMessage(data=data)))

    def read(self, size: int) -> tuple[bytes, set[type]]:
        """``size`` bytes of output, and the kinds of messages they came in."""
        data, kinds = b"", set()
        while len(data) < size:
            event = self._next()
            assert isinstance(event, (TextMessage, BytesMessage)), event
            kinds.add(type(event))
            data += event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
        return data, kinds

    def ending(self):
        while not isinstance(event := self._next(), CloseConnection):
            pass
        return event

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def attach(docker):
    made = []

    def attached(path: str) -> Console:
        made.append(Console(docker, path))
        return made[-1]

    yield attached
    for console in made:
        console.close()


def test_stdin_and_output_of_both_streams_without_headers(attach, container):
    ref = container("-i", "busybox", "sh", "-c", "read line; echo out $line; echo err >&2; sleep 600")
    console = attach(f"/v1.51/containers/{ref}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1")
    assert isinstance(console.answer, AcceptConnection)
    console.send(b"hello\n")
    data, kinds = console.read(len("out hello\nerr\n"))
    assert sorted(data.splitlines()) == [b"err", b"out hello"]
    assert kinds == {BytesMessage}


def test_the_streams_asked_for_count_since_1_42(attach, container):
    ref = container("-i", "busybox", "sh", "-c", "read line; echo out; echo err >&2; read line; echo end; sleep 600")
    one = attach(f"/v1.42/containers/{ref}/attach/ws?stream=1&stderr=1")
    both = attach(f"/v1.41/containers/{ref}/attach/ws?stream=1&stderr=1")
    both.send(b"\n")
    assert sorted(both.read(8)[0].splitlines()) == [b"err", b"out"]
    both.send(b"\n")
    assert both.read(4)[0] == b"end\n"
    assert one.read(4)[0] == b"err\n"


def test_old_versions_get_text(attach, container):
    ref = container("-it", "busybox", "sh", "-c", "read line; printf 'caf\\303\\251'; sleep 600")
    console = attach(f"/v1.27/containers/{ref}/attach/ws?stream=1")
    console.send(b"\n")
    data, kinds = console.read(len("\r\ncafé".encode()))
    assert (data, kinds) == ("\r\ncafé".encode(), {TextMessage})


def test_detach_keys_close_and_leave_it_running(docker, attach, container):
    ref = container("-it", "busybox", "cat")
    console = attach(f"/v1.51/containers/{ref}/attach/ws?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x,q")
    console.send(b"\x18q")
    assert console.ending().code == 1000
    assert docker.inspect(ref, "{{.State.Running}}") == "true"


def test_the_end_of_the_container_closes(attach, container):
    ref = container("-i", "busybox", "sh", "-c", "read line; exit 3")
    console = attach(f"/v1.51/containers/{ref}/attach/ws?stream=1&stdin=1&stdout=1")
    console.send(b"\n")
    assert console.ending().code == 1000


def test_errors_come_before_the_upgrade(attach):
    answer = attach("/v1.51/containers/no-such/attach/ws?stream=1").answer
    assert isinstance(answer, RejectConnection)
    assert answer.status_code == 404


def test_a_plain_request_is_told_what_it_lacks(docker, running):
    import http.client

    where = urlsplit(docker.host)
    context = ssl.create_default_context(cafile=docker.certs / "ca.pem")
    context.load_cert_chain(docker.certs / "cert.pem", docker.certs / "key.pem")
    link = http.client.HTTPSConnection(where.hostname, where.port, context=context, timeout=30)
    link.request("GET", "/v1.51/containers/x/attach/ws")
    answer = link.getresponse()
    assert (answer.status, b"Upgrade: websocket" in answer.read()) == (400, True)
    link.close()

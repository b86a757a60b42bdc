"""The changefeed client against a real socket: registration, items, fragments, loss."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Pong, RejectConnection, Request, TextMessage

from sdc import changefeed
from sdc.changefeed import Changefeed
from sdc.errors import SdcUnavailable


@contextmanager
def server(talk):
    """Serve one connection; ``talk(read, write)`` speaks websocket events on it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            websocket, waiting = WSConnection(ConnectionType.SERVER), []

            def read():
                while not waiting:
                    data = connection.recv(65536)
                    websocket.receive_data(data or None)
                    waiting.extend(websocket.events())
                return waiting.pop(0)

            talk(read, lambda *events: connection.sendall(b"".join(websocket.send(event) for event in events)))

    thread = threading.Thread(target=serve)
    thread.start()
    with listener:
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join()


def register(read, write, *more):
    assert isinstance(read(), Request)
    write(AcceptConnection())
    asked = json.loads(read().data)
    write(TextMessage(data=json.dumps({"resource": "vm", "bootstrapRoute": "/vms"})), *more)
    return asked


def item(number):
    return {"changedResourceId": f"vm{number}", "resourceObject": {"state": "running"}}


def test_registers_and_yields_items_even_in_fragments_and_with_the_answer():
    asked = []

    def talk(read, write):
        text = json.dumps(item(2))
        asked.append(register(read, write, Ping(payload=b"x"), TextMessage(data=json.dumps(item(1)))))
        write(TextMessage(data=text[:9], message_finished=False), TextMessage(data=text[9:]))
        assert isinstance(read(), Pong)
        write(CloseConnection(code=1000))

    with server(talk) as url, Changefeed(url, instance="me") as feed:
        items = feed.items()
        assert [next(items)["changedResourceId"], next(items)["changedResourceId"]] == ["vm1", "vm2"]
        with pytest.raises(SdcUnavailable):
            next(items)
    assert asked[0]["instance"] == "me"
    assert asked[0]["service"] == "docker"
    assert asked[0]["changeKind"]["resource"] == "vm"
    assert "state" in asked[0]["changeKind"]["subResources"]


def test_sends_heartbeats_while_nothing_happens(monkeypatch):
    monkeypatch.setattr(changefeed, "HEARTBEAT_SECONDS", 0.01)

    def talk(read, write):
        register(read, write)
        assert read().data == "heartbeat"
        write(TextMessage(data=json.dumps(item(1))))

    with server(talk) as url, Changefeed(url) as feed:
        assert next(feed.items())["changedResourceId"] == "vm1"


@pytest.mark.parametrize("answer", [RejectConnection(status_code=503), None])
def test_a_refused_upgrade_is_unavailable(answer):
    def talk(read, write):
        read()
        if answer:
            write(answer)

    with server(talk) as url, pytest.raises(SdcUnavailable), Changefeed(url):
        pass


def test_nobody_there_is_unavailable():
    with pytest.raises(SdcUnavailable), Changefeed("http://127.0.0.1:1"):
        pass


def test_nonsense_is_unavailable():
    def talk(read, write):
        register(read, write, TextMessage(data="{nonsense"))

    with server(talk) as url, Changefeed(url) as feed, pytest.raises(SdcUnavailable):
        next(feed.items())

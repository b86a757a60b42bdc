"""The change feed over real WebSockets, protocol versions 1 and 2."""

from __future__ import annotations

import json

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

from datacenter import feed_socket
from datacenter.services.serving import Server
from datacenter.services.vmapi.changefeed import SUB_RESOURCES


class Client:
    """A listener, as Triton's changefeed library is one."""

    def __init__(self, port, version=None, path="/changefeeds"):
        self.ws = WSConnection(ConnectionType.CLIENT)
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        headers = [(b"accept-version", version.encode())] if version else []
        self.send(Request(host="127.0.0.1", target=path, extra_headers=headers))
        assert isinstance(self.receive(), AcceptConnection)

    def send(self, event):
        self.sock.sendall(self.ws.send(event))

    def say(self, **registration):
        self.send(TextMessage(data=json.dumps(registration)))

    def receive(self):
        while True:
            for event in self.ws.events():
                return event
            self.ws.receive_data(self.sock.recv(65536) or None)

    def hear(self):
        return json.loads(self.receive().data)


@pytest.fixture
def port(world):
    server = Server(0, world.vmapi.app, world.vmapi.upgrade)
    server.start()
    yield server.server_port
    server.stop(timeout=0)


def test_description(world):
    described = world.http.get("/changefeeds").json["vm"]
    assert described == {"resource": "vm", "subResources": list(SUB_RESOURCES), "bootstrapRoute": "/vms"}


@pytest.mark.parametrize("version", [None, "~1"])
def test_version_1(world, port, version):
    vm = world.create()
    client = Client(port, version)
    kind = {"resource": "vm", "subResources": ["state", "alias"]}
    client.say(instance="gw-1", service="docker", changeKind=kind)
    assert client.hear() == {**kind, "bootstrapRoute": "/vms"}
    world.act(vm, "start")
    item = client.hear()
    assert item["changeKind"] == {"resource": "vm", "subResources": ["state"]}
    assert item["changedResourceId"] == vm["uuid"]
    assert item["resourceObject"] == world.vmapi.vm(vm["uuid"])
    assert item["published"].isdecimal()


def test_version_2(world, port):
    client = Client(port, "~2")
    client.say(instance="gw-1", service="docker", resources=[{"resource": "vm", "subResources": ["state", "nics"]}])
    assert client.hear() == {"bootstrapRoutes": ["/vms"]}
    vm = world.create()
    assert client.hear()["resourceObject"]["state"] == "provisioning"
    item = client.hear()
    assert (item["changedResourceId"], item["resourceObject"]["state"]) == (vm["uuid"], "stopped")


def test_only_what_was_asked_for(world, port):
    vm = world.create()
    client = Client(port)
    client.say(instance="gw-1", service="docker", changeKind={"resource": "vm", "subResources": ["destroyed"]})
    client.hear()
    world.act(vm, "start")
    client.send(TextMessage(data="heartbeat"))
    world.http.delete(f"/vms/{vm['uuid']}?sync=true")
    assert client.hear()["changeKind"]["subResources"] == ["destroyed"]


@pytest.mark.parametrize(
    "registration",
    [{}, {"instance": "a", "service": "b"}, {"instance": "a", "service": "b", "changeKind": {"resource": "nic"}},
     {"instance": "a", "service": "b", "changeKind": {"resource": "vm", "subResources": ["pid"]}}],
)  # fmt: skip
def test_bad_registration_closes(port, registration):
    client = Client(port)
    client.say(**registration)
    closed = client.receive()
    assert isinstance(closed, CloseConnection)
    assert closed.reason


@pytest.mark.parametrize(
    ("version", "second"), [("1", False), ("~1.2", False), ("*", False), ("2", True), ("^2", True), ("~2.0.1", True)]
)
def test_versions(port, version, second):
    client = Client(port, version)
    kind = {"resource": "vm", "subResources": ["state"]}
    client.say(instance="i", service="s", **({"resources": [kind]} if second else {"changeKind": kind}))
    assert ("bootstrapRoutes" in client.hear()) is second


@pytest.mark.parametrize("text", ["", "heartbeat", "[1]", '{"instance": 1, "service": "s"}'])
def test_a_first_frame_that_is_no_registration_closes(port, text):
    client = Client(port)
    client.send(TextMessage(data=text))
    closed = client.receive()
    assert isinstance(closed, CloseConnection)
    assert closed.reason


def test_the_same_instance_takes_the_place_of_the_earlier(world, port):
    vm = world.create()
    first, second = Client(port), Client(port)
    for client in (first, second):
        client.say(instance="i", service="s", changeKind={"resource": "vm", "subResources": ["state"]})
        client.hear()
    closed = first.receive()
    assert (type(closed), closed.code) == (CloseConnection, 1000)
    world.act(vm, "start")
    assert second.hear()["changedResourceId"] == vm["uuid"]
    assert world.http.get("/changefeeds/stats").json == {
        "listeners": 1,
        "registrations": [{"instance": "i", "service": "s"}],
    }


def test_the_path_of_the_upgrade_is_of_no_account(world, port):
    client = Client(port, path="/vms")
    client.say(instance="i", service="s", changeKind={"resource": "vm", "subResources": ["state"]})
    assert client.hear()["bootstrapRoute"] == "/vms"


def test_a_change_of_two_things_is_told_with_both(world, port):
    client = Client(port)
    kind = {"resource": "vm", "subResources": list(SUB_RESOURCES)}
    client.say(instance="i", service="s", changeKind=kind)
    client.hear()
    vm = world.create()
    told = client.hear()["changeKind"]["subResources"]
    assert {"alias", "nics", "owner_uuid", "server_uuid", "state", "tags"} <= set(told)
    client.hear()
    world.http.delete(f"/vms/{vm['uuid']}?sync=true")
    assert set(client.hear()["changeKind"]["subResources"]) == {"destroyed", "state"}


def test_who_has_left_is_forgotten(world, port):
    client = Client(port)
    client.say(instance="gw-1", service="docker", changeKind={"resource": "vm", "subResources": ["state"]})
    client.hear()
    assert world.http.get("/changefeeds/stats").json["listeners"] == 1
    client.sock.close()
    with gevent.Timeout(5):
        while world.vmapi.changefeed.listeners():
            gevent.sleep(0.01)


def test_who_reads_too_slowly_is_let_go_of(world, monkeypatch):
    monkeypatch.setattr(feed_socket, "BACKLOG", 4)
    ended = Event()

    def upgrade(environ, sock):
        world.vmapi.upgrade(environ, sock)
        ended.set()

    server = Server(0, world.vmapi.app, upgrade)
    server.start()
    client = Client(server.server_port)
    client.say(instance="slow", service="docker", changeKind={"resource": "vm", "subResources": ["state"]})
    client.hear()
    with gevent.Timeout(5):
        while world.vmapi.changefeed.listeners():
            world.vmapi.changefeed.vm_changed("vm", {"state": "running"}, {"state": "stopped", "text": "x" * 100_000})
            gevent.sleep(0)
    assert ended.wait(5)
    server.stop(timeout=0)


def test_plain_requests_work_beside(port):
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(b"GET /changefeeds HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: plain.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")

"""The change feed of an account: its own machines' changes, and nobody else's."""

from __future__ import annotations

import json

import pytest
from gevent import socket
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, RejectData, Request, TextMessage

from datacenter.services.cloudapi.changefeed import HEARD
from datacenter.services.serving import Server
from tests.contract.cloudapi.caller import Caller, SubCaller, wait_for


class Listener:
    """A listener, as ``triton changefeed`` is one."""

    def __init__(self, port, caller, path="/jdoe/changefeed", **asked):
        self.ws = WSConnection(ConnectionType.CLIENT)
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        headers = [(name.encode(), value.encode()) for name, value in (caller.headers(path) if caller else {}).items()]
        self.sock.sendall(self.ws.send(Request(host="127.0.0.1", target=path, extra_headers=headers)))
        self.first = self.receive()
        if asked:
            assert isinstance(self.first, AcceptConnection)
            self.sock.sendall(self.ws.send(TextMessage(data=json.dumps(asked))))

    def receive(self):
        while True:
            for event in self.ws.events():
                return event
            self.ws.receive_data(self.sock.recv(65536) or None)

    def hear(self):
        return json.loads(self.receive().data)

    def refusal(self):
        data = self.receive()
        assert isinstance(self.first, RejectConnection)
        assert isinstance(data, RejectData)
        return self.first.status_code, json.loads(bytes(data.data))["code"]


@pytest.fixture
def port(dc):
    server = Server(0, dc.cloudapi.app, dc.cloudapi.upgrade)
    server.start()
    yield server.server_port
    server.stop(timeout=0)


WATCH = {"resource": "vm", "subResources": ["state", "tags"]}


def test_changes_of_own_machines_are_told(dc, jdoe, machine, port):
    feed = Listener(port, jdoe, **WATCH)
    jdoe.send("POST", f"/jdoe/machines/{machine['id']}/tags", team="a")
    item = feed.hear()
    assert item["changeKind"] == {"resource": "vm", "subResources": ["tags"]}
    assert item["changedResourceId"] == machine["id"]
    assert item["resourceObject"] == jdoe.get(f"/jdoe/machines/{machine['id']}").json
    assert (item["resourceState"], item["resourceObject"]["tags"]["team"]) == ("running", "a")
    assert "internal_metadata" not in str(item)
    jdoe.send("POST", f"/jdoe/machines/{machine['id']}?action=stop")
    while (item := feed.hear())["resourceState"] != "stopped":
        assert item["resourceObject"]["state"] == item["resourceState"]


def test_machines_of_others_and_others_of_ones_own_are_not(dc, jdoe, machine, image, package, port):
    eve = Caller(dc, "eve", "ecdsa-sha256")
    hers, chosen = Listener(port, eve, "/eve/changefeed", **WATCH), Listener(port, jdoe, **WATCH, vms=["other"])
    mine = Listener(port, jdoe, **WATCH)
    jdoe.send("POST", f"/jdoe/machines/{machine['id']}/tags", team="a")
    assert mine.hear()["changedResourceId"] == machine["id"]
    made = eve.send("POST", "/eve/machines", name="hers", image=image, package=package["uuid"])
    assert made.status_code == 201
    assert hers.hear()["changedResourceId"] == made.json["id"]
    wait_for(jdoe, machine, "running")
    chosen.sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        chosen.sock.recv(1)


@pytest.mark.parametrize(
    "asked",
    [
        {"resource": "nic", "subResources": ["state"]},
        {"resource": "vm", "subResources": ["internal_metadata"]},
        {"resource": "vm", "subResources": []},
        {"resource": "vm", "subResources": ["state"], "vms": "all"},
    ],
)
def test_what_cannot_be_heard_is_refused(jdoe, port, asked):
    closed = Listener(port, jdoe, **asked).receive()
    assert isinstance(closed, CloseConnection)
    assert closed.code == 1008
    assert "internal_metadata" not in HEARD


def test_who_may_not_listen_is_told_so(dc, jdoe, port):
    assert Listener(port, None).refusal() == (401, "InvalidCredentials")
    eve = Caller(dc, "eve", "ecdsa-sha256")
    assert Listener(port, eve).refusal() == (403, "NotAuthorized")
    alice = SubCaller(dc, "jdoe", "alice", "ed25519-sha512")
    assert Listener(port, alice).refusal() == (403, "NotAuthorized")
    assert Listener(port, jdoe, "/jdoe/machines").refusal() == (404, "ResourceNotFound")
    dc.mahi.roles.create(dc.mahi.require("jdoe"), {"name": "administrator", "default_members": ["alice"]})
    assert isinstance(Listener(port, alice, **WATCH).first, AcceptConnection)

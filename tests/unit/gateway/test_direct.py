"""What is answered without Flask is answered the same; what is not plain is left to Flask."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from gateway.app import create_app
from gateway.settings import Settings, TlsSettings
from gateway.wire.peer import Peer
from middleware.testing import DataCenter
from sdc.errors import SdcError
from tests.unit.gateway.test_app import ask
from tests.unit.translators.containers.conftest import ALICE, World
from tests.unit.translators.containers.test_create import create
from translators.containers import vmfeed

KNOWN = Peer("unix", "/docker.sock", uid=0)
PLAIN = [("HOST", "docker"), ("X-REQUEST-ID", "mine-1"), ("ACCEPT", "a"), ("ACCEPT", "b")]


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    """A gateway with one container, as alice's unix socket shows it."""
    monkeypatch.setattr(vmfeed.VmFeed, "start", lambda self: None)
    world, center = World(tmp_path / "world"), DataCenter()
    create(world, "web")
    center.accounts.append({"uuid": ALICE, "login": "alice", "approved_for_provisioning": True})
    settings = Settings(
        state_dir=str(tmp_path / "gateway"),
        tls=TlsSettings(enabled=False),
        middleware={
            "audit": {"file": str(tmp_path / "audit.log")},
            "authentication": {"socket_account": "alice"},
        },
    )
    app = create_app(settings, services=SimpleNamespace(**{**vars(world.services), "mahi": center.services.mahi}))
    app.audit = tmp_path / "audit.log"
    vmfeed.feed_of(world.vmapi).connected = True
    return app


def direct(app, uri, *, method="GET", version=(1, 1), headers=PLAIN, peer=KNOWN):
    return app.direct.answer(SimpleNamespace(method=method, uri=uri, version=version, headers=headers), peer)


def parted(data):
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return status, dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("/containers/json", "200 OK"),
        ("/v1.24/containers/json?all=1&size=0", "200 OK"),
        ("/containers/json?all=1&all=0", "200 OK"),
        ("/v1.51/containers/json?filters=%7B%22status%22%3A%5B%22running%22%5D%7D", "200 OK"),
        ("/v1.51/containers/json?filters=%7Bnonsense", "400 Bad Request"),
        ("/v1.51/containers/web/json", "200 OK"),
        ("/v1.51/containers/nobody/json", "404 Not Found"),
        ("/v1.23/containers/json", "400 Bad Request"),
        ("/v1.99/version", "400 Bad Request"),
        ("/version", "200 OK"),
    ],
)
def test_the_same_as_flask_would_say(gateway, uri, status):
    theirs = ask(gateway, "GET", uri, headers={"X-Request-Id": "mine-1"})
    line, headers, body = parted(direct(gateway, uri))
    assert line == f"HTTP/1.1 {status}"
    assert theirs.status_code == int(status[:3])
    assert {name: value for name, value in headers.items() if name != "Date"} == dict(theirs.headers)
    if "version" not in uri:
        assert body == theirs.data
    lines = [json.loads(line) for line in gateway.audit.read_text().splitlines()] if gateway.audit.exists() else []
    assert len({(each["operation"], each["status"], each.get("error")) for each in lines}) == len(lines) // 2


def test_nobody_unknown_is_answered(gateway):
    line, _, body = parted(direct(gateway, "/containers/json", peer=Peer("unix", "/docker.sock", uid=4711)))
    assert (line, json.loads(body)) == ("HTTP/1.1 401 Unauthorized", {"message": "Unauthorized"})


def test_what_breaks_is_told_by_its_id_alone(gateway, monkeypatch):
    def broken(**_):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(gateway.house.services.vmapi, "list_vms", broken)
    line, _, body = parted(direct(gateway, "/containers/json"))
    assert line == "HTTP/1.1 500 Internal Server Error"
    assert json.loads(body) == {"message": "internal error (request id mine-1)"}


def test_a_service_that_refuses_is_not_told(gateway, monkeypatch):
    def broken(**_):
        raise SdcError("vmapi", 500, "InternalError", "moray at 10.99.99.17 is down")

    monkeypatch.setattr(gateway.house.services.vmapi, "list_vms", broken)
    assert b"10.99.99.17" not in direct(gateway, "/containers/json")


@pytest.mark.parametrize(
    ("uri", "more"),
    [
        ("/containers/json", {"method": "POST"}),
        ("/containers/json", {"method": "HEAD"}),
        ("/containers/json", {"version": (1, 0)}),
        ("/containers/json", {"headers": [*PLAIN, ("CONTENT-LENGTH", "3")]}),
        ("/containers/json", {"headers": [*PLAIN, ("TRANSFER-ENCODING", "chunked")]}),
        ("/containers/json", {"headers": [*PLAIN, ("UPGRADE", "tcp")]}),
        ("/containers/json?filters=%ff", {}),
        ("/containers/a%20b/json", {}),
        ("/containers/a/b/json", {}),
        ("http://host/containers/json", {}),
        ("/v1.x/containers/json", {}),
        ("/containers/web/top", {}),
        ("/nonsense", {}),
    ],
)
def test_what_is_not_plain_is_left_to_flask(gateway, uri, more):
    assert direct(gateway, uri, **more) is None
    assert not gateway.audit.exists()


def test_members_still_see_and_change_the_reply(gateway):
    """Through the same chain: here one that rewrites the decoded body of each reply."""

    def after(call, reply):
        if call.operation.name == "container.list":
            reply.body[0]["Names"].append("/seen")

    step = SimpleNamespace(member=SimpleNamespace(observe=False), place=0)
    chain = gateway.house.pipeline._chains["container.list"]
    Step = type("Step", (), {"__call__": lambda self, call, *rest: after(call, *rest), **vars(step)})
    object.__setattr__(chain, "after", (*chain.after, Step()))
    for _ in range(2):  # the second time from memory, which the first must not have changed
        _, _, body = parted(direct(gateway, "/containers/json?all=1"))
        assert json.loads(body)[0]["Names"] == ["/web", "/seen"]

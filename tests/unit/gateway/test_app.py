"""The application without a wire: who is asked what before anything is read, and what every reply bears."""

from __future__ import annotations

import io
import json
import socket
from types import SimpleNamespace

import gevent
import pytest
from structlog.testing import capture_logs

from gateway.app import create_app
from gateway.settings import Settings, TlsSettings
from middleware.testing import DataCenter
from sdc.errors import SdcError

JSON = {"Content-Type": "application/json"}
COMMON = ("Api-Version", "Server", "Ostype", "Docker-Experimental", "X-Request-Id")


class Unreadable(io.RawIOBase):
    """A body that tells whether anybody touched it."""

    touched = False

    def readable(self):
        return True

    def readinto(self, buffer):
        self.touched = True
        return 0


@pytest.fixture
def center():
    return DataCenter()


@pytest.fixture
def gateway(tmp_path, center):
    center.accounts.append(
        {"uuid": "5c2b8f1e-7c5a-4f0e-9d6e-000000000001", "login": "jill", "approved_for_provisioning": True}
    )
    settings = Settings(
        state_dir=str(tmp_path / "gateway"),
        tls=TlsSettings(enabled=False),
        middleware={
            "audit": {"file": str(tmp_path / "audit.log")},
            "authentication": {"socket_account": "jill"},
        },
    )
    app = create_app(settings, services=center.services)
    app.audit = tmp_path / "audit.log"
    return app


def ask(app, method, path, *, uid=0, environ=None, **more):
    peer = SimpleNamespace(transport="unix", address="/docker.sock", certificate=None, uid=uid)
    overrides = {"gateway.peer": peer, **(environ or {})}
    return app.test_client().open(path, method=method, environ_overrides=overrides, **more)


@pytest.mark.parametrize(("uid", "touched"), [(0, True), (4711, False)])
def test_a_body_is_read_only_for_somebody_known(gateway, uid, touched):
    body = Unreadable()
    environ = {"wsgi.input": body, "CONTENT_LENGTH": "100"}
    reply = ask(gateway, "POST", "/v1.51/containers/create", uid=uid, environ=environ, headers=JSON)
    assert (reply.status_code == 401) is not touched
    assert body.touched is touched


@pytest.mark.parametrize("body", [b"{bad", b'{"Image": 5}'])
def test_a_wrong_body_is_an_answer_of_the_chain_and_audited(gateway, body):
    reply = ask(gateway, "POST", "/v1.51/containers/create", data=body, headers=JSON)
    assert reply.status_code == 400
    line = json.loads(gateway.audit.read_text())
    assert (line["operation"], line["login"], line["status"]) == ("container.create", "jill", 400)
    assert line["error"] == reply.json["message"]


def test_a_body_that_is_too_large_is_refused_by_its_length(gateway):
    body = Unreadable()
    environ = {"wsgi.input": body, "CONTENT_LENGTH": str(1 << 30)}
    reply = ask(gateway, "POST", "/v1.51/containers/create", environ=environ, headers=JSON)
    assert reply.status_code == 413
    assert not body.touched


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nonsense", 404),
        ("PUT", "/version", 404),
        ("HEAD", "/version", 404),
        ("GET", "/vx/version", 404),
        ("GET", "/v1.23/version", 400),
        ("GET", "/v1.99/version", 400),
        ("GET", "/v1.51/swarm", 503),
        ("POST", "/v1.51/plugins/create", 501),
        ("GET", "/v1.51/plugins", 200),
    ],
)
def test_every_reply_bears_what_clients_negotiate_with_and_an_id(gateway, method, path, status):
    reply = ask(gateway, method, path, headers={"X-Request-Id": "mine-1"})
    assert reply.status_code == status
    assert all(name in reply.headers for name in COMMON)
    assert reply.headers["X-Request-Id"] == "mine-1"


@pytest.mark.parametrize("path", ["/nowhere", "/containers/nobody/top", "/version"])
def test_of_two_ids_all_mean_the_same_one(gateway, path):
    reply = ask(gateway, "GET", path, headers={"X-Request-Id": "second", "Request-Id": "first"})
    assert reply.headers["X-Request-Id"] == "first"


def test_clients_below_the_floor_are_told_in_plain_text(gateway):
    reply = ask(gateway, "GET", "/v1.23/version")
    assert reply.content_type == "text/plain; charset=utf-8"
    assert reply.text.startswith("client version 1.23 is too old. Minimum supported API version is 1.24")


def test_what_broke_behind_the_gateway_is_logged_and_not_told(gateway, monkeypatch):
    def broken(**_):
        raise SdcError("vmapi", 500, "InternalError", "moray at 10.99.99.17 is down")

    monkeypatch.setattr(gateway.house.services.vmapi, "list_vms", broken)
    with capture_logs() as logs:
        reply = ask(gateway, "GET", "/containers/json")
    assert (reply.status_code, reply.json) == (500, {"message": "problem loading containers"})
    assert any("10.99.99.17" in line.get("cause", "") for line in logs)


def test_a_pull_ends_when_its_client_leaves_before_anything_was_sent(gateway, center):
    def import_docker_image(*_words, **_more):
        gevent.sleep(30)
        yield {}

    center.services.imgapi.import_docker_image = import_docker_image
    ours, clients = socket.socketpair()
    with ours, clients:
        pull = gevent.spawn(
            ask, gateway, "POST", "/v1.51/images/create?fromImage=busybox&tag=1", environ={"gunicorn.socket": ours}
        )
        gevent.sleep(0.05)
        assert not pull.ready()
        clients.close()
        assert isinstance(pull.get(timeout=10), gevent.GreenletExit)
    line = json.loads(gateway.audit.read_text())
    assert (line["operation"], line["status"]) == ("image.create", 499)

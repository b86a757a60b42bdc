"""Logins: against a registry in this process, and never against what is closed."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sdc.errors import SdcError, SdcUnavailable
from sdc.registry import Caller, login

GOOD = "Basic " + base64.b64encode(b"jill:secret").decode()


class Door(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        good = self.headers.get("Authorization") == GOOD
        if self.path == "/v2/" and self.server.realm:
            self.send_response(401)
            self.send_header("WWW-Authenticate", f'Bearer realm="{self.server.realm}",service="reg"')
        else:
            self.send_response(200 if good else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words):
        pass


@pytest.fixture
def door():
    server = HTTPServer(("127.0.0.1", 0), Door)
    server.asked, server.realm = [], ""
    server.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def jill(password="secret", **more) -> Caller:
    return Caller(username="jill", password=password, insecure=("127.0.0.0/8",), **more)


def test_good_and_bad_credentials(door):
    login(door.host, jill())
    with pytest.raises(SdcError) as refused:
        login(door.host, jill("wrong"))
    assert refused.value.status == 401


def test_nothing_is_sent_to_what_is_closed(door):
    with pytest.raises(SdcUnavailable):
        login(door.host, jill(closed=lambda url: door.host in url))
    assert door.asked == []


def test_nor_does_a_registry_send_us_there(door):
    door.realm = f"http://{door.host}/vms"
    with pytest.raises(SdcUnavailable):
        login(door.host, jill(closed=lambda url: url.endswith("/vms")))
    assert door.asked == ["/v2/"]
    login(door.host, jill())
    assert door.asked[-1].startswith("/vms?")

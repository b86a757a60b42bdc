"""Manifests, blobs and searches, from a registry in this process."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from sdc import registry
from sdc.errors import SdcError, SdcUnavailable
from sdc.registry import Caller

BASIC = "Basic " + base64.b64encode(b"jill:secret").decode()


class Desk(BaseHTTPRequestHandler):
    """Asks for ``server.auth``; the blob lies elsewhere."""

    def do_GET(self):
        server, got = self.server, self.headers.get("Authorization", "")
        server.asked.append((self.path, got))
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/token":
            good = got == BASIC and query["scope"] == ["repository:team/app:pull"]
            self.answer(200 if good else 401, {"token": "good"} if good else {})
        elif path == "/elsewhere":
            self.answer(200, {"auth": got})
        elif server.auth == "bearer" and got != "Bearer good":
            realm = f'Bearer realm="http://{server.host}/token",service="reg",scope="repository:team/app:pull"'
            self.answer(401, {}, WWW_Authenticate=realm)
        elif server.auth == "basic" and got != BASIC:
            self.answer(
                401, {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}, WWW_Authenticate='Basic realm="r"'
            )
        elif path == "/v2/team/app/manifests/v1":
            self.answer(200, {"it": "is"}, Content_Type="application/x")
        elif path == "/v2/team/app/blobs/sha256:1":
            self.answer(307, None, Location=f"http://localhost:{server.server_port}/elsewhere")
        elif path == "/v2/team/app/manifests/huge":
            self.answer(200, "x" * registry._MOST)
        elif path == "/v1/search":
            self.answer(200, {"results": [{"name": query["q"][0], "star_count": int(query["n"][0])}]})
        else:
            self.answer(404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]})

    def answer(self, status, body, **headers):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_words):
        pass


@pytest.fixture
def desk():
    server = HTTPServer(("127.0.0.1", 0), Desk)
    server.asked, server.auth = [], ""
    server.handle_error = lambda *_: None  # TLS hellos, and clients that read no further
    server.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def caller(**more) -> Caller:
    return Caller(**{"insecure": ("127.0.0.0/8",), **more})


def test_a_manifest_comes_with_its_type(desk):
    answer = registry.fetch(desk.host, "team/app", "manifests/v1", caller())
    assert (answer.media_type, json.loads(answer.body)) == ("application/x", {"it": "is"})


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_challenge_is_answered(desk, auth):
    desk.auth = auth
    known = caller(username="jill", password="secret")
    assert registry.fetch(desk.host, "team/app", "manifests/v1", known).body
    for stranger in (caller(), caller(username="jill", password="wrong")):
        with pytest.raises(SdcError) as refused:
            registry.fetch(desk.host, "team/app", "manifests/v1", stranger)
        assert refused.value.status == 401


def test_a_blob_elsewhere_is_fetched_without_our_name(desk):
    desk.auth = "basic"
    answer = registry.fetch(desk.host, "team/app", "blobs/sha256:1", caller(username="jill", password="secret"))
    assert json.loads(answer.body) == {"auth": ""}
    assert desk.asked[-2] == ("/v2/team/app/blobs/sha256:1", BASIC)


def test_a_redirect_leads_to_nothing_that_is_closed(desk):
    with pytest.raises(SdcUnavailable):
        registry.fetch(desk.host, "team/app", "blobs/sha256:1", caller(closed=lambda url: "elsewhere" in url))
    assert not any(path == "/elsewhere" for path, _ in desk.asked)


def test_what_is_not_there_is_said_in_the_registry_s_words(desk):
    with pytest.raises(SdcError) as refused:
        registry.fetch(desk.host, "team/app", "manifests/v9", caller())
    assert (refused.value.status, refused.value.message) == (404, "manifest unknown: manifest unknown")


def test_answers_have_a_limit(desk):
    with pytest.raises(SdcError, match="too large"):
        registry.fetch(desk.host, "team/app", "manifests/huge", caller())


def test_search(desk):
    assert registry.search(desk.host, "a b&c", 7, caller()) == [{"name": "a b&c", "star_count": 7}]


def test_nobody_there():
    with pytest.raises(SdcUnavailable):
        registry.search("127.0.0.1:1", "x", 25, caller())

"""No request whatsoever makes the gateway fail, and none that is refused leaves anything in the data center."""

from __future__ import annotations

import io
import json
import os
import socket
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import requests as http_client
from gunicorn.workers.base_async import ALREADY_HANDLED
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client
from werkzeug.wrappers import Response

from datacenter.images import registry as registries
from gateway.blueprints import RESOURCES
from gateway.operations import OPERATIONS, by_name
from gateway.settings import TritonSettings
from sdc import registry
from sdc.errors import SdcError
from tests.contract.house import AtOnce, House, lasting_house
from tests.contract.imgapi.fake_registry import tar_of
from tests.contract.strange import drawing, sockets, stock
from tests.contract.test_options import ABLE
from translators import settling
from translators.containers import exec_ends

TAKEN = 101
ENDLESS = {"container.wait", "event.list", "container.stats", "container.logs"}
"""They may have nothing more to say for ever: their heads are looked at."""
HIJACKED = {"container.attach", "container.attach.websocket", "exec.start"}
EVERYTHING = ABLE | {"changes", "export", "archive", "stdio-frames", "attach-before-start", "exec-options", "stats",
                     "console-resize", "disk-usage", "logs-filter", "nic-hotplug", "volume-options", "pause",
                     "commit", "build"} - {"privileged"}  # fmt: skip
UNDONE = {"container.create": "/containers/{Id}?force=1&v=1", "network.create": "/networks/{Id}",
          "volume.create": "/volumes/{Name}"}  # fmt: skip
"""What takes back what an operation has made."""
SOME = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "6")), deadline=None, database=None, phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


class Crowd:
    """A house that many strange requests go to, one after the other."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._http = Client(self._door, Response)
        self._settler = settling.Settler(house.services, house.state, TritonSettings(), house.state.folder)
        answer = house.http.post("/build", data=tar_of(Dockerfile=b"FROM scratch\n"))
        assert answer.status_code == 400, answer.text  # the node has none of it; an account keeps what builds begin on
        self.empty_handed = self.swept()

    def swept(self) -> stock.Stock:
        """Remove all that clients can remove, and take stock of the rest."""
        http = self.house.http
        for container in http.get("/containers/json?all=1").json:
            answer = http.delete(f"/containers/{container['Id']}?force=1&v=1")
            assert answer.status_code == 204, answer.text
        for image in http.get("/images/json?all=1").json:
            if image["RepoTags"] != ["busybox:latest"]:
                http.delete(f"/images/{image['Id']}?force=1")
        for network in http.get("/networks").json:
            http.delete(f"/networks/{network['Id']}")
        for volume in http.get("/volumes").json["Volumes"]:
            assert http.delete(f"/volumes/{volume['Name']}").status_code == 204
        self.house.fill_image()
        return self.taken()

    def taken(self) -> stock.Stock:
        """Take stock of what is left once all has been settled that nobody could be sure of."""
        self._settler.look()
        return stock.take(self.house)

    def _door(self, environ: Any, start_response: Any) -> Any:
        """The gateway, which tells when it has taken a connection away from HTTP."""
        found = self.house.app(environ, start_response)
        if found is ALREADY_HANDLED:
            start_response(f"{TAKEN} UPGRADED", [])
            return []
        return found

    def ask(self, name: str, drawn: drawing.Drawn) -> tuple[int, bytes]:
        """Return the status, 101 where the connection was taken over, and what came back if that has an end."""
        with connection(drawn) as (environ, ours):
            sent: dict[str, Any] = {"environ_overrides": environ} if name in HIJACKED else {"data": drawn.body}
            path = drawn.path.replace("EXEC", self.house.exec_id)
            answer = self._http.open(path, method=drawn.method, query_string=drawn.query, headers=drawn.headers, **sent)
            if answer.status_code == TAKEN:
                return TAKEN, ours.recv(65536)
        try:
            endless = name in ENDLESS and answer.status_code == 200
            return answer.status_code, b"" if endless else answer.data
        finally:
            answer.close()

    def fill(self, name: str) -> None:
        """Have there what an operation may be about."""
        self.house.fill()
        kind = f"/{by_name(name).resource}s"
        if kind in {"/networks", "/volumes"} and self.house.http.get(f"{kind}/own").status_code != 200:
            answer = self.house.http.post(f"{kind}/create", json={"Name": "own"})
            assert answer.status_code == 201, answer.text

    def exchange(self, name: str, data: st.DataObject) -> None:
        """Send one drawn request; hold its answer and what it left behind against the rules."""
        house = self.house
        self.fill(name)
        row = by_name(name)
        drawn = data.draw(drawing.requests(row))
        before = self.taken()
        status, body = self.ask(name, drawn)
        shown = repr((drawn, status, body[:300]))
        left = stock.added(before, self.taken())
        assert status < 500 or status == row.status or sockets.NO_LAYER in body, shown
        if status >= 400:
            old = drawn.path.startswith("/v1.23/")  # clients of before 1.24 read plain text
            assert row.method == "HEAD" or (body if old else json.loads(body)["message"]), shown
            assert not left, (left, shown)
        elif name in UNDONE and status == 201:
            undo = UNDONE[name].format(**json.loads(body))
            if name == "container.create":
                for look in (undo.replace("?", "/json?"), "/containers/json?all=1"):
                    assert house.http.get(look).status_code == 200, shown
            assert house.http.delete(undo).status_code == 204, shown
            left = stock.added(before, self.taken())
            assert not left, (left, shown)


@contextmanager
def connection(drawn: drawing.Drawn):
    """What gunicorn gives for a request of which the gateway may take the connection; the client has ended its side."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        theirs.settimeout(5)
        ours.settimeout(5)
        ours.shutdown(socket.SHUT_WR)
        body = io.BytesIO(drawn.body or b"")
        body.reader = SimpleNamespace(unreader=SimpleNamespace(take_buffered=lambda: drawn.early))
        yield {"wsgi.input": body, "CONTENT_LENGTH": str(len(drawn.body or b"")), "gunicorn.socket": theirs}, ours


def nobody(*_: Any, **__: Any) -> Any:
    raise SdcError("registry", 401, "Unauthorized", "unauthorized")


def empty(_adapter: Any, request: Any, **_: Any) -> http_client.Response:
    """What a registry without a single image answers to all."""
    answer = http_client.Response()
    answer.status_code, answer.url, answer.request = 404, request.url, request
    answer.raw = io.BytesIO(b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
    return answer


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settling, "GRACE_SECONDS", 0.0)
        patch.setattr(exec_ends, "threading", SimpleNamespace(Thread=AtOnce))
        patch.setattr(registry, "_ask", nobody)
        patch.setattr(registries._Guarded, "send", empty)
        with lasting_house(tmp_path_factory.mktemp("crowd"), EVERYTHING) as house, sockets.open_sockets(house):
            yield Crowd(house)


SERVED = sorted(name for resource in RESOURCES for name in resource.handled)
REFUSED = sorted({row.name for row in OPERATIONS} - set(SERVED))


@pytest.mark.parametrize("name", SERVED)
def test_no_request_makes_it_fail(crowd, name):
    SOME(given(st.data())(lambda data: crowd.exchange(name, data)))()
    assert not stock.added(crowd.empty_handed, crowd.swept())


def test_nor_does_one_for_what_is_refused(crowd):
    SOME(given(st.data(), st.sampled_from(REFUSED))(lambda data, name: crowd.exchange(name, data)))()
    assert not stock.added(crowd.empty_handed, crowd.swept())

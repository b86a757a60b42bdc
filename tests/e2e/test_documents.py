"""Replies that come from real containers and registries are what the document of their API version says.

The rest of the operations is asked in one process: ``tests/contract/engine``.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.operations import by_name
from gateway.versions import ApiVersion
from tests.contract.engine import JSON, VERSIONS, Document
from tests.contract.imgapi.fake_registry import tar_of
from tests.e2e.raw import UPGRADE, Raw, ask, frames
from tests.e2e.test_images import registry

__all__ = ["registry"]
pytestmark = pytest.mark.docker

REAL = frozenset(
    {"container.stats", "container.logs", "container.attach", "container.attach.websocket", "container.wait",
     "container.changes", "container.archive.get", "container.archive.put", "container.archive.stat",
     "container.export", "container.commit", "exec.create", "exec.start", "exec.inspect", "image.build",
     "image.create", "image.load", "image.push", "image.save", "image.save.many", "event.list"}
)  # fmt: skip
"""Operations that are asked here."""

TAR = {"Content-Type": "application/x-tar"}
HANDSHAKE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
SAY = ["sh", "-c", "echo out; echo err >&2"]


def untar(data: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return set(archive.getnames())


class Asker:
    """Asks the operations of one version. ``wrong`` is what the document has against the replies."""

    def __init__(self, running, version: str) -> None:
        self.version = ApiVersion.parse(version)
        self.name = f"documents-{version}"
        self.wrong: list[str] = []
        self.asked: set[str] = set()
        self._document = Document(version)
        self._sock = running.instance.folder / "docker.sock"

    def __call__(
        self, name: str, status: int, body: Any = None, *, headers: Any = None, target: str = "", **query: Any
    ) -> Raw:
        """Ask ``name`` of the container, or of ``target``; ``body`` is JSON or bytes."""
        row = by_name(name)
        self.asked.add(name)
        ref = target or self.name
        path = row.path.format(id=ref, name=ref)
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        kind = {} if isinstance(body, bytes) or body is None else {"Content-Type": JSON}
        answer = ask(self._sock, row.method, f"/v{self.version}{path}?{urlencode(query)}", data, kind | (headers or {}))
        label = f"{name} {query} {answer.status}"
        if answer.status != status:
            self.wrong.append(f"{label}, not {status}: {answer.data[:200]!r}")
        found = self._document.judge(row, answer.status, answer.headers, answer.data)
        self.wrong += [f"{label}: {problem}" for problem in found]
        return answer

    def output(self, answer: Raw, *, tty: bool = False, upgraded: bool = True) -> dict[int, bytes]:
        """Bytes of each stream, 0 for those without frames; the type of the reply is that of the version."""
        kind = "raw" if tty or not upgraded or self.version < (1, 42) else "multiplexed"
        if answer.headers.get("Content-Type") != f"application/vnd.docker.{kind}-stream":
            self.wrong.append(f"{answer.headers.get('Content-Type')} is not {kind}")
        if tty:
            return {0: answer.data}
        found: dict[int, bytes] = {}
        for stream, payload in frames(answer.data):
            found[stream] = found.get(stream, b"") + payload
        return found


@pytest.fixture
def asker(running, docker, version):
    asker = Asker(running, version)
    docker.ok("run", "-d", "--name", asker.name, "busybox", "sh", "-c", f"{SAY[-1]}; exec sleep 600")
    yield asker
    docker("rm", "-f", asker.name)
    for image in docker.ok("images", "-q", "--filter", f"label=documents={asker.name}").split():
        docker("rmi", "-f", image)


def streams(asker: Asker) -> None:
    both = {1: b"out\n", 2: b"err\n"}
    for query in ({"stream": 0}, {"stream": 0, "one-shot": 1}):
        assert json.loads(asker("container.stats", 200, **query).data)["memory_stats"]["usage"] > 0
    assert asker.output(asker("container.logs", 200, stdout=1, stderr=1)) == both
    assert asker.output(asker("container.logs", 200, stderr=1, tail=1)) == {2: b"err\n"}
    asker("container.logs", 404, target="none-such", stdout=1)
    asker("container.logs", 400)
    for headers in (UPGRADE, {}):
        answer = asker("container.attach", 101 if headers else 200, headers=headers, logs=1, stdout=1, stderr=1)
        assert asker.output(answer, upgraded=bool(headers)) == both
        asker("container.attach", 404, target="none-such", headers=headers)
        asker("container.attach", 400, headers=headers, detachKeys="ctrl-")
    assert b"out" in asker("container.attach.websocket", 101, headers=HANDSHAKE, logs=1, stdout=1).data
    asker("container.attach.websocket", 400)
    asker("container.attach.websocket", 404, target="none-such", headers=HANDSHAKE)


def execs(asker: Asker) -> None:
    for tty in (False, True):
        asked = {"Cmd": SAY, "AttachStdout": True, "AttachStderr": True, "Tty": tty}
        made = json.loads(asker("exec.create", 201, asked).data)["Id"]
        answer = asker("exec.start", 101, {"Tty": tty}, target=made, headers=UPGRADE)
        assert {word for part in asker.output(answer, tty=tty).values() for word in part.split()} == {b"out", b"err"}
        assert json.loads(asker("exec.inspect", 200, target=made).data)["ExitCode"] == 0
        asker("exec.start", 409, {}, target=made)
    made = json.loads(asker("exec.create", 201, {"Cmd": ["true"]}).data)["Id"]
    asker("exec.start", 200, {"Detach": True}, target=made)
    asker("exec.start", 404, {}, target="none-such")


def files(asker: Asker) -> None:
    asker("container.archive.put", 200, tar_of(f=b"text"), headers=TAR, path="/tmp")
    assert untar(asker("container.archive.get", 200, path="/tmp/f").data) == {"f"}
    asker("container.archive.stat", 200, path="/tmp/f")
    for name in ("container.archive.get", "container.archive.stat"):
        asker(name, 404, path="/none")
        asker(name, 400)
    asker("container.archive.put", 404, tar_of(f=b"text"), headers=TAR, path="/none")
    asker("container.archive.put", 400, tar_of(f=b"text"), headers=TAR, path="/etc/passwd")
    asker("container.archive.put", 400, b"no archive" * 99, headers=TAR, path="/tmp")
    asker("container.changes", 200)
    assert {"etc/passwd", "tmp/f"} <= untar(asker("container.export", 200).data)
    asker("container.export", 404, target="none-such")


def images(asker: Asker, registry: str) -> None:
    label, image = {"documents": asker.name}, f"{registry}/{asker.name}"
    asker("container.commit", 201, {"Labels": label}, container=asker.name, repo=image, tag="1", comment="x")
    asker("container.commit", 404, container="none-such")
    lines = f"FROM {image}:1\nRUN echo built\n"
    told = asker(
        "image.build", 200, tar_of(Dockerfile=lines.encode()), headers=TAR, t=f"{image}:2", labels=json.dumps(label)
    )
    assert b"built" in told.data
    failed = asker("image.build", 200, tar_of(Dockerfile=f"FROM {image}:1\nRUN exit 3\n".encode()), headers=TAR)
    assert json.loads(failed.data.splitlines()[-1])["errorDetail"]["code"] == 3
    asker("image.build", 400, tar_of(Dockerfile=b"BOGUS\n"), headers=TAR)
    saved = asker("image.save", 200, target=f"{image}:2").data
    assert "manifest.json" in untar(saved)
    assert "manifest.json" in untar(asker("image.save.many", 200, names=f"{image}:1").data)
    asker("image.save", 404, target="none-such")
    asker("image.push", 200, target=image, tag="1", headers={"X-Registry-Auth": "e30="})
    failed = asker("image.push", 200, target=image, tag="9", headers={"X-Registry-Auth": "e30="})
    assert json.loads(failed.data.splitlines()[-1])["error"] == f"tag does not exist: {image}:9"
    asker("image.create", 200, fromImage=image, tag="1")
    asker("image.create", 404, fromImage=f"{registry}/none-such", tag="1")
    asker("image.create", 400, fromImage="BAD")
    assert b"Loaded image" in asker("image.load", 200, saved, headers=TAR).data
    asker("image.load", 200, tar_of(f=b"no image"), headers=TAR)
    asker("image.create", 200, tar_of(f=b"text"), headers=TAR, fromSrc="-", changes=f"LABEL documents={asker.name}")


def ends(asker: Asker, docker) -> None:
    docker.ok("kill", asker.name)
    assert json.loads(asker("container.wait", 200).data) == {"StatusCode": 137}
    asker("container.wait", 400, condition="bogus")
    answer = asker("container.stats", 200, stream=0)
    assert json.loads(answer.data)["name"] == f"/{asker.name}"
    told = asker("event.list", 200, since=0, until=time.time())
    assert {"container", "image", "network"} <= {json.loads(line)["Type"] for line in told.data.splitlines()}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_nodes_and_registries_tell_is_as_the_document_says(asker, docker, registry):
    streams(asker)
    execs(asker)
    files(asker)
    images(asker, registry)
    ends(asker, docker)
    assert not asker.wrong, "\n".join(asker.wrong)
    assert asker.asked == REAL

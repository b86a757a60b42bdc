"""A Docker registry that does as a test tells it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@dataclass
class Image:
    """What was published, for tests to compare with."""

    digest: str
    text: bytes
    config: bytes
    layers: list[str]


@dataclass
class FakeRegistry:
    """Serves blobs and manifests; its fields say how it misbehaves."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    auth: str = ""
    """"", basic or bearer: what it asks of everybody."""
    user: tuple[str, str] | None = ("bob", "secret")
    realm: str = ""
    cuts: Counter = field(default_factory=Counter)
    """By digest: how many more answers stop halfway."""
    ranges: bool = True
    statuses: dict[str, int] = field(default_factory=dict)
    """By digest: the status its blob is refused with."""
    silent: bool = False
    """Whether it says no word of manifests that it does not have."""
    blobs_at: str = ""
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    tokens: list[dict[str, list[str]]] = field(default_factory=list)
    server: ThreadingHTTPServer = None  # type: ignore[assignment]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    def blob(self, data: bytes) -> str:
        self.blobs[digest_of(data)] = data
        return digest_of(data)

    def manifest(self, repo: str, tag: str, kind: str, body: dict) -> tuple[str, bytes]:
        text = json.dumps(body).encode()
        for reference in (tag, digest_of(text)):
            self.manifests[repo, reference] = (kind, text)
        return digest_of(text), text

    def image(
        self,
        repo: str,
        tag: str = "latest",
        layers: list[bytes] | None = None,
        kind: str = DOCKER,
        indent: int | None = None,
        **config,
    ) -> Image:
        """Publish an image of plain layer tars (gzipped on the way) under a tag; ``indent`` is its config's."""
        tars = layers if layers is not None else [tar_of(a=b"one"), tar_of(b=b"two" * 100)]
        packed = [gzip.compress(data, mtime=0) for data in tars]
        details = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/bin/hello"]},
            "history": [{"created_by": f"step {n}"} for n in range(len(tars))],
            "rootfs": {"type": "layers", "diff_ids": [digest_of(data) for data in tars]},
            **config,
        }
        text = json.dumps(details, indent=indent, separators=(",", ":")).encode()
        oci = kind == OCI
        layer_type = (
            "application/vnd.oci.image.layer.v1.tar+gzip"
            if oci
            else "application/vnd.docker.image.rootfs.diff.tar.gzip"
        )
        config_type = (
            "application/vnd.oci.image.config.v1+json" if oci else "application/vnd.docker.container.image.v1+json"
        )
        body = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": config_type, "size": len(text), "digest": self.blob(text)},
            "layers": [{"mediaType": layer_type, "size": len(data), "digest": self.blob(data)} for data in packed],
        }
        digest, manifest = self.manifest(repo, tag, kind, body)
        return Image(digest, manifest, text, [layer["digest"] for layer in body["layers"]])

    def count(self, digest: str) -> int:
        return sum(path.endswith(digest) for method, path, _ in self.requests)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def fake(self) -> FakeRegistry:
        return self.server.fake  # type: ignore[attr-defined]

    def answer(self, status: int, data: bytes = b"", send: bytes | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if send is None else send)

    def refuse(self, status: int, code: str, message: str, **headers: str) -> None:
        self.answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), **headers)

    def do_GET(self) -> None:
        self.fake.requests.append((self.command, self.path, dict(self.headers.items())))
        parts = urlsplit(self.path)
        if parts.path == "/token":
            self.give_token(parse_qs(parts.query))
        elif not self.admitted():
            challenge = 'Basic realm="fake"'
            if self.fake.auth == "bearer":
                realm = self.fake.realm or f"http://{self.fake.host}/token"
                challenge = f'Bearer realm="{realm}",service="fake, registry",scope="repository:x:pull"'
            self.refuse(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=challenge)
        elif "/blobs/" in self.path:
            self.give_blob(self.path.rpartition("/")[2])
        else:
            repo, _, reference = parts.path.removeprefix("/v2/").partition("/manifests/")
            found = self.fake.manifests.get((repo, reference))
            if found is None and self.fake.silent:
                self.answer(404)
            elif found is None:
                self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
            else:
                self.answer(200, found[1], Content_Type=found[0])

    def do_POST(self) -> None:
        self.fake.requests.append((self.command, self.path, dict(self.headers.items())))
        self.give_token(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

    def admitted(self) -> bool:
        got = self.headers.get("Authorization", "")
        if self.fake.auth == "basic":
            return got == "Basic " + base64.b64encode(":".join(self.fake.user).encode()).decode()
        return self.fake.auth == "" or got == "Bearer good"

    def give_token(self, asked: dict[str, list[str]]) -> None:
        self.fake.tokens.append(asked)
        got = self.headers.get("Authorization", "")
        expected = "Basic " + base64.b64encode(":".join(self.fake.user).encode()).decode() if self.fake.user else ""
        if got == expected or asked.get("refresh_token") == ["identity"]:
            self.answer(200, b'{"access_token":"good"}' if self.command == "POST" else b'{"token":"good"}')
        else:
            self.answer(401, b"{}")

    def give_blob(self, digest: str) -> None:
        fake = self.fake
        if digest in fake.statuses:
            self.refuse(fake.statuses[digest], "UNKNOWN", "out of order")
        elif fake.blobs_at:
            self.answer(307, Location=f"{fake.blobs_at}{self.path}")
        elif digest not in fake.blobs:
            self.refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        else:
            data, start, extra = fake.blobs[digest], 0, {}
            wanted = self.headers.get("Range", "")
            if wanted and fake.ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                extra = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            rest = data[start:]
            cut = None
            if fake.cuts[digest] > 0:
                fake.cuts[digest] -= 1
                cut = rest[: len(rest) // 2]
            self.answer(206 if extra else 200, rest, cut, **extra)


@contextmanager
def serve() -> Iterator[FakeRegistry]:
    fake = FakeRegistry()
    fake.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.server.daemon_threads = True
    fake.server.handle_error = lambda request, address: None  # TLS hellos and clients that leave
    fake.server.fake = fake  # type: ignore[attr-defined]
    threading.Thread(target=fake.server.serve_forever, args=(0.01,), daemon=True).start()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()

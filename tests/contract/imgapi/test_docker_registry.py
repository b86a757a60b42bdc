"""Pulls from the registry that Docker itself ships, when this machine has it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests
from fake_registry import DOCKER, digest_of, tar_of

from datacenter.images.unpack import unpack_layer
from grammars.dockerids import layer_uuids

BINARY = shutil.which("docker-registry") or shutil.which("registry")
pytestmark = pytest.mark.skipif(BINARY is None, reason="docker-registry is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def registry(tmp_path: Path):
    """host:port of a running registry."""
    port = free_port()
    config = tmp_path / "registry.json"  # JSON is YAML
    settings = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    config.write_text(json.dumps(settings))
    process = subprocess.Popen([BINARY, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                break
        except OSError:
            time.sleep(0.02)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


def upload(host: str, repo: str, data: bytes) -> str:
    with requests.Session() as session:
        session.trust_env = False
        start = session.post(f"http://{host}/v2/{repo}/blobs/uploads/", timeout=10)
        put = session.put(start.headers["Location"], params={"digest": digest_of(data)}, data=data, timeout=10)
        assert put.status_code == 201
    return digest_of(data)


def publish(host: str, repo: str, tars: list[bytes]) -> tuple[str, list[str]]:
    packed = [gzip.compress(data, mtime=0) for data in tars]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest_of(data) for data in tars]},
        }
    ).encode()
    layer_type = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    body = {
        "schemaVersion": 2,
        "mediaType": DOCKER,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(config),
            "digest": upload(host, repo, config),
        },
        "layers": [{"mediaType": layer_type, "size": len(data), "digest": upload(host, repo, data)} for data in packed],
    }
    text = json.dumps(body).encode()
    with requests.Session() as session:
        session.trust_env = False
        put = session.put(
            f"http://{host}/v2/{repo}/manifests/latest", data=text, headers={"Content-Type": DOCKER}, timeout=10
        )
        assert put.status_code == 201
    return digest_of(text), [layer["digest"] for layer in body["layers"]]


def test_pull_and_unpack(registry: str, pull, imgapi, tmp_path: Path) -> None:
    big = os.urandom(3_000_000)
    digest, layers = publish(registry, "team/app", [tar_of(big=big), tar_of(small=b"2")])
    lines = pull(f"{registry}/team/app")
    (line,) = [line for line in lines if line["type"] == "create-docker-image"]
    assert (line["manifest_digest"], line["image_uuid"]) == (digest, layer_uuids(layers)[-1])
    assert lines[-1]["payload"]["status"] == f"Status: Downloaded newer image for {registry}/team/app:latest"
    assert pull(f"{registry}/team/app", digest=digest)[-1]["payload"]["status"].startswith(
        "Status: Image is up to date"
    )
    path, compression = imgapi.file(layer_uuids(layers)[0])
    (tmp_path / "root").mkdir()
    with path.open("rb") as file:
        unpack_layer(file, tmp_path / "root", compression)
    assert hashlib.sha256((tmp_path / "root" / "big").read_bytes()).digest() == hashlib.sha256(big).digest()


def test_what_is_not_there(registry: str, pull) -> None:
    publish(registry, "team/app", [tar_of(a=b"1")])
    for repo, tag in (("team/app", "nosuch"), ("team/nope", "latest")):
        error = pull(f"{registry}/{repo}", tag=tag)[-1]["error"]
        assert error == {"code": "ResourceNotFound", "message": "manifest unknown: manifest unknown"}

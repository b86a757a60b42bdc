"""The registry that Docker itself ships, run on loopback, and images published to it."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from fake_registry import DOCKER, digest_of

BINARY = shutil.which("docker-registry") or shutil.which("registry")
USER, PASSWORD = "bob", "secret"
HTPASSWD = "bob:$2b$04$mDA6EyEGmVxq50jsivS6qeoNeBelR44NGvkzCfbqcjJehoKDycmRu"
"""USER and PASSWORD as htpasswd -B writes them."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def run(folder: Path, **settings: object) -> Iterator[str]:
    """host:port of a running registry; ``settings`` are further sections of its configuration."""
    port = free_port()
    config = folder / "registry.json"  # JSON is YAML
    settings = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
        **settings,
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
    try:
        yield f"127.0.0.1:{port}"
    finally:
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

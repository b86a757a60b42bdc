"""Pulls from and pushes to the registry that Docker itself ships, when this machine has it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from docker_registry import BINARY, publish, run
from fake_registry import tar_of

from datacenter.images.unpack import unpack_layer
from grammars.dockerids import layer_uuids

pytestmark = pytest.mark.skipif(BINARY is None, reason="docker-registry is not installed")


@pytest.fixture
def registry(tmp_path: Path):
    with run(tmp_path) as host:
        yield host


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

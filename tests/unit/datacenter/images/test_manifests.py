from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.images.errors import RegistryError
from datacenter.images.manifests import Descriptor, Index, Manifest, Platform, choose, digest_of, machine, read

DIGEST = "sha256:" + "ab" * 32
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 10}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": DIGEST, "size": 7, "annotations": {}}
ATTESTATION = {"mediaType": OCI, "digest": DIGEST, "size": 1, "platform": {"os": "unknown", "architecture": "unknown"}}


def text(**body: object) -> bytes:
    return json.dumps({"schemaVersion": 2, **body}).encode()


def test_a_manifest() -> None:
    data = text(config=CONFIG, layers=[LAYER, LAYER])
    found = read(data, f"{OCI}; charset=utf-8")
    assert isinstance(found, Manifest)
    assert (found.text.encode(), found.digest, found.size) == (data, digest_of(data), 14)


@pytest.mark.parametrize("content_type", ["", "application/json", INDEX])
def test_an_index(content_type: str) -> None:
    found = read(text(mediaType=INDEX, manifests=[ATTESTATION]), content_type)
    assert isinstance(found, Index)


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"\xff", OCI, "Download"),
        (b"[]", OCI, "Download"),
        (text(config=CONFIG, layers=[{**LAYER, "size": "7"}]), OCI, "Download"),
        (text(config=CONFIG, layers=[{**LAYER, "size": -7}]), OCI, "Download"),
        (text(config=CONFIG, layers=[{**LAYER, "digest": "sha256:../../etc"}]), OCI, "Download"),
        (text(config={**CONFIG, "digest": "md5:" + "a" * 32}, layers=[LAYER]), OCI, "Download"),
        (text(config=CONFIG, layers=[]), OCI, "NotImplemented"),
        (
            text(config={**CONFIG, "mediaType": "application/vnd.cncf.helm.config.v1+json"}, layers=[LAYER]),
            OCI,
            "NotImplemented",
        ),
        (
            text(config=CONFIG, layers=[{**LAYER, "mediaType": LAYER["mediaType"] + "+encrypted"}]),
            OCI,
            "NotImplemented",
        ),
        (json.dumps({"schemaVersion": 1}).encode(), "application/json", "NotImplemented"),
        (text(), "application/vnd.docker.distribution.manifest.v1+prettyjws", "NotImplemented"),
    ],
)
def test_refusals(body: bytes, content_type: str, code: str) -> None:
    with pytest.raises(RegistryError) as caught:
        read(body, content_type)
    assert caught.value.code == code


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda value: text(manifests=value))
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(RegistryError):
        read(data, "")


def index(*platforms: Platform | None) -> Index:
    return Index(DIGEST, tuple(Descriptor(DIGEST, number, OCI, platform) for number, platform in enumerate(platforms)))


@pytest.mark.parametrize(
    ("platforms", "wanted", "number"),
    [
        ([("linux", "arm64", ""), ("linux", "amd64", "")], ("linux", "amd64"), 1),
        ([("linux", "amd64", "v3"), ("linux", "amd64", ""), ("linux", "amd64", "")], ("linux", "amd64"), 1),
        ([("windows", "amd64", ""), ("linux", "amd64", "v1")], ("linux", "amd64"), 1),
        ([("linux", "arm", "v5"), ("linux", "arm", "v7"), ("linux", "arm", "v6")], ("linux", "arm"), 1),
        ([("linux", "arm64", "v8")], ("linux", "arm64"), 0),
        ([("linux", "riscv64", "")], ("linux", "riscv64"), 0),
        ([None], ("linux", "amd64"), 0),
    ],
)
def test_choice(platforms, wanted, number: int) -> None:
    found = index(*(platform and Platform(*platform) for platform in platforms))
    assert choose(found, Platform(*wanted)).size == number


@pytest.mark.parametrize("platforms", [[], [("linux", "arm64", "")], [("linux", "amd64", "v3")], [None, None]])
def test_no_choice(platforms) -> None:
    found = index(*(platform and Platform(*platform) for platform in platforms))
    with pytest.raises(RegistryError, match="no matching manifest for linux/amd64 in the manifest list entries"):
        choose(found, Platform("linux", "amd64"))


def test_this_machine_runs_linux() -> None:
    assert machine().os == "linux"

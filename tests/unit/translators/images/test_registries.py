from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from gateway.errors import InternalError, InvalidParameter, NotFound, Unauthorized
from sdc import registry
from sdc.errors import SdcError, SdcUnavailable
from tests.unit.translators.images.conftest import registry_auth
from translators.images import registries
from translators.images.blobs import sha256

INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
RESULTS = [
    {"name": "busybox", "description": "small", "star_count": 3000, "is_official": True, "is_automated": True},
    {"name": "other/busybox", "description": "", "star_count": 3, "is_official": False},
]


class Shelf:
    """Stands in for registries: ``content`` by what is asked for, and what was asked."""

    def __init__(self) -> None:
        self.content: dict[str, registry.Answer] = {}
        self.asked: list[tuple] = []
        self.error: SdcError | None = None

    def fetch(self, server, repository, what, caller, accept="*/*"):
        self.asked.append((server, repository, what, caller))
        if self.error:
            raise self.error
        if what not in self.content:
            raise SdcError("registry", 404, "ResourceNotFound", "manifest unknown: manifest unknown")
        return self.content[what]

    def search(self, server, term, limit, caller):
        self.asked.append((server, term, limit, caller))
        if self.error:
            raise self.error
        return RESULTS


@pytest.fixture
def shelf(monkeypatch):
    shelf = Shelf()
    monkeypatch.setattr(registry, "fetch", shelf.fetch)
    monkeypatch.setattr(registry, "search", shelf.search)
    return shelf


@pytest.fixture
def ask(world):
    def make(operation="distribution.inspect", **more):
        call = world.call(operation=operation, **more)
        call.services = SimpleNamespace(urls=["http://127.0.0.1:18004"])
        return call

    return make


def test_an_index_lists_its_platforms(shelf, ask):
    platforms = [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm", "os": "linux", "variant": "v7"}]
    body = json.dumps({"mediaType": INDEX, "manifests": [{"platform": item} for item in platforms]}).encode()
    shelf.content["manifests/latest"] = registry.Answer(INDEX, body)
    call = ask(headers={"x-registry-auth": registry_auth(username="bob", password="secret")})
    assert registries.inspect(call, "busybox") == {
        "Descriptor": {"mediaType": INDEX, "digest": sha256(body), "size": len(body)},
        "Platforms": platforms,
    }
    server, repository, _, caller = shelf.asked[0]
    assert (server, repository, caller.auth) == ("docker.io", "library/busybox", ("bob", "secret"))
    assert caller.closed("http://localhost:18004/images")
    assert not caller.closed("https://registry-1.docker.io/v2/")


def test_a_manifest_s_platform_is_its_config_s(shelf, ask):
    body = json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:c"}, "layers": []}).encode()
    shelf.content["manifests/v1"] = registry.Answer(f"{DOCKER}; charset=utf-8", body)
    found = registries.inspect(ask(), "reg:5000/app:v1")
    assert (found["Descriptor"]["mediaType"], found["Platforms"]) == (DOCKER, [])
    config = {"architecture": "arm64", "os": "linux", "variant": "v8", "config": {}}
    shelf.content["blobs/sha256:c"] = registry.Answer("", json.dumps(config).encode())
    found = registries.inspect(ask(), "reg:5000/app:v1")
    assert found["Platforms"] == [{"architecture": "arm64", "os": "linux", "variant": "v8"}]


def test_a_digest_must_be_that_of_what_came(shelf, ask):
    digest = f"sha256:{'a' * 64}"
    shelf.content[f"manifests/{digest}"] = registry.Answer(DOCKER, b"{}")
    with pytest.raises(InternalError, match="verification failed"):
        registries.inspect(ask(), f"reg:5000/app@{digest}")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (SdcError("registry", 404, "ResourceNotFound", "manifest unknown: x"), NotFound, "manifest unknown"),
        (SdcError("registry", 401, "Unauthorized", "denied: not yours"), Unauthorized, "denied"),
        (SdcError("registry", 502, "RemoteSourceError", "odd"), InternalError, "odd"),
        (SdcUnavailable("registry", 503, "RemoteSourceError", "dial 10.0.0.1"), InternalError, "could not be reached"),
    ],
)
def test_refusals(shelf, ask, error, kind, words):
    shelf.error = error
    with pytest.raises(kind, match=words):
        registries.inspect(ask(), "reg:5000/app:v1")


@pytest.mark.parametrize("body", [b'{"config":"x"}', b'{"manifests":["x",1]}', b"{}"])
def test_strange_manifests_have_no_platforms(shelf, ask, body):
    shelf.content["manifests/latest"] = registry.Answer("", body)
    assert registries.inspect(ask(), "busybox")["Platforms"] == []


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_what_is_no_manifest_is_said(shelf, ask, body):
    shelf.content["manifests/latest"] = registry.Answer("", body)
    with pytest.raises(InternalError, match="not valid"):
        registries.inspect(ask(), "busybox")


def found(ask, term="busybox", limit="", **filters):
    text = json.dumps({key.replace("_", "-"): [value] for key, value in filters.items()})
    return [item["name"] for item in registries.search(ask("image.search", filters=text), term, limit)]


def test_search(shelf, ask):
    assert registries.search(ask("image.search"), "busybox", "")[0] == {
        "name": "busybox",
        "description": "small",
        "star_count": 3000,
        "is_official": True,
        "is_automated": False,
    }
    assert found(ask, is_official="true") == found(ask, stars="3000") == ["busybox"]
    assert found(ask, is_official="false") == ["other/busybox"]
    assert found(ask, is_automated="true") == []
    assert found(ask, limit="1") == ["busybox"]


@pytest.mark.parametrize(
    ("term", "index", "rest"),
    [
        ("library/busybox", "docker.io", "busybox"),
        ("team/app", "docker.io", "team/app"),
        ("reg.example/team/app", "reg.example", "team/app"),
        ("localhost/app", "localhost", "app"),
        ("reg:5000/app", "reg:5000", "app"),
    ],
)
def test_whose_index_is_searched(shelf, ask, term, index, rest):
    found(ask, term)
    assert shelf.asked[0][:3] == (index, rest, 25)


@pytest.mark.parametrize(
    "question",
    [
        {"term": ""},
        {"term": "http://x/y"},
        {"limit": "101"},
        {"limit": "-1"},
        {"stars": "many"},
        {"is_official": "perhaps"},
        {"colour": "red"},
    ],
)
def test_bad_questions(shelf, ask, question):
    with pytest.raises(InvalidParameter):
        found(ask, **question)


def test_registries_without_an_index(shelf, ask):
    shelf.error = SdcError("registry", 404, "ResourceNotFound", "404 page not found")
    with pytest.raises(NotFound, match="registry reg:5000 cannot be searched"):
        found(ask, "reg:5000/app")

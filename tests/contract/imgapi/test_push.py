"""Pushes to a real docker-registry: what arrives is, byte for byte, what was pulled."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import token_server
from docker_registry import BINARY, HTPASSWD, PASSWORD, USER, publish, run
from fake_registry import tar_of
from pull_lines import auth, created, error_of, refusal, statuses

from grammars.dockerids import short

pytestmark = pytest.mark.skipif(BINARY is None, reason="docker-registry is not installed")

Push = Callable[..., list[dict]]
ADMIN = "930896af-bf8c-48d4-885c-6573a94b1853"


@pytest.fixture
def registry(tmp_path: Path):
    with run(tmp_path) as host:
        yield host


@pytest.fixture
def push(client) -> Push:
    """Push what a pull's line described; the lines of IMGAPI's answer."""

    def send(line: dict, name: str, headers: dict[str, str] | None = None, **more: object) -> list[dict]:
        reply = client.post(
            f"/images/{line['image_uuid']}/push",
            query_string={"repoAndTag": name},
            data=json.dumps({**line, **more}),  # Flask's own way would sort the fields
            content_type="application/json",
            headers={"x-request-id": "a" * 8, **(headers or {})},
        )
        assert reply.status_code == 200, reply.text
        return [json.loads(text) for text in reply.data.split(b"\r\n")[:-1]]

    return send


@pytest.fixture
def image(registry: str, pull) -> dict:
    """An image of two layers that was pulled from the registry."""
    publish(registry, "team/app", [tar_of(big=os.urandom(1_500_000)), tar_of(small=b"2")])
    return created(pull(f"{registry}/team/app"))


def layers(line: dict) -> list[str]:
    return [layer["digest"] for layer in json.loads(line["manifest_str"])["layers"]]


def manifest(host: str, repo: str, tag: str) -> requests.Response:
    kinds = {"Accept": json_kinds()}
    return requests.get(f"http://{host}/v2/{repo}/manifests/{tag}", headers=kinds, timeout=10)


def json_kinds() -> str:
    return "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def elsewhere(tmp_path: Path):
    """Another, empty registry."""
    (tmp_path / "other").mkdir()
    with run(tmp_path / "other") as host:
        yield host


def test_push_to_an_empty_registry(elsewhere: str, push: Push, image: dict) -> None:
    lines = push(image, f"{elsewhere}/new/app:v1")
    big, small = layers(image)
    assert {line["id"] for line in lines} == {"a" * 8}
    assert statuses(lines, small) == ["Preparing", "Pushing", "Pushed"]
    assert statuses(lines, big) == ["Preparing", "Pushing", "Pushing", "Pushing", "Pushed"]
    details = [
        line["payload"]["progressDetail"]
        for line in lines
        if line["payload"].get("id") == short(big) and line["payload"]["status"] == "Pushing"
    ]
    size = json.loads(image["manifest_str"])["layers"][0]["size"]
    assert [detail["total"] for detail in details] == [size] * 3
    assert 512 * 1024 <= details[1]["current"] < details[2]["current"] <= size
    told = len(image["manifest_str"])
    assert lines[-2]["payload"] == {"status": f"v1: digest: {image['manifest_digest']} size: {told}"}
    aux = {"Tag": "v1", "Digest": image["manifest_digest"], "Size": told}
    assert (lines[-1]["type"], lines[-1]["payload"]) == ("progress", {"progressDetail": {}, "aux": aux})
    stored = manifest(elsewhere, "new/app", "v1")
    assert stored.text == image["manifest_str"]
    assert stored.headers["Docker-Content-Digest"] == image["manifest_digest"]


def test_what_was_pushed_is_pulled_as_the_same_image(elsewhere: str, push: Push, pull, image: dict, client) -> None:
    push(image, f"{elsewhere}/new/app")
    for layer in [line["uuid"] for line in reversed(client.get("/images?sort=published_at").json)]:
        assert client.delete(f"/images/{layer}").status_code == 204
    again = created(pull(f"{elsewhere}/new/app"))
    same = ("config_digest", "manifest_digest", "manifest_str", "image_uuid", "image")
    assert {key: again[key] for key in same} == {key: image[key] for key in same}


def test_layers_that_are_there_stay_where_they_are(registry: str, push: Push, image: dict) -> None:
    lines = push(image, f"{registry}/team/app:again")
    for digest in layers(image):
        assert statuses(lines, digest) == ["Preparing", "Layer already exists"]
    assert manifest(registry, "team/app", "again").text == image["manifest_str"]


def test_layers_are_mounted_from_repositories_that_the_pusher_knows(registry: str, push: Push, image: dict) -> None:
    lines = push(image, f"{registry}/other/name:v1", sources=["busybox", f"{registry}/team/app"])
    for digest in layers(image):
        assert statuses(lines, digest) == ["Preparing", "Mounted from team/app"]
    assert manifest(registry, "other/name", "v1").text == image["manifest_str"]


def test_a_source_that_has_nothing_is_no_hindrance(registry: str, push: Push, image: dict) -> None:
    lines = push(image, f"{registry}/other/name:v1", sources=[f"{registry}/no/such"])
    assert statuses(lines, layers(image)[1]) == ["Preparing", "Pushing", "Pushed"]
    assert manifest(registry, "other/name", "v1").text == image["manifest_str"]


def test_oci_manifests_keep_their_type(registry: str, fake, push: Push, pull) -> None:
    published = fake.image("oci/app", kind="application/vnd.oci.image.manifest.v1+json")
    push(created(pull(f"{fake.host}/oci/app")), f"{registry}/oci/app")
    stored = manifest(registry, "oci/app", "latest")
    assert stored.content == published.text
    assert stored.headers["Content-Type"] == "application/vnd.oci.image.manifest.v1+json"


def test_configs_in_any_form_keep_their_digest(registry: str, fake, push: Push, pull) -> None:
    fake.image("odd/app", indent=2)
    line = created(pull(f"{fake.host}/odd/app"))
    assert json.loads(line["config_str"]) == line["image"]
    push(line, f"{registry}/odd/app")
    stored = requests.get(f"http://{registry}/v2/odd/app/blobs/{line['config_digest']}", timeout=10)
    assert stored.text == line["config_str"]


def test_basic_credentials(tmp_path: Path, push: Push, image: dict) -> None:
    (tmp_path / "locked").mkdir()
    secrets = tmp_path / "htpasswd"
    secrets.write_text(HTPASSWD)
    with run(tmp_path / "locked", auth={"htpasswd": {"realm": "locked", "path": str(secrets)}}) as host:
        name = f"{host}/team/app:v1"
        refused = ("UnauthorizedError", "unauthorized: authentication required")
        assert error_of(push(image, name)) == refused
        assert error_of(push(image, name, auth(username=USER, password="wrong"))) == refused
        lines = push(image, name, auth(username=USER, password=PASSWORD))
        assert lines[-1]["payload"]["aux"]["Tag"] == "v1"


def test_tokens(tmp_path: Path, push: Push, image: dict) -> None:
    (tmp_path / "locked").mkdir()
    with token_server.serve(tmp_path) as (tokens, section), run(tmp_path / "locked", auth=section) as host:
        name = f"{host}/team/app:v1"
        assert error_of(push(image, name))[0] == "UnauthorizedError"
        tokens.scopes.clear()
        lines = push(image, name, auth(username=USER, password=PASSWORD))
        assert lines[-1]["payload"]["aux"]["Tag"] == "v1"
        assert set(tokens.scopes) == {"repository:team/app:pull,push"}
        known = [f"{host}/team/app"]
        lines = push(image, f"{host}/new/app:v2", auth(username=USER, password=PASSWORD), sources=known)
        assert statuses(lines, layers(image)[0]) == ["Preparing", "Mounted from team/app"]


def test_registries_out_of_reach(push: Push, image: dict) -> None:
    lines = push(image, "127.0.0.1:1/app:v1")
    assert error_of(lines) == ("RemoteSourceError", "dial tcp 127.0.0.1:1: connect: connection refused")
    assert len(lines) == 1


def test_records_that_contradict_themselves(client, image: dict, registry: str) -> None:
    def ask(uuid: str = image["image_uuid"], name: str = f"{registry}/x:v1", **changes: object) -> tuple[int, str]:
        body = {**image, **changes}
        return refusal(client.post(f"/images/{uuid}/push", query_string={"repoAndTag": name}, json=body))

    base = client.get(f"/images/{image['image_uuid']}").json["origin"]
    assert ask(uuid=base) == (422, "ValidationFailed")
    assert ask(uuid="4" * 8 + "-4444" * 3 + "-" + "4" * 12) == (404, "ResourceNotFound")
    assert ask(name="x/UPPER") == (422, "ValidationFailed")
    assert ask(name=f"{registry}/x@sha256:{'a' * 64}") == (422, "ValidationFailed")
    assert ask(manifest_str="{}") == (422, "ValidationFailed")
    assert ask(config_digest="sha256:" + "a" * 64) == (422, "ValidationFailed")
    assert ask(config_str="{}") == (422, "ValidationFailed")
    assert ask(image={"os": "linux"}, config_str="") == (422, "ValidationFailed")
    assert requests.get(f"http://{registry}/v2/_catalog", timeout=10).json() == {"repositories": ["team/app"]}


def test_operators_only(client, image: dict) -> None:
    path = f"/images/{image['image_uuid']}/push"
    reply = client.post(path, query_string={"repoAndTag": "x", "account": ADMIN}, json=image)
    assert refusal(reply) == (403, "OperatorOnly")

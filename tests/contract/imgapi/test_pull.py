"""import-docker-image against a registry that does as told."""

from __future__ import annotations

import gzip
import json
import os

import gevent
import pytest
from fake_registry import DOCKER_LIST, OCI, OCI_INDEX, digest_of, tar_of
from pull_lines import created, error_of, statuses

from datacenter.images.manifests import machine
from datacenter.services.imgapi.pulls import Pull
from grammars.dockerids import layer_uuids, short
from grammars.references import parse

ADMIN = "930896af-bf8c-48d4-885c-6573a94b1853"


def test_the_whole_stream(fake, client, imgapi) -> None:
    image = fake.image("test/hello")
    repo = f"{fake.host}/test/hello"
    reply = client.post(
        f"/images?action=import-docker-image&tag=latest&repo={repo}&public=false", headers={"x-request-id": "r1"}
    )
    lines = [json.loads(line) for line in reply.data.split(b"\r\n")[:-1]]
    one, two = (short(digest) for digest in image.layers)
    uuids = layer_uuids(image.layers)

    def progress(layer: str, status: str) -> dict:
        return {"type": "progress", "payload": {"id": layer, "status": status}, "id": repo}

    def status(**payload: object) -> dict:
        return {"type": "status", "payload": payload, "id": repo}

    assert reply.content_type == "application/json"
    complete = [progress(one, "Download complete"), progress(two, "Download complete")]
    assert [line for line in lines if line not in complete] == [  # they stand somewhere before their activation
        status(status=f"latest: Pulling from {repo} (req r1)"),
        status(id=one, progressDetail={}, status="Pulling fs layer"),
        status(id=two, progressDetail={}, status="Pulling fs layer"),
        progress(one, "Pulling fs layer"),
        progress(two, "Pulling fs layer"),
        progress(one, "Activating image"),
        progress(one, "Pull complete"),
        progress(two, "Activating image"),
        progress(two, "Pull complete"),
        {
            "type": "create-docker-image",
            "config_digest": digest_of(image.config),
            "head": True,
            "image": json.loads(image.config),
            "image_uuid": uuids[-1],
            "manifest_digest": image.digest,
            "manifest_str": image.text.decode(),
            "size": sum(len(fake.blobs[digest]) for digest in image.layers),
            "dockerImageVersion": "2.2",
            "id": repo,
        },
        status(status=f"Digest: {image.digest}"),
        status(status=f"Status: Downloaded newer image for {repo}:latest"),
    ]
    for digest in image.layers:
        assert statuses(lines, digest) == ["Pulling fs layer", "Download complete", "Activating image", "Pull complete"]

    top = client.get(f"/images/{uuids[1]}").json
    assert top["origin"] == uuids[0]
    assert top["owner"] == ADMIN
    assert (top["state"], top["type"], top["os"], top["public"]) == ("active", "docker", "linux", False)
    assert (top["name"], top["version"], top["description"]) == ("docker-layer", two, "step 1")
    assert top["tags"]["docker:id"] == image.layers[1]
    assert top["tags"]["docker:config"] == {"Cmd": ["/bin/hello"], "Entrypoint": None, "Env": None, "WorkingDir": None}
    assert top["files"] == [
        {"sha1": top["files"][0]["sha1"], "size": len(fake.blobs[image.layers[1]]), "compression": "gzip"}
    ]
    path, compression = imgapi.file(uuids[1])
    assert (path.read_bytes(), compression) == (fake.blobs[image.layers[1]], "gzip")
    assert "origin" not in client.get(f"/images/{uuids[0]}").json


def test_a_second_pull_downloads_nothing(fake, pull) -> None:
    image = fake.image("x")
    first = created(pull(f"{fake.host}/x"))
    lines = pull(f"{fake.host}/x")
    assert created(lines) == first
    assert [statuses(lines, digest) for digest in image.layers] == [["Already exists"]] * 2
    assert lines[-1]["payload"]["status"] == f"Status: Image is up to date for {fake.host}/x:latest"
    assert [fake.count(digest) for digest in image.layers] == [1, 1]


def test_the_same_bytes_in_another_chain_are_not_downloaded_again(fake, pull) -> None:
    base, shared = tar_of(a=b"1"), tar_of(b=b"2")
    fake.image("one", layers=[base, shared])
    image = fake.image("two", layers=[shared])
    pull(f"{fake.host}/one")
    lines = pull(f"{fake.host}/two")
    assert statuses(lines, image.layers[0])[1] == "Download complete (cached)"
    assert created(lines)["image_uuid"] == layer_uuids(image.layers)[0]
    assert fake.count(image.layers[0]) == 1


def test_a_wrong_claim_about_plain_bytes_only_costs_a_download(fake, pull, imgapi) -> None:
    shared = tar_of(b=b"2")
    fake.image("one", layers=[shared])
    image = fake.image("two", layers=[tar_of(a=b"1"), shared])
    uuid = created(pull(f"{fake.host}/one"))["image_uuid"]
    imgapi.update(uuid, {"files": [{"uncompressedDigest": digest_of(b"else")}]})
    assert created(pull(f"{fake.host}/two"))
    assert fake.count(image.layers[1]) == 2


def test_pull_by_digest(fake, pull) -> None:
    image = fake.image("x", kind=OCI)
    lines = pull(f"{fake.host}/x", digest=image.digest)
    assert created(lines)["manifest_digest"] == image.digest
    assert lines[-1]["payload"]["status"] == f"Status: Downloaded newer image for {fake.host}/x@{image.digest}"


@pytest.mark.parametrize("kind", [DOCKER_LIST, OCI_INDEX])
def test_an_index_gives_this_machines_image_and_its_own_digest(fake, pull, kind: str) -> None:
    mine, foreign = (
        fake.image("x", "mine", layers=[tar_of(a=b"mine")]),
        fake.image("x", "foreign", layers=[tar_of(a=b"no")]),
    )

    def entry(image, **platform: str) -> dict:
        return {"mediaType": OCI, "digest": image.digest, "size": len(image.text), "platform": platform}

    body = {
        "schemaVersion": 2,
        "mediaType": kind,
        "manifests": [
            entry(foreign, os="linux", architecture="s390x"),
            entry(foreign, os="windows", architecture=machine().architecture),
            entry(foreign, os="unknown", architecture="unknown"),
            entry(mine, os="linux", architecture=machine().architecture),
        ],
    }
    digest, _ = fake.manifest("x", "latest", kind, body)
    line = created(pull(f"{fake.host}/x"))
    assert line["manifest_digest"] == digest
    assert line["manifest_str"] == mine.text.decode()
    assert created(pull(f"{fake.host}/x", digest=digest)) == line


def test_downloading_is_told_each_half_mebibyte(fake, pull) -> None:
    image = fake.image("x", layers=[tar_of(a=os.urandom(1_500_000))])
    details = [
        line["payload"]["progressDetail"]
        for line in pull(f"{fake.host}/x")
        if line.get("payload", {}).get("status") == "Downloading"
    ]
    total = len(fake.blobs[image.layers[0]])
    assert [detail["current"] for detail in details] == [524288, 1048576]
    assert {detail["total"] for detail in details} == {total}


@pytest.mark.parametrize(("ranges", "answers"), [(True, 3), (False, 3)])
def test_a_broken_transfer_goes_on(fake, pull, imgapi, ranges: bool, answers: int) -> None:
    fake.ranges = ranges
    image = fake.image("x", layers=[tar_of(a=os.urandom(600_000))])
    fake.cuts[image.layers[0]] = 2
    line = created(pull(f"{fake.host}/x"))
    assert imgapi.file(line["image_uuid"])[0].read_bytes() == fake.blobs[image.layers[0]]
    assert fake.count(image.layers[0]) == answers


def test_a_transfer_that_always_breaks(fake, pull, client, dc) -> None:
    image = fake.image("x", layers=[tar_of(a=os.urandom(600_000))])
    fake.cuts[image.layers[0]] = 99
    fake.ranges = False
    code, message = error_of(pull(f"{fake.host}/x"))
    assert (code, message) == ("RemoteSourceError", f"connection to {fake.host} failed")
    assert client.get("/images?state=all").json == []
    gevent.sleep(0)
    assert list((dc.settings.state / "images" / "incoming").iterdir()) == []


def test_a_layer_with_other_bytes_is_refused(fake, pull, client) -> None:
    image = fake.image("x")
    fake.blobs[image.layers[1]] = fake.blobs[image.layers[1]][:-1] + b"X"
    assert error_of(pull(f"{fake.host}/x")) == (
        "Download",
        f"filesystem layer verification failed for digest {image.layers[1]}",
    )
    assert [found["uuid"] for found in client.get("/images").json] == layer_uuids(image.layers)[:1]


@pytest.mark.parametrize("change", [lambda data: data + b"more", lambda data: data[:-1]])
def test_a_layer_of_another_size_is_refused(fake, pull, change) -> None:
    image = fake.image("x")
    fake.blobs[image.layers[0]] = change(fake.blobs[image.layers[0]])
    assert error_of(pull(f"{fake.host}/x"))[0] == "Download"


def test_a_layer_whose_plain_bytes_are_others_is_refused(fake, pull, client) -> None:
    fake.image("x", layers=[tar_of(a=b"1")], rootfs={"type": "layers", "diff_ids": [digest_of(b"else")]})
    code, message = error_of(pull(f"{fake.host}/x"))
    assert code == "Download"
    assert message.startswith("wrong diff id calculated on extraction")
    assert client.get("/images?state=all").json == []


def test_a_layer_that_is_no_gzip_is_refused(fake, pull) -> None:
    image = fake.image("x", layers=[tar_of(a=b"1")])
    bad = gzip.compress(b"1" * 500)[:-6]
    body = json.loads(image.text)
    body["layers"] = [{**body["layers"][0], "size": len(bad), "digest": fake.blob(bad)}]
    fake.manifest("x", "latest", body["mediaType"], body)
    assert error_of(pull(f"{fake.host}/x"))[0] == "Download"


def test_a_manifest_or_config_with_another_digest_is_refused(fake, pull) -> None:
    image = fake.image("x")
    fake.manifests["x", image.digest] = (OCI, image.text + b" ")
    assert error_of(pull(f"{fake.host}/x", digest=image.digest)) == (
        "Download",
        f"manifest verification failed for digest {image.digest}",
    )
    config = digest_of(image.config)
    fake.blobs[config] = b"{}"
    assert error_of(pull(f"{fake.host}/x")) == ("Download", f"image config verification failed for digest {config}")


def test_what_is_not_there(fake, client) -> None:
    fake.image("x")
    query = {"action": "import-docker-image", "repo": f"{fake.host}/nope", "tag": "latest"}
    reply = client.post("/images", query_string=query)
    assert reply.status_code == 200
    assert "Content-Type" not in reply.headers
    assert json.loads(reply.data) == {
        "type": "error",
        "id": f"{fake.host}/nope",
        "error": {"code": "ResourceNotFound", "message": "manifest unknown: manifest unknown"},
    }


@pytest.mark.parametrize(("name", "tag"), [("test/nope", "latest"), ("test/hello", "nosuchtag")])
def test_what_a_registry_says_no_word_of(fake, client, name: str, tag: str) -> None:
    """The whole answer, as it was captured of a registry whose 404 has no body."""
    fake.image("test/hello")
    fake.silent = True
    query = {"action": "import-docker-image", "repo": f"{fake.host}/{name}", "tag": tag, "public": "false"}
    reply = client.post("/images", query_string=query)
    line = '{"type":"error","id":"%s","error":{"code":"ResourceNotFound","message":"NotFoundError"}}\r\n'
    assert (reply.status_code, reply.text) == (200, line % f"{fake.host}/{name}")
    assert "Content-Type" not in reply.headers


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", {"schemaVersion": 1}, "NotImplemented"),
        (OCI, {"schemaVersion": 2}, "NotImplemented"),
        (OCI_INDEX, {"schemaVersion": 2, "manifests": []}, "ResourceNotFound"),
        (OCI, [], "Download"),
    ],
)
def test_manifests_we_do_not_take(fake, pull, kind: str, body: object, code: str) -> None:
    fake.manifest("x", "latest", kind, body)
    assert error_of(pull(f"{fake.host}/x"))[0] == code


def test_images_for_other_systems_are_refused(fake, pull) -> None:
    fake.image("x", os="windows")
    assert error_of(pull(f"{fake.host}/x")) == (
        "NotImplemented",
        'image operating system "windows" cannot be used on this platform',
    )


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("repo=x", 422, "ValidationFailed"),
        ("repo=x&tag=a&digest=sha256:" + "a" * 64, 422, "ValidationFailed"),
        ("tag=latest", 422, "ValidationFailed"),
        ("repo=X&tag=latest", 422, "ValidationFailed"),
        ("repo=x&digest=sha256:short", 422, "ValidationFailed"),
        ("repo=x&tag=latest&account=" + ADMIN, 403, "OperatorOnly"),
    ],
)
def test_bad_requests(client, query: str, status: int, code: str) -> None:
    reply = client.post(f"/images?action=import-docker-image&{query}")
    assert (reply.status_code, reply.json["code"]) == (status, code)


def test_concurrent_pulls_share_downloads(fake, imgapi) -> None:
    image = fake.image("x", layers=[tar_of(a=os.urandom(2_000_000)), tar_of(b=b"2")])

    def run() -> list[dict]:
        return list(Pull(imgapi, parse(f"{fake.host}/x:latest"), None, "r").lines())

    pulls = [gevent.spawn(run) for _ in range(4)]
    gevent.joinall(pulls, raise_error=True)
    assert len({created(job.value)["image_uuid"] for job in pulls}) == 1
    assert [fake.count(digest) for digest in image.layers] == [1, 1]


def test_another_registrys_failure_is_not_ours(fake, other, imgapi) -> None:
    layers = [tar_of(a=os.urandom(2_000_000))]
    image = fake.image("x", layers=layers)
    other.image("x", layers=layers)
    fake.cuts[image.layers[0]] = 99
    fake.ranges = False

    def run(registry) -> list[dict]:
        return list(Pull(imgapi, parse(f"{registry.host}/x:latest"), None, "r").lines())

    bad, good = gevent.spawn(run, fake), gevent.spawn(run, other)
    gevent.joinall([bad, good], raise_error=True)
    assert error_of(bad.value)[0] == "RemoteSourceError"
    assert created(good.value)


def test_a_pull_goes_on_when_its_listener_leaves(fake, imgapi, dc) -> None:
    image = fake.image("x", layers=[tar_of(a=os.urandom(2_000_000))])
    lines = Pull(imgapi, parse(f"{fake.host}/x:latest"), None, "r").lines()
    next(lines)
    lines.close()
    uuid = layer_uuids(image.layers)[0]
    with gevent.Timeout(30):
        while imgapi.get(uuid) is None or any((dc.settings.state / "images" / "incoming").iterdir()):
            gevent.sleep(0.01)
    assert imgapi.file(uuid)[0].read_bytes() == fake.blobs[image.layers[0]]


def test_a_name_taken_by_other_bytes_is_not_taken_for_the_layer(fake, pull, client) -> None:
    image = fake.image("x", layers=[tar_of(a=b"1")])
    uuid = layer_uuids(image.layers)[0]
    fields = {"uuid": uuid, "owner": ADMIN, "name": "docker-layer", "version": "1", "type": "docker", "os": "linux"}
    assert client.post(f"/images/{uuid}?action=import", json=fields).status_code == 200
    assert client.put(f"/images/{uuid}/file?compression=none", data=b"evil").status_code == 200
    assert client.post(f"/images/{uuid}?action=activate").status_code == 200
    assert created(pull(f"{fake.host}/x"))["image_uuid"] == uuid
    assert client.get(f"/images/{uuid}/file").data == fake.blobs[image.layers[0]]

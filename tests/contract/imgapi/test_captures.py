"""The embedded IMGAPI beside captures of the real one: same codes, same bodies, same order of fields."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

UUID = "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b"
SCRATCH = "b4a96f09-026d-7abb-7aa3-bc2cfa5c5826"
ADMIN = "930896af-bf8c-48d4-885c-6573a94b1853"
MANIFEST = {
    "v": 2,
    "uuid": UUID,
    "owner": ADMIN,
    "name": "base-64-lts",
    "version": "16.4.1",
    "state": "active",
    "disabled": False,
    "public": True,
    "published_at": "2017-04-03T10:21:42Z",
    "type": "zone-dataset",
    "os": "smartos",
    "files": [{"sha1": "da39a3ee5e6b4b0d3255bfef95601890afd80709", "size": 4, "compression": "none"}],
    "description": "x",
    "tags": {"role": "os"},
}
FILE = {"sha1": "81fe8bfe87576c3ecb22426f8e57847382917acf", "size": 4, "compression": "none"}
# A gzip of an empty archive: the layer on which docker builds begin.
SCRATCH_FILE = bytes.fromhex("1f8b080000096e88 00ff621805a360148c5800080000ffff2eafb5ef00040000".replace(" ", ""))
SCRATCH_DIGEST = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"
SCRATCH_DIFF_ID = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


@pytest.fixture
def active(client):
    """The image of the captures, imported, filled and activated."""
    client.post(f"/images/{UUID}?action=import&skip_owner_check=true", json=MANIFEST)
    client.put(f"/images/{UUID}/file?compression=none", data=b"abcd")
    client.post(f"/images/{UUID}?action=activate", json={})
    return UUID


def raw(reply) -> dict:
    """The body with its fields' order kept."""
    return msgspec.json.decode(reply.data)


def test_ping(client) -> None:
    reply = client.get("/ping")
    assert reply.status_code == 200
    assert reply.headers["Server"] == "imgapi/4.13.1"
    body = raw(reply)
    assert list(body) == ["ping", "version", "imgapi", "pid"]
    assert (body["ping"], body["imgapi"]) == ("pong", True)


def test_nothing_there(client) -> None:
    assert raw(client.get("/images")) == []
    reply = client.get(f"/images/{UUID}")
    assert reply.status_code == 404
    assert raw(reply) == {"code": "ResourceNotFound", "message": f"image {UUID} not found"}


def test_from_import_to_active(client) -> None:
    reply = client.post(f"/images/{UUID}?action=import&skip_owner_check=true", json=MANIFEST)
    expected = {**MANIFEST, "state": "unactivated", "files": []}
    assert (reply.status_code, raw(reply), list(raw(reply))) == (200, expected, list(expected))
    assert raw(client.get("/images")) == []

    reply = client.put(f"/images/{UUID}/file?compression=none", data=b"abcd", content_type="application/octet-stream")
    assert (reply.status_code, raw(reply)) == (200, {**expected, "files": [FILE]})

    reply = client.post(f"/images/{UUID}?action=activate", json={})
    expected = {**expected, "state": "active", "files": [FILE]}
    assert (reply.status_code, raw(reply), list(raw(reply))) == (200, expected, list(expected))
    assert raw(client.get(f"/images/{UUID}")) == expected
    assert raw(client.get("/images?name=base-64-lts")) == [expected]
    assert client.get(f"/images/{UUID}").headers["ETag"] == reply.headers["ETag"]
    assert len(reply.headers["ETag"]) == 40


def test_missing_fields(client) -> None:
    reply = client.post("/images", json={"name": "x", "owner": "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"})
    assert reply.status_code == 422
    assert raw(reply) == {
        "code": "ValidationFailed",
        "message": "invalid image data: version, type, os",
        "errors": [{"field": field, "code": "MissingParameter"} for field in ("version", "type", "os")],
    }


def test_update(client, active: str) -> None:
    before = client.get(f"/images/{active}").headers["ETag"]
    reply = client.post(f"/images/{active}?action=update", json={"description": "y"})
    assert (reply.status_code, raw(reply)["description"]) == (200, "y")
    assert reply.headers["ETag"] != before


def test_the_scratch_layer_as_sdc_docker_makes_it(client, imgapi) -> None:
    """Its owner is the zero uuid, its gzip goes by the name of ``none``, its digests come afterwards."""
    fields = {
        "v": 2,
        "uuid": SCRATCH,
        "owner": "00000000-0000-0000-0000-000000000000",
        "name": "docker-layer",
        "version": "a3ed95caeb02",
        "disabled": False,
        "public": False,
        "published_at": "2016-11-09T12:00:00.000Z",
        "type": "docker",
        "os": "linux",
        "description": "",
        "tags": {"docker:id": SCRATCH_DIGEST, "docker:config": {"Cmd": None}},
    }
    reply = client.post(f"/images/{SCRATCH}?action=import", json=fields)
    expected = {**fields, "owner": ADMIN, "state": "unactivated", "files": []}
    del expected["description"]
    assert (reply.status_code, raw(reply)) == (200, expected)

    assert hashlib.sha256(SCRATCH_FILE).hexdigest() == SCRATCH_DIGEST[7:]
    reply = client.put(f"/images/{SCRATCH}/file?compression=none", data=SCRATCH_FILE)
    file = {"sha1": "96e379fb98bd1b401c6ee52230c11d38251572cf", "size": 32, "compression": "none"}
    etag = reply.headers["ETag"]
    assert raw(reply)["files"] == [file]

    digests = {**file, "digest": SCRATCH_DIGEST, "uncompressedDigest": SCRATCH_DIFF_ID}
    reply = client.post(f"/images/{SCRATCH}?action=update", json={"files": [digests]})
    assert (reply.status_code, raw(reply)["files"], reply.headers["ETag"]) == (200, [file], etag)

    assert client.post(f"/images/{SCRATCH}?action=activate").status_code == 200
    assert imgapi.file(SCRATCH)[0].read_bytes() == SCRATCH_FILE

"""Images by hand: states, files, lists, refusals, and what a restart finds."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import uuid

from pull_lines import refusal

from grammars.dockerids import layer_uuid

ADMIN = "930896af-bf8c-48d4-885c-6573a94b1853"
ALICE = "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"
BOB = "6d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_create_chooses_the_uuid(client) -> None:
    fields = {"name": "n", "version": "1", "type": "other", "os": "other", "owner": ADMIN}
    image = client.post("/images", json=fields).json
    assert image["state"] == "unactivated"
    assert client.get(f"/images/{image['uuid']}").json == image
    assert refusal(client.post("/images", json={**fields, "owner": ALICE})) == (422, "OwnerDoesNotExist")
    assert refusal(client.post("/images", json={**fields, "owner": None})) == (422, "ValidationFailed")
    assert refusal(client.post("/images", json={**fields, "type": "floppy"})) == (422, "ValidationFailed")
    assert refusal(client.post("/images", data="{")) == (400, "InvalidContent")
    assert refusal(client.post("/images?action=dance", json=fields)) == (422, "InvalidParameter")


def test_import_refusals(client, make) -> None:
    image = make()
    fields = {"uuid": image, "name": "n", "version": "1", "type": "docker", "os": "linux"}
    assert refusal(client.post(f"/images/{image}?action=import", json=fields)) == (409, "ImageUuidAlreadyExists")
    other = str(uuid.uuid4())
    assert refusal(client.post(f"/images/{other}?action=import", json=fields)) == (422, "InvalidParameter")
    assert refusal(client.post("/images/../x?action=import", json=fields))[0] in (404, 422)
    fields = {**fields, "uuid": other, "owner": ALICE}
    assert refusal(client.post(f"/images/{other}?action=import", json=fields)) == (422, "OwnerDoesNotExist")
    fields = {**fields, "owner": ADMIN, "origin": str(uuid.uuid4())}
    assert refusal(client.post(f"/images/{other}?action=import", json=fields)) == (422, "OriginDoesNotExist")
    fields["origin"] = make(active=False)
    assert refusal(client.post(f"/images/{other}?action=import", json=fields)) == (422, "OriginIsNotActive")


def test_a_file_comes_back_with_its_md5(client, make) -> None:
    data = bytes(range(256)) * 4000
    image = make(data)
    reply = client.get(f"/images/{image}/file")
    assert reply.data == data
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.headers["Content-Length"] == str(len(data))
    assert reply.headers["Content-MD5"] == base64.b64encode(hashlib.md5(data).digest()).decode()
    assert client.head(f"/images/{image}/file").headers["Content-Length"] == str(len(data))


def test_an_upload_must_be_what_it_says(client, make, dc) -> None:
    image = make(active=False)
    url = f"/images/{image}/file"
    packed = gzip.compress(b"plain")
    assert refusal(client.put(url, data=packed)) == (422, "InvalidParameter")
    assert refusal(client.put(f"{url}?compression=rar", data=packed)) == (422, "InvalidParameter")
    for check in (f"sha1={'0' * 40}", f"digest={sha256(b'else')}", f"uncompressedDigest={sha256(b'else')}"):
        assert refusal(client.put(f"{url}?compression=gzip&{check}", data=packed)) == (400, "Upload")
    bad = f"{url}?compression=gzip&uncompressedDigest={sha256(b'plain')}"
    assert refusal(client.put(bad, data=packed[:-9])) == (400, "Upload")
    assert client.get(url).data == b"data"
    right = f"sha1={hashlib.sha1(packed).hexdigest()}&digest={sha256(packed)}&uncompressedDigest={sha256(b'plain')}"
    reply = client.put(f"{url}?compression=gzip&{right}", data=packed)
    assert reply.status_code == 200
    assert reply.json["files"] == [
        {"sha1": hashlib.sha1(packed).hexdigest(), "size": len(packed), "compression": "gzip"}
    ]
    assert client.get(url).data == packed
    assert list((dc.settings.state / "images" / "incoming").iterdir()) == []


class BreaksOff(io.BytesIO):
    """The input of a request whose client leaves midway, as gevent's server gives it."""

    def read(self, size=-1, /) -> bytes:
        raise OSError("unexpected end of file while reading request")


def test_an_upload_cut_short_changes_nothing(client, make, dc) -> None:
    image = make(b"data", active=False)
    server = {"wsgi.input_terminated": True}
    reply = client.put(
        f"/images/{image}/file?compression=none", input_stream=BreaksOff(), content_length=99, environ_base=server
    )
    assert refusal(reply) == (400, "Upload")
    assert client.get(f"/images/{image}/file").data == b"data"
    assert list((dc.settings.state / "images" / "incoming").iterdir()) == []


def test_an_active_image_is_fixed_but_the_same_upload_may_come_twice(client, make) -> None:
    image = make(b"data")
    url = f"/images/{image}/file?compression=none"
    assert refusal(client.put(url, data=b"else")) == (422, "ImageFilesImmutable")
    assert client.put(url, data=b"data").status_code == 200
    assert refusal(client.post(f"/images/{image}?action=activate")) == (422, "ImageAlreadyActivated")
    assert client.get(f"/images/{image}/file").data == b"data"


def test_activation_needs_a_file(client) -> None:
    fields = {"name": "n", "version": "1", "type": "other", "os": "other", "owner": ADMIN}
    image = client.post("/images", json=fields).json["uuid"]
    assert refusal(client.post(f"/images/{image}?action=activate")) == (422, "NoActivationNoFile")
    assert refusal(client.get(f"/images/{image}/file")) == (404, "ResourceNotFound")
    client.put(f"/images/{image}/file?compression=none", data=b"x")
    assert client.post(f"/images/{image}?action=activate").json["published_at"].endswith("Z")


def test_digests_of_an_update_must_not_contradict_the_bytes(client, make) -> None:
    image = make(b"data")
    url = f"/images/{image}?action=update"
    assert refusal(client.post(url, json={"files": [{"digest": sha256(b"else")}]})) == (422, "ValidationFailed")
    assert refusal(client.post(url, json={"files": []})) == (422, "ImageFilesImmutable")
    assert client.post(url, json={"files": [{"digest": sha256(b"data")}]}).status_code == 200
    assert refusal(client.post(url, json={"uuid": ALICE})) == (422, "ValidationFailed")
    assert refusal(client.post(url, json={"os": "plan9"})) == (422, "ValidationFailed")


def test_disabled_images_are_out_of_lists(client, make) -> None:
    image = make()
    assert client.post(f"/images/{image}?action=disable").json["state"] == "disabled"
    assert client.get("/images").json == []
    assert [found["uuid"] for found in client.get("/images?state=disabled").json] == [image]
    assert client.post(f"/images/{image}?action=enable").json["state"] == "active"


def test_not_modified(client, make) -> None:
    image = make()
    etag = client.get(f"/images/{image}").headers["ETag"]
    reply = client.get(f"/images/{image}", headers={"If-None-Match": etag})
    assert (reply.status_code, reply.data) == (304, b"")
    assert client.get(f"/images/{image}", headers={"If-None-Match": "else"}).status_code == 200


def test_delete_leaves_nothing(client, make, imgapi, dc) -> None:
    base = make()
    top = make(origin=base)
    assert refusal(client.delete(f"/images/{base}")) == (422, "ImageHasDependentImages")
    assert refusal(client.delete(f"/images/{top}?account={ALICE}")) == (404, "ResourceNotFound")
    for image in (top, base):
        reply = client.delete(f"/images/{image}")
        assert (reply.status_code, reply.data) == (204, b"")
        assert refusal(client.delete(f"/images/{image}")) == (404, "ResourceNotFound")
    assert imgapi.get(base) is None
    assert [entry.name for entry in (dc.settings.state / "images").iterdir()] == ["incoming"]


def test_who_sees_what(client, make) -> None:
    secret, shared = make(owner=ALICE), make(owner=ALICE, acl=[BOB])
    public = make(owner=ADMIN, public=True)

    def seen(account: str) -> set[str]:
        return {image["uuid"] for image in client.get(f"/images?account={account}").json}

    assert seen(ALICE) == {secret, shared, public}
    assert seen(BOB) == {shared, public}
    assert refusal(client.get(f"/images/{secret}?account={BOB}")) == (404, "ResourceNotFound")
    assert client.get(f"/images/{shared}?account={BOB}&channel=*").status_code == 200
    assert refusal(client.delete(f"/images/{public}?account={BOB}")) == (422, "NotImageOwner")


def test_list_filters(client, make) -> None:
    base = {"version": "1", "os": "smartos", "type": "zone-dataset", "tags": {"role": "os", "lts": True}}
    one = make(name="base-64-lts", published_at="2017-04-03T10:21:42Z", billing_tags=["gold"], **base)
    two = make(name="layer", published_at="2018-04-03T10:21:42Z", version="2")
    three = make(name="base-32", published_at="2019-04-03T10:21:42Z", owner=ALICE, active=False)

    def found(query: str) -> list[str]:
        return [image["uuid"] for image in client.get(f"/images?{query}").json]

    assert found("") == [one, two]
    assert found("state=all&sort=published_at.desc") == [three, two, one]
    assert found("state=unactivated") == [three]
    assert found("state=all&name=~base") == [one, three]
    assert (
        found("name=base-64-lts") == found("type=!docker") == found("type=zone-dataset") == found("os=smartos") == [one]
    )
    assert found("tag.role=os") == found("tag.lts=true") == found("billing_tag=gold") == [one]
    assert found("tag.role=db") == found("billing_tag=gold&billing_tag=silver") == []
    assert found("version=2") == found("type=docker") == [two]
    assert found(f"state=all&owner={ALICE}") == [three]
    assert found("public=true") == []
    assert found("limit=1") == [one]
    assert found(f"marker={two}") == found("marker=2018-01-01T00:00:00Z") == [two]
    admin = client.get("/images?limit=1&inclAdminFields=true").json
    assert admin[0]["files"][0]["stor"] == "local"
    for query in ("state=odd", "limit=0", "limit=x", "sort=name", "sort=a.b", "marker=soon", "account=x"):
        assert refusal(client.get(f"/images?{query}")) == (422, "InvalidParameter"), query
    assert refusal(client.get(f"/images?marker={ALICE}")) == (404, "ResourceNotFound")


def test_a_restart_keeps_what_was_answered_and_clears_what_was_not(client, make, dc) -> None:
    kept, filled = make(b"kept"), make(b"filled", active=False)
    images = dc.settings.state / "images"
    (images / "incoming" / "half").write_bytes(b"half a lay")
    orphan = images / layer_uuid(["sha256:" + "0" * 64])
    orphan.mkdir()
    (orphan / "file").write_bytes(b"linked, but its record was never written")

    imgapi = dc.restart()
    again = imgapi.app.test_client()
    assert again.get(f"/images/{kept}").json == client.get(f"/images/{kept}").json
    assert again.get(f"/images/{kept}/file").data == b"kept"
    assert again.post(f"/images/{filled}?action=activate").status_code == 200
    assert not orphan.exists()
    assert list((images / "incoming").iterdir()) == []

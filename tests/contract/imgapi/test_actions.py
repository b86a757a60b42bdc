"""What else is done with images: sharing, copies, icons, changes of unactivated ones; and every refusal's status."""

from __future__ import annotations

import uuid

import pytest
from pull_lines import refusal

from datacenter.services.imgapi.refusals import STATUSES

ADMIN = "930896af-bf8c-48d4-885c-6573a94b1853"
ALICE = "5d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"
BOB = "6d3e8ac6-2b41-4d4d-9f0d-3b6f0b6f2a11"
PNG = b"\x89PNG\r\n\x1a\n"


def seen(client, account: str) -> set[str]:
    return {image["uuid"] for image in client.get(f"/images?account={account}&state=all").json}


def test_sharing(client, make) -> None:
    image = make(owner=ALICE)
    url = f"/images/{image}/acl"
    assert client.post(url, json=[BOB, ADMIN, BOB]).json["acl"] == [BOB, ADMIN]
    assert client.post(f"{url}?action=add&account={ALICE}", json=[BOB]).json["acl"] == [BOB, ADMIN]
    assert seen(client, BOB) == {image}
    assert client.post(f"{url}?action=remove", json=[BOB]).json["acl"] == [ADMIN]
    assert seen(client, BOB) == set()
    assert refusal(client.post(f"{url}?account={BOB}", json=[BOB])) == (404, "ResourceNotFound")
    assert refusal(client.post(f"{url}?account={ADMIN}", json=[BOB])) == (422, "NotImageOwner")
    assert refusal(client.post(f"{url}?action=dance", json=[BOB])) == (422, "InvalidParameter")
    for body in ({"acl": [BOB]}, ["bob"], [BOB, 1]):
        assert refusal(client.post(url, json=body)) == (422, "InvalidParameter")


def test_what_is_not_activated_is_its_owners_alone(client, make) -> None:
    image = make(owner=ALICE, public=True, active=False)
    assert seen(client, ALICE) == {image}
    assert seen(client, BOB) == set()
    assert refusal(client.get(f"/images/{image}?account={BOB}")) == (404, "ResourceNotFound")


def test_a_copy_of_ones_own(client, make, imgapi) -> None:
    image = make(b"content", owner=ALICE, type="zone-dataset", acl=[BOB])
    copy = client.post(f"/images/{image}/clone?account={BOB}").json
    assert (copy["owner"], copy["state"], copy["name"]) == (BOB, "active", "n")
    assert copy["uuid"] != image
    assert "acl" not in copy
    assert client.delete(f"/images/{image}").status_code == 204
    assert client.get(f"/images/{copy['uuid']}/file?account={BOB}").data == b"content"


def test_what_is_not_copied(client, make) -> None:
    docker = make(owner=ALICE, acl=[BOB])
    assert refusal(client.post(f"/images/{docker}/clone?account={BOB}")) == (422, "ValidationFailed")
    public = make(owner=ALICE, public=True, type="other")
    assert refusal(client.post(f"/images/{public}/clone?account={BOB}")) == (422, "ImageNotShared")
    assert refusal(client.post(f"/images/{public}/clone")) == (422, "InvalidParameter")
    grandchild = make(owner=ALICE, acl=[BOB], type="other", origin=public)
    assert refusal(client.post(f"/images/{grandchild}/clone?account={BOB}")) == (400, "NotImplemented")


def test_icons(client, make) -> None:
    image = make()
    url = f"/images/{image}/icon"
    assert refusal(client.get(url)) == (404, "ResourceNotFound")
    assert refusal(client.put(url, data=PNG, content_type="text/html")) == (400, "Upload")
    assert refusal(client.put(url, data=PNG * 20000, content_type="image/png")) == (400, "Upload")
    assert client.put(url, data=PNG, content_type="image/png").json["icon"] is True
    reply = client.get(url)
    assert (reply.data, reply.headers["Content-Type"]) == (PNG, "image/png")
    assert client.get(url, headers={"If-None-Match": reply.headers["ETag"]}).status_code == 304
    assert "icon" not in client.delete(url).json
    assert refusal(client.delete(url)) == (404, "ResourceNotFound")
    assert client.get(f"/images/{image}/file").data == b"data"


def test_a_file_is_asked_for_by_its_number_and_sent_when_it_is_news(client, make) -> None:
    image = make()
    reply = client.get(f"/images/{image}/file?index=0")
    assert reply.data == b"data"
    assert reply.headers["ETag"] == client.get(f"/images/{image}").json["files"][0]["sha1"]
    assert reply.headers["Last-Modified"].endswith("GMT")
    assert client.get(f"/images/{image}/file", headers={"If-None-Match": reply.headers["ETag"]}).status_code == 304
    assert refusal(client.get(f"/images/{image}/file?index=1")) == (404, "ResourceNotFound")
    assert refusal(client.get(f"/images/{image}/file?index=x")) == (422, "InvalidParameter")


def test_an_unactivated_image_may_change_its_name_and_origin_as_builds_do(client, make) -> None:
    base, image, new = make(), make(b"built", active=False), str(uuid.uuid4())
    changed = client.post(f"/images/{image}?action=update", json={"uuid": new, "origin": base, "description": "d"})
    assert (changed.json["uuid"], changed.json["origin"], changed.json["description"]) == (new, base, "d")
    assert refusal(client.get(f"/images/{image}")) == (404, "ResourceNotFound")
    assert client.get(f"/images/{new}/file").data == b"built"
    assert client.post(f"/images/{new}?action=activate").status_code == 200
    for field in ({"uuid": image}, {"origin": None}):
        assert refusal(client.post(f"/images/{new}?action=update", json=field)) == (422, "ValidationFailed")
    other = make(active=False)
    assert refusal(client.post(f"/images/{other}?action=update", json={"uuid": new})) == (409, "ImageUuidAlreadyExists")
    assert refusal(client.post(f"/images/{other}?action=update", json={"origin": image})) == (
        422,
        "OriginDoesNotExist",
    )


def test_updates_of_an_account(client, make) -> None:
    image = make(owner=ALICE, name="mine")
    url = f"/images/{image}?action=update&account={ALICE}"
    assert client.post(url, json={"description": "d", "tags": {"a": "b"}}).json["description"] == "d"
    assert "description" not in client.post(url, json={"description": None}).json
    for fields in ({"billing_tags": ["x"]}, {"traits": {}}, {"owner": ALICE}, {"state": "failed"}, {}):
        assert refusal(client.post(url, json=fields)) == (422, "ValidationFailed"), fields
    owner = client.post(f"/images/{image}?action=update", json={"owner": BOB})
    assert refusal(owner) == (422, "OwnerDoesNotExist")
    assert client.post(f"/images/{image}?action=update", json={"owner": ADMIN}).json["owner"] == ADMIN


def test_an_account_makes_images_of_its_own(client) -> None:
    fields = {"name": "n", "version": "1", "type": "other", "os": "other"}
    assert client.post(f"/images?account={ADMIN}", json=fields).json["owner"] == ADMIN
    other = {**fields, "owner": ALICE}
    assert refusal(client.post(f"/images?account={ADMIN}", json=other)) == (422, "InvalidParameter")
    assert refusal(client.post("/images?account=x", json=fields)) == (422, "InvalidParameter")
    assert refusal(client.post("/images", json={**other, "state": "active"})) == (422, "ValidationFailed")


def test_what_a_small_data_center_does_not_do_is_said(client, make) -> None:
    image, new = make(), str(uuid.uuid4())
    assert refusal(client.post(f"/images/{image}?action=export")) == (422, "ValidationFailed")
    assert refusal(client.post(f"/images/{image}?action=export&manta_path=/a/b")) == (503, "StorageUnsupported")
    assert refusal(client.post("/images?action=create-from-vm")) == (501, "NotAvailable")
    assert refusal(client.post("/images?action=import-lxd-image")) == (400, "NotImplemented")
    remote = f"/images/{new}?action=import-remote&source=http://images.example"
    assert refusal(client.post(remote)) == (400, "NotImplemented")
    assert refusal(client.post(f"{remote}&account={ALICE}")) == (403, "OperatorOnly")
    assert refusal(client.post(f"/images/{new}?action=import&account={ALICE}", json={})) == (403, "OperatorOnly")
    assert refusal(client.post(f"/images/{image}/file/from-url", json={})) == (400, "NotImplemented")
    assert refusal(client.put(f"/images/{image}/file?source=x")) == (400, "NotImplemented")
    for action in ("", "?action=channel-add", "?action=dance"):
        assert refusal(client.post(f"/images/{image}{action}")) == (422, "InvalidParameter")
    assert refusal(client.get("/channels")) == (404, "ResourceNotFound")
    assert client.get(f"/images/{image}?channel=dev").status_code == 200


@pytest.mark.parametrize("path", ["", "/file", "/icon", "/jobs"])
def test_what_is_no_uuid_is_nowhere(client, path: str) -> None:
    reply = client.get(f"/images/nope{path}")
    assert refusal(reply) == (404, "ResourceNotFound")
    assert reply.json["message"] == f"/images/nope{path} does not exist"


def test_the_service_itself(client, make) -> None:
    assert client.get(f"/images/{make()}/jobs").json == []
    assert client.get("/state").json == {"cache": {}}
    assert client.post("/state?action=dropcaches").status_code == 202
    assert refusal(client.post("/state?action=x")) == (409, "InvalidArgument")
    assert refusal(client.post("/state")) == (409, "MissingParameter")


@pytest.mark.parametrize("code", STATUSES)
def test_every_refusal_has_its_status(client, code: str) -> None:
    for name in (code, f"{code}Error"):
        assert refusal(client.get(f"/ping?error={name}")) == (STATUSES[code], code)


def test_dependents_are_named(client, make) -> None:
    base = make()
    tops = [make(origin=base) for _ in range(2)]
    message = client.delete(f"/images/{base}").json["message"]
    assert message == f'image "{base}" has 2 dependent incremental image(s): {", ".join(tops)}'

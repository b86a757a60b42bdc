from __future__ import annotations

import base64
import json

import pytest

from gateway.errors import DockerError, InvalidParameter, NotFound, NotImplementedHere
from tests.unit.translators.images.conftest import registry_auth
from translators.images import pull
from translators.images.lookup import find_image

DIGEST = "sha256:" + "d" * 64
MADE = {
    "type": "create-docker-image",
    "config_digest": "sha256:" + "c" * 64,
    "head": True,
    "image": {"config": {}, "rootfs": {"diff_ids": ["sha256:1"]}},
    "image_uuid": "layer-uuid",
    "manifest_digest": DIGEST,
    "manifest_str": '{"layers":[{"digest":"sha256:1","size":9}]}',
    "size": 9,
}


def status(text):
    return {"type": "status", "id": "docker.io/busybox", "payload": {"status": text}}


def progress(text, **detail):
    return {"type": "progress", "payload": {"id": "abc", "status": text, "progressDetail": detail}}


GOOD = [
    status("latest: Pulling from busybox (req 6f1e)"),
    progress("Pulling fs layer"),
    progress("Downloading", current=5, total=9, start=1),
    progress("Uncompressing layer", current=9, total=9),
    progress("Uncompression completed"),
    progress("Activating image"),
    progress("Pull complete"),
    MADE,
    status(f"Digest: {DIGEST}"),
    status("Status: Downloaded newer image for docker.io/busybox:latest"),
]


def test_progress_is_docker_s_and_the_names_are_kept(world):
    world.imgapi.pulls = GOOD
    world.imgapi.images["layer-uuid"] = {"state": "active"}
    call = world.call()
    assert list(pull.pull(call, "busybox", "latest", "")) == [
        {"status": "Pulling from library/busybox", "id": "latest"},
        {"status": "Pulling fs layer", "progressDetail": {}, "id": "abc"},
        {"status": "Downloading", "progressDetail": {"current": 5, "total": 9}, "id": "abc"},
        {"status": "Extracting", "progressDetail": {"current": 9, "total": 9}, "id": "abc"},
        {"status": "Pull complete", "progressDetail": {}, "id": "abc"},
        {"status": f"Digest: {DIGEST}"},
        {"status": "Status: Downloaded newer image for busybox:latest"},
    ]
    record = find_image(call, "busybox")
    assert (record.tags, record.digests) == (("busybox:latest",), (f"busybox@{DIGEST}",))


def test_a_pull_by_digest_names_no_tag(world):
    world.imgapi.pulls = [MADE]
    world.imgapi.images["layer-uuid"] = {"state": "active"}
    list(pull.pull(world.call(), "busybox", DIGEST, ""))
    assert world.imgapi.asked[0]["digest"] == DIGEST
    assert world.imgapi.asked[0]["tag"] is None
    assert find_image(world.call(), f"busybox@{DIGEST}").tags == ()


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("ResourceNotFound", NotFound, "manifest for busybox:latest not found: manifest unknown"),
        ("UnauthorizedError", NotFound, "pull access denied for busybox"),
        ("RemoteSourceError", DockerError, "docker.io could not be reached"),
        ("SecretInnerThing", DockerError, "Internal error"),
    ],
)
def test_an_error_before_anything_happened_has_a_status(world, code, kind, words):
    world.imgapi.pulls = [GOOD[0], {"type": "error", "error": {"code": code, "message": "inner 10.0.0.1"}}]
    with pytest.raises(kind, match=words) as caught:
        pull.pull(world.call(), "busybox", "latest", "")
    assert "10.0.0.1" not in caught.value.message


def test_a_later_error_is_the_last_message_and_keeps_nothing(world):
    world.imgapi.pulls = [*GOOD[:3], {"type": "error", "error": {"code": "Download", "message": "digest mismatch"}}]
    *_, last = pull.pull(world.call(), "busybox", "latest", "")
    assert last["error"] == "Error downloading busybox:latest: digest mismatch"
    assert last["errorDetail"] == {"message": last["error"]}
    assert world.state.images.count("alice-uuid") == 0


def test_a_stream_that_breaks_off_is_an_error(world):
    world.imgapi.pulls = GOOD[:3]
    *_, last = pull.pull(world.call(), "busybox", "latest", "")
    assert "ended without an image" in last["error"]


def test_credentials_are_passed_on_in_the_alphabet_imgapi_reads(world):
    world.imgapi.pulls = [MADE]
    secret = {"username": "u", "password": "ÿþ?>"}
    call = world.call(headers={"x-registry-auth": registry_auth(**secret)})
    list(pull.pull(call, "127.0.0.1:5000/x", "1", ""))
    sent = world.imgapi.asked[0]["headers"]["x-registry-auth"]
    assert json.loads(base64.b64decode(sent, validate=True)) == secret


@pytest.mark.parametrize(
    ("image", "tag", "platform", "kind"),
    [
        ("UPPER", "x", "", InvalidParameter),
        ("busybox", "bad tag", "", InvalidParameter),
        ("busybox", "", "", NotImplementedHere),
        ("busybox", "latest", "windows/amd64", NotImplementedHere),
        ("busybox", "latest", "linux/s390x", NotImplementedHere),
    ],
)
def test_what_cannot_be_pulled_is_refused(world, image, tag, platform, kind):
    with pytest.raises(kind):
        pull.pull(world.call(), image, tag, platform)
    assert world.imgapi.asked == []


def test_a_damaged_credential_header_is_the_client_s_fault(world):
    with pytest.raises(InvalidParameter, match="x-registry-auth"):
        pull.pull(world.call(headers={"x-registry-auth": "%%%"}), "busybox", "latest", "")

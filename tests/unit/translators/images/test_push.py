from __future__ import annotations

import base64
import io
import json

import pytest

from gateway.errors import InvalidParameter, NotImplementedHere
from tests.unit.translators.images.conftest import archive, registry_auth
from translators.images import load, push
from translators.images.lookup import find_image
from translators.platforms import ARCHITECTURE

DIGEST = "sha256:" + "d" * 64
AUX = {"Tag": "v1", "Digest": DIGEST, "Size": 528}


@pytest.fixture
def image(world):
    """An image of two layers, ``127.0.0.1:5000/app`` with the tags v1 and v2."""
    tags = ["127.0.0.1:5000/app:v1", "127.0.0.1:5000/app:v2"]
    list(load.load(world.call(), io.BytesIO(archive((tags, [b"one" * 512, b"two" * 512]))), quiet=True))
    return find_image(world.call(), tags[0])


def progress(digest, status, **detail):
    payload = {"id": digest[7:19], "status": status}
    if detail:
        payload["progressDetail"] = {**detail, "start": 1}
    return {"type": "progress", "id": "r", "payload": payload}


def stream(image, tag="v1"):
    base, top = (layer["digest"] for layer in image.layers)
    return [
        progress(base, "Preparing"),
        progress(top, "Preparing"),
        progress(base, "Layer already exists"),
        progress(top, "Pushing", current=5, total=9),
        progress(top, "Pushed"),
        {"type": "status", "id": "r", "payload": {"status": f"{tag}: digest: {DIGEST} size: 528"}},
        {"type": "progress", "id": "r", "payload": {"progressDetail": {}, "aux": {**AUX, "Tag": tag}}},
    ]


def error(code, message="secret detail"):
    return [{"type": "error", "id": "r", "error": {"code": code, "message": message}}]


def test_progress_is_docker_s_and_the_digest_is_kept(world, image):
    world.imgapi.pushes = [stream(image)]
    call = world.call(headers={"x-registry-auth": registry_auth(username="bob", password="secret")})
    base, top = (digest[7:19] for digest in image.config["rootfs"]["diff_ids"])
    assert list(push.push(call, "127.0.0.1:5000/app", "v1", "")) == [
        {"status": "The push refers to repository [127.0.0.1:5000/app]"},
        {"status": "Preparing", "progressDetail": {}, "id": base},
        {"status": "Preparing", "progressDetail": {}, "id": top},
        {"status": "Layer already exists", "progressDetail": {}, "id": base},
        {"status": "Pushing", "progressDetail": {"current": 5, "total": 9}, "id": top},
        {"status": "Pushed", "progressDetail": {}, "id": top},
        {"status": f"v1: digest: {DIGEST} size: 528"},
        {"progressDetail": {}, "aux": AUX},
    ]
    (asked,) = world.imgapi.asked
    assert (asked["uuid"], asked["name"]) == (image.image_uuid, "127.0.0.1:5000/app:v1")
    assert json.loads(base64.b64decode(asked["headers"]["x-registry-auth"]))["password"] == "secret"
    record = asked["record"]
    assert (record["manifest_str"], record["image"]) == (image.manifest_str, image.config)
    assert record["config_str"].encode() == image.config_bytes
    assert find_image(world.call(), "127.0.0.1:5000/app:v1").digests == (f"127.0.0.1:5000/app@{DIGEST}",)
    assert find_image(world.call(), f"127.0.0.1:5000/app@{DIGEST}") is not None
    assert world.told()[-1] == ("push", "127.0.0.1:5000/app:v1", "127.0.0.1:5000/app")


def test_all_tags_of_a_repository(world, image):
    world.imgapi.pushes = [stream(image, "v1"), stream(image, "v2")]
    messages = list(push.push(world.call(), "127.0.0.1:5000/app", "", ""))
    assert [message["aux"]["Tag"] for message in messages if "aux" in message] == ["v1", "v2"]
    assert [asked["name"][-2:] for asked in world.imgapi.asked] == ["v1", "v2"]
    assert world.imgapi.asked[1]["record"]["sources"] == ["127.0.0.1:5000/app"]  # where the first one went
    assert world.told()[-1] == ("push", "127.0.0.1:5000/app", "127.0.0.1:5000/app")


@pytest.mark.parametrize(
    ("name", "tag", "sentence"),
    [
        ("nope", "v1", "An image does not exist locally with the tag: nope"),
        ("127.0.0.1:5000/app", "v3", "tag does not exist: 127.0.0.1:5000/app:v3"),
        (f"127.0.0.1:5000/app@{DIGEST}", "", "cannot push a digest reference"),
    ],
)
def test_what_is_not_there_is_a_message(world, image, name, tag, sentence):
    messages = list(push.push(world.call(), name, tag, ""))
    assert messages[-1] == {"errorDetail": {"message": sentence}, "error": sentence}
    assert world.imgapi.asked == []
    assert "push" not in {action for action, _, _ in world.told()}


def test_other_accounts_images_are_not_there(world, image):
    messages = list(push.push(world.call("mallory"), "127.0.0.1:5000/app", "v1", ""))
    assert messages[-1]["error"] == "An image does not exist locally with the tag: 127.0.0.1:5000/app"


@pytest.mark.parametrize(
    ("code", "message", "sentence"),
    [
        ("UnauthorizedError", "denied: not for you", "denied: not for you"),
        (
            "RemoteSourceError",
            "dial tcp 10.0.0.1",
            "Error pushing image: (RemoteSourceError) 127.0.0.1:5000 could not be reached or does not answer",
        ),
        ("ConnectTimeoutError", "x", "Timeout connecting to host 127.0.0.1:5000"),
        ("Upload", "manifest invalid: no", "Error pushing 127.0.0.1:5000/app:v1: manifest invalid: no"),
        ("InternalError", "stack", "Error pushing image: Internal error"),
    ],
)
def test_a_registry_s_refusals(world, image, code, message, sentence):
    world.imgapi.pushes = [error(code, message)]
    messages = list(push.push(world.call(), "127.0.0.1:5000/app", "v1", ""))
    assert messages[-1] == {"errorDetail": {"message": sentence}, "error": sentence}
    assert find_image(world.call(), "127.0.0.1:5000/app:v1").digests == ()
    assert "push" not in {action for action, _, _ in world.told()}


def test_a_stream_that_breaks_off_is_no_success(world, image):
    world.imgapi.pushes = [stream(image)[:3]]
    messages = list(push.push(world.call(), "127.0.0.1:5000/app", "v1", ""))
    assert messages[-1]["error"] == "push of 127.0.0.1:5000/app:v1 ended without a digest"


def test_bad_questions_are_refused_at_once(world, image):
    with pytest.raises(InvalidParameter, match="invalid reference format"):
        push.push(world.call(), "x/UPPER", "", "")
    with pytest.raises(InvalidParameter, match="invalid tag format"):
        push.push(world.call(), "x", "a b", "")
    with pytest.raises(InvalidParameter, match="x-registry-auth"):
        push.push(world.call(headers={"x-registry-auth": "%%%"}), "x", "v1", "")
    with pytest.raises(NotImplementedHere, match="linux/s390x is not available"):
        push.push(world.call(), "x", "v1", '{"os":"linux","architecture":"s390x"}')
    with pytest.raises(InvalidParameter, match="invalid platform"):
        push.push(world.call(), "x", "v1", "linux/s390x")
    with pytest.raises(InvalidParameter, match="invalid platform"):
        push.push(world.call(), "x", "v1", '{"os":' + "[" * 20_000)
    assert push.push(world.call(), "x", "v1", json.dumps({"os": "linux", "architecture": ARCHITECTURE}))


def test_images_whose_config_is_lost_are_not_pushed_as_others(world, image):
    world.state.images._db.execute("UPDATE images SET image = replace(image, 'amd64', 'amd46')")
    messages = list(push.push(world.call(), "127.0.0.1:5000/app", "v1", ""))
    assert "pull it again" in messages[-1]["error"]
    assert world.imgapi.asked == []

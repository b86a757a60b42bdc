from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest

from gateway.errors import InvalidParameter, NotFound, NotImplementedHere
from tests.unit.translators.images.conftest import archive, tar_of
from translators.images import load, lookup, save
from translators.images.lookup import find_image
from translators.platforms import ARCHITECTURE

LAYERS = [b"layer one" * 99, b"layer two"]


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def oci(config_more=None, *, repo="127.0.0.1:5000/app", tag="v1", kinds=("+gzip", ""), **changes) -> bytes:
    """An OCI layout without a manifest.json, as skopeo and buildx write it: one compressed layer and one plain."""
    packed = [gzip.compress(data, mtime=0) if kind else data for data, kind in zip(LAYERS, kinds, strict=True)]
    document = {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [sha256(data) for data in LAYERS]},
        **(config_more or {}),
    }
    config = json.dumps(document, indent=1).encode()  # a form that nobody's encoder would find again
    layers = [
        {"mediaType": f"application/vnd.oci.image.layer.v1.tar{kind}", "size": len(data), "digest": sha256(data)}
        for data, kind in zip(packed, kinds, strict=True)
    ]
    config_type = "application/vnd.oci.image.config.v1+json"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"mediaType": config_type, "size": len(config), "digest": sha256(config)},
            "layers": layers,
            "annotations": {"kept": "as it is"},
        },
        indent=2,
    ).encode()
    other = {"mediaType": "x", "digest": sha256(b"{}"), "size": 2, "platform": {"architecture": "s390x", "os": "linux"}}
    item = {"digest": sha256(manifest), "size": len(manifest), "annotations": {}}
    if repo:
        item["annotations"]["org.opencontainers.image.ref.name"] = f"{repo}:{tag}"
    blobs = [config, manifest, b"{}", *packed]
    members = {f"blobs/sha256/{sha256(data)[7:]}": data for data in blobs}
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [other, item]}).encode()
    members["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    return tar_of(members | changes)


def loaded(world, data, login="alice"):
    messages = list(load.load(world.call(login), io.BytesIO(data), quiet=True))
    assert not any("error" in message for message in messages), messages
    return [message["stream"].strip().rpartition(" ")[2] for message in messages]


def saved(world, *names, login="alice", **query) -> dict[str, bytes]:
    data = b"".join(save.save(world.call(login, "image.save.many", **query), list(names)))
    assert len(data) % tarfile.BLOCKSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}


def again(world, members: dict[str, bytes], login: str):
    """What another account has when it loads a saved archive."""
    return [find_image(world.call(login), name) for name in loaded(world, tar_of(members), login)]


def test_a_saved_image_is_docker_archive_and_oci_layout(world):
    loaded(world, archive((["busybox:1", "mine/bb:2"], LAYERS)))
    record = find_image(world.call(), "busybox:1")
    members = saved(world, "busybox:1", "mine/bb:2")
    assert json.loads(members["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    paths = [f"blobs/sha256/{sha256(data)[7:]}" for data in LAYERS]
    config = f"blobs/sha256/{record.config_digest[7:]}"
    assert json.loads(members["manifest.json"]) == [
        {"Config": config, "RepoTags": ["busybox:1", "mine/bb:2"], "Layers": paths}
    ]
    top = paths[-1].rpartition("/")[2]
    assert json.loads(members["repositories"]) == {"busybox": {"1": top}, "mine/bb": {"2": top}}
    index = json.loads(members["index.json"])
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert [entry["annotations"] for entry in index["manifests"]] == [
        {"io.containerd.image.name": "docker.io/library/busybox:1", "org.opencontainers.image.ref.name": "1"},
        {"io.containerd.image.name": "docker.io/mine/bb:2", "org.opencontainers.image.ref.name": "2"},
    ]
    (digest,) = {entry["digest"] for entry in index["manifests"]}
    manifest = members[f"blobs/sha256/{digest[7:]}"]
    assert (sha256(manifest), manifest.decode()) == (digest, record.manifest_str)
    assert {entry["size"] for entry in index["manifests"]} == {len(manifest)}
    assert index["manifests"][0]["platform"] == {"architecture": "amd64", "os": "linux"}
    for path, data in members.items():
        assert not path.startswith("blobs/") or sha256(data)[7:] == path.rpartition("/")[2]
    assert [members[path] for path in paths] == LAYERS
    assert world.told()[-1] == ("save", record.config_digest, record.config_digest)


@pytest.mark.parametrize("data", [archive((["busybox:1"], LAYERS)), oci()], ids=["docker", "oci"])
def test_save_and_load_keep_ids_manifests_and_layers(world, data):
    (name,) = loaded(world, data)
    before = find_image(world.call(), name)
    uploads = dict(world.imgapi.files)
    (after,) = again(world, saved(world, name), "bob")
    for field in ("config_digest", "manifest_digest", "manifest_str", "image_uuid", "config_str", "size", "tags"):
        assert getattr(after, field) == getattr(before, field)
    assert world.imgapi.files == uploads


def test_an_oci_layout_keeps_its_compressed_layers(world):
    assert loaded(world, oci()) == ["127.0.0.1:5000/app:v1"]
    record = find_image(world.call(), "127.0.0.1:5000/app:v1")
    base, top = world.imgapi.images.values()
    assert world.imgapi.files[base["uuid"]] == gzip.compress(LAYERS[0], mtime=0)
    assert (base["files"][0]["compression"], top["files"][0]["compression"]) == ("gzip", "none")
    assert base["files"][0]["uncompressedDigest"] == sha256(LAYERS[0])
    assert json.loads(record.manifest_str)["annotations"] == {"kept": "as it is"}


@pytest.mark.parametrize(("repo", "tag"), [("", ""), ("v1", "")])
def test_a_layout_without_a_repository_is_told_by_its_id(world, repo, tag):
    (name,) = loaded(world, oci(repo=repo, tag=tag).replace(b'"v1:"', b'"v1" '))
    assert name.startswith("sha256:")


@pytest.mark.parametrize("content", [b"layer two", gzip.compress(b"layer six", mtime=0)])
def test_a_layer_must_be_what_both_its_digests_say(world, content):
    """Its uuid is made of the digest alone: whoever lies about it would change other accounts' images."""
    good = sha256(gzip.compress(LAYERS[0], mtime=0))
    changed = oci(**{f"blobs/sha256/{good[7:]}": content.ljust(len(gzip.compress(LAYERS[0], mtime=0)), b"\0")})
    [message] = load.load(world.call(), io.BytesIO(changed), quiet=True)
    assert message["error"].startswith(f"invalid layer {good}")
    assert world.imgapi.images == {}


@pytest.mark.parametrize("index", [b'{"manifests":["x"]}', b"[]", b'{"manifests":[{"digest":"sha256:../../x"}]}', b"{"])
def test_strange_layouts_are_refused(world, index):
    messages = list(load.load(world.call(), io.BytesIO(oci(**{"index.json": index})), quiet=True))
    assert "invalid archive" in messages[-1]["error"]


def test_a_repository_stands_for_its_tags_and_an_id_for_no_name(world):
    loaded(world, archive((["app:1"], [b"one"]), (["app:2", "app:3"], [b"two"])))
    names = [item["RepoTags"] for item in json.loads(saved(world, "app")["manifest.json"])]
    assert names == [["app:1"], ["app:2", "app:3"]]
    record = find_image(world.call(), "app:1")
    for name in (record.config_digest, record.config_digest[7:19]):
        members = saved(world, name)
        assert [item["RepoTags"] for item in json.loads(members["manifest.json"])] == [None]
        assert "annotations" not in json.loads(members["index.json"])["manifests"][0]
        assert "repositories" not in members
        (loaded_again,) = again(world, members, "carol")
        assert (loaded_again.config_digest, loaded_again.tags) == (record.config_digest, ())


def test_layers_that_images_share_are_written_once(world):
    loaded(world, archive((["a:1"], [b"base", b"one"]), (["b:1"], [b"base", b"two"])))
    data = b"".join(save.save(world.call(operation="image.save.many"), ["a:1", "b:1"]))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
    assert len(names) == len(set(names))
    assert names.count(f"blobs/sha256/{sha256(b'base')[7:]}") == 1


def test_what_is_not_there_is_said_before_the_first_byte(world):
    loaded(world, archive((["a:1"], LAYERS)))
    for names, login in ((["a:2"], "alice"), (["nope"], "alice"), ([], "alice"), (["a:1"], "mallory")):
        with pytest.raises(NotFound, match="No such image"):
            save.save(world.call(login, "image.save.many"), names)
    lookup._seen.clear()
    base = next(iter(world.imgapi.images))
    del world.imgapi.images[base]
    with pytest.raises(NotFound, match="no longer there"):
        save.save(world.call(operation="image.save.many"), ["a:1"])


def test_a_layer_that_comes_short_breaks_the_stream(world):
    loaded(world, archive((["a:1"], LAYERS)))
    world.imgapi.files = {uuid: data[:-1] for uuid, data in world.imgapi.files.items()}
    with pytest.raises(NotFound, match="not delivered whole"):
        saved(world, "a:1")
    assert "save" not in {action for action, _, _ in world.told()}


def test_platforms(world):
    loaded(world, archive((["a:1"], LAYERS)))
    assert saved(world, "a:1", platform=json.dumps({"os": "linux", "architecture": ARCHITECTURE}))
    with pytest.raises(NotImplementedHere, match="linux/s390x"):
        saved(world, "a:1", platform='{"os":"linux","architecture":"s390x"}')
    with pytest.raises(InvalidParameter, match="invalid platform"):
        saved(world, "a:1", platform="linux/s390x")
    with pytest.raises(NotImplementedHere, match="linux/s390x"):
        load.load(
            world.call(operation="image.load", platform='{"os":"linux","architecture":"s390x"}'),
            io.BytesIO(b""),
            quiet=True,
        )

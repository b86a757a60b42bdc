"""Images made of images: configuration, history, manifest, identity."""

from __future__ import annotations

import hashlib
import json

from datacenter.node.build.images import EMPTY_LAYER, LAYER_TYPE, Layer, Step, child, layers_of, scratch
from grammars.dockerids import layer_uuid

TIME = "2026-01-01T00:00:00.000Z"
A, B = (Layer(f"sha256:{digit * 64}", 10) for digit in "ab")


def step(**changes):
    return Step(**({"config": {"Cmd": ["sh"]}, "command": ["sh", "-c", "x"], "created": TIME, "layer": A} | changes))


def test_a_child_has_one_layer_and_one_step_more():
    first = child(scratch(), step(), head=False)
    second = child(first, step(layer=B, comment="why", author="me"), head=True)
    assert second["image_uuid"] == layer_uuid([A.digest, B.digest])
    assert second["image"]["rootfs"]["diff_ids"] == [A.digest, B.digest]
    assert second["image"]["history"] == [
        {"created": TIME, "created_by": "sh -c x"},
        {"created": TIME, "created_by": "sh -c x", "author": "me", "comment": "why"},
    ]
    assert (second["parent"], second["size"]) == (first["config_digest"], 20)
    assert (second["image"]["author"], second["image"]["comment"]) == ("me", "why")
    assert second["image"]["container_config"]["Cmd"] == ["sh", "-c", "x"]


def test_ids_are_digests_of_what_is_told():
    made = child(scratch(), step(), head=True)
    manifest = json.loads(made["manifest_str"])
    assert made["manifest_digest"] == "sha256:" + hashlib.sha256(made["manifest_str"].encode()).hexdigest()
    assert manifest["config"]["digest"] == made["config_digest"]
    config = json.dumps(made["image"], separators=(",", ":")).encode()
    assert (manifest["config"]["size"], made["config_digest"]) == (
        len(config),
        "sha256:" + hashlib.sha256(config).hexdigest(),
    )


def test_a_layer_of_nothing_is_none():
    base = child(scratch(), step(), head=False)
    for nothing in (None, Layer(EMPTY_LAYER, 1024)):
        made = child(base, step(layer=nothing), head=True)
        assert made["image_uuid"] == base["image_uuid"]
        assert made["image"]["history"][-1]["empty_layer"] is True
        assert layers_of(made) == layers_of(base)
    assert EMPTY_LAYER == "sha256:" + hashlib.sha256(bytes(1024)).hexdigest()


def test_oci_layers_become_dockers_and_platforms_stay():
    base = {
        "config_digest": "sha256:base",
        "manifest_str": json.dumps(
            {"layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": A.digest, "size": 1}]}
        ),
        "image": {"architecture": "arm64", "variant": "v8", "os": "linux", "rootfs": {"diff_ids": ["sha256:plain"]}},
    }
    made = child(base, step(layer=B), head=True)
    assert [layer["mediaType"] for layer in layers_of(made)] == [f"{LAYER_TYPE}.gzip", LAYER_TYPE]
    assert (made["image"]["architecture"], made["image"]["variant"]) == ("arm64", "v8")
    assert made["image"]["rootfs"]["diff_ids"] == ["sha256:plain", B.digest]

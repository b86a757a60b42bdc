"""Images as the gateway keeps them: a configuration, a manifest, and the uuid of the layers' chain. Pure."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from grammars.dockerids import layer_uuid

Json = dict[str, Any]

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar"
_OF_OCI = {
    "application/vnd.oci.image.layer.v1.tar": LAYER_TYPE,
    "application/vnd.oci.image.layer.v1.tar+gzip": f"{LAYER_TYPE}.gzip",
}
EMPTY_LAYER = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
"""The archive of nothing, two blocks of zeros."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Layer:
    """An uncompressed layer: its digest is its diff id. ``size`` in bytes."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step made of an image: the whole new configuration, and how history tells it."""

    config: Json
    command: list[str]
    """The command of the container that the step was done in: ``container_config.Cmd``."""
    created: str
    author: str = ""
    comment: str = ""
    container: str = ""
    container_config: Json | None = None
    layer: Layer | None = None


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def scratch() -> Json:
    """Return the image that ``FROM scratch`` begins with: no layer, nothing configured."""
    machine = platform.machine()
    image = {
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {},
        "history": [],
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    return {"config_digest": "", "image": image, "image_uuid": "", "manifest_str": '{"layers":[]}', "size": 0}


def layers_of(model: Mapping[str, Any]) -> list[Json]:
    """Return the layer descriptors of an image's manifest, base first."""
    found: list[Json] = msgspec.json.decode(model["manifest_str"]).get("layers") or []
    return [{**layer, "mediaType": _OF_OCI.get(layer.get("mediaType", ""), layer.get("mediaType"))} for layer in found]


def child(base: Mapping[str, Any], step: Step, *, head: bool) -> Json:
    """Make an image on top of another, as the ``image_create`` event carries it; ``parent`` is the other's id.

    A layer of nothing is none, as with Docker. The uuid is empty as long as there is no layer at all.
    """
    layer = step.layer if step.layer and step.layer.digest != EMPTY_LAYER else None
    descriptors = layers_of(base)
    if layer:
        descriptors.append({"mediaType": LAYER_TYPE, "size": layer.size, "digest": layer.digest})
    document = _document(base["image"], step, layer)
    config = msgspec.json.encode(document)
    manifest = msgspec.json.encode(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": digest_of(config)},
            "layers": descriptors,
        }
    )
    return {
        "config_digest": digest_of(config),
        "head": head,
        "image": document,
        "image_uuid": layer_uuid(one["digest"] for one in descriptors) if descriptors else "",
        "manifest_digest": digest_of(manifest),
        "manifest_str": manifest.decode(),
        "parent": base["config_digest"],
        "size": sum(int(one["size"]) for one in descriptors),
        "dockerImageVersion": "2.2",
    }


def _document(base: Mapping[str, Any], step: Step, layer: Layer | None) -> Json:
    entry: Json = {"created": step.created, "created_by": " ".join(step.command)}
    told = {"author": step.author, "comment": step.comment, "empty_layer": layer is None}
    entry |= {key: value for key, value in told.items() if value}
    rootfs = base.get("rootfs") or {}
    diff_ids = [*(rootfs.get("diff_ids") or []), *([layer.digest] if layer else [])]
    kept = {key: base[key] for key in ("architecture", "variant", "os", "os.version", "os.features") if key in base}
    fresh = {
        "author": step.author,
        "comment": step.comment,
        "container": step.container,
        "container_config": {**(step.container_config or step.config), "Cmd": step.command},
        "created": step.created,
        "config": step.config,
        "history": [*(base.get("history") or []), entry],
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    return {**kept, **{key: value for key, value in fresh.items() if value or key == "config"}}

"""The small files of a saved archive: an OCI layout and a docker archive over the same blobs.

Facts: what dockerd 28 writes; OCI image-spec, image-layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.state.image_records import ImageRecord
from grammars.references import Reference
from translators.images.blobs import config_blob, layer_blobs, manifest_type, sha256

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Saved:
    """An image and the names that it is saved under; none for an image asked for by its id."""

    record: ImageRecord
    tags: tuple[Reference, ...]


def blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def blobs(images: Iterable[Saved]) -> dict[str, bytes]:
    """Manifests and configs, byte for byte, by path. Raises NotImplementedHere for a config that was not kept."""
    found = {}
    for saved in images:
        for data in (config_blob(saved.record), saved.record.manifest_str.encode()):
            found[blob_path(sha256(data))] = data
    return found


def papers(images: Sequence[Saved]) -> dict[str, bytes]:
    """What says which images there are, by path."""
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry for saved in images for entry in _descriptors(saved)],
    }
    files: dict[str, Any] = {
        "index.json": index,
        "manifest.json": [_item(saved) for saved in images],
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
    }
    if repositories := _repositories(images):
        files["repositories"] = repositories
    return {path: msgspec.json.encode(value) for path, value in files.items()}


def _descriptors(saved: Saved) -> list[Json]:
    """One descriptor for each name, or one without."""
    data = saved.record.manifest_str.encode()
    document = saved.record.config
    platform = {"architecture": document.get("architecture") or "amd64", "os": document.get("os") or "linux"}
    if document.get("variant"):
        platform["variant"] = document["variant"]
    whole = {"mediaType": manifest_type(data), "digest": sha256(data), "size": len(data), "platform": platform}
    names = [
        {
            "io.containerd.image.name": f"{tag.index}/{tag.remote_name}:{tag.tag}",
            "org.opencontainers.image.ref.name": tag.tag,
        }
        for tag in saved.tags
    ]
    return [whole | {"annotations": name} for name in names] or [whole]


def _item(saved: Saved) -> Json:
    return {
        "Config": blob_path(saved.record.config_digest),
        "RepoTags": [str(tag) for tag in saved.tags] or None,
        "Layers": [blob_path(layer.digest) for layer in layer_blobs(saved.record)],
    }


def _repositories(images: Iterable[Saved]) -> dict[str, dict[str, str]]:
    """What Docker before 1.10 reads: the top layer of each name."""
    found: dict[str, dict[str, str]] = {}
    for saved in images:
        for tag in saved.tags:
            top = layer_blobs(saved.record)[-1].digest
            found.setdefault(tag.local_name, {})[str(tag.tag)] = top.partition(":")[2]
    return found

"""An image record's blobs: what its manifest names, and where IMGAPI has it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from gateway.errors import NotImplementedHere
from gateway.state.image_records import ImageRecord
from grammars.dockerids import layer_uuids, short

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class LayerBlob:
    """A layer in the form that its manifest names; ``size`` in bytes."""

    uuid: str
    digest: str
    size: int


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def config_blob(record: ImageRecord) -> bytes:
    """Return the config's bytes. Raises NotImplementedHere when only their meaning was kept."""
    if record.config_bytes is None:
        raise NotImplementedHere(
            f"image {short(record.config_digest)} was stored in a form that does not keep its digest: pull it again"
        )
    return record.config_bytes


def layer_blobs(record: ImageRecord) -> list[LayerBlob]:
    """List the layers, base first."""
    digests = [str(layer["digest"]) for layer in record.layers]
    sizes = [int(layer["size"]) for layer in record.layers]
    return list(map(LayerBlob, layer_uuids(digests), digests, sizes))


def manifest_type(manifest: bytes) -> str:
    """Tell a manifest's media type, which OCI manifests need not name."""
    body = msgspec.json.decode(manifest)
    docker = body.get("config", {}).get("mediaType") == DOCKER_CONFIG
    return str(body.get("mediaType") or (DOCKER_MANIFEST if docker else OCI_MANIFEST))

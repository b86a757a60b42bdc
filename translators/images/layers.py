"""Putting layers that a client brought into IMGAPI, as sdc-docker did with its scratch image.

Facts: docker-on-triton 7.1 (chain uuids), 7.12.2 (import, file, activate), App. C (manifest).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway.call import Call
from gateway.state.image_records import ImageRecord
from gateway.state.undertakings import LAYER
from grammars.dockerids import layer_uuids, short
from sdc.errors import SdcError
from translators.errors import speaking_docker
from translators.images.blobs import DOCKER_CONFIG, DOCKER_MANIFEST, sha256
from translators.images.spool import Pieces

_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar"
_SUFFIXES = {"none": "", "gzip": ".gzip", "zstd": ".zstd"}
_ADMIN_OWNER = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtLayer:
    """A layer at hand. ``digest`` is that of its bytes, ``diff_id`` that of what they hold: the caller has checked."""

    digest: str
    diff_id: str
    compression: str
    """none, gzip or zstd."""
    pieces: Pieces

    @property
    def size(self) -> int:
        return len(self.pieces)


def store_image(call: Call, config: bytes, layers: list[BroughtLayer], manifest: bytes | None = None) -> ImageRecord:
    """Upload what IMGAPI does not have and write the image's row; names are the caller's.

    ``manifest`` is the image's own, of just these layers; without one, one is written.

    Layers that are active already are not sent again. Nothing half-made stays: a layer whose upload fails is
    deleted, and the row comes last.

    SDC: IMGAPI POST /images/:uuid?action=import, PUT /images/:uuid/file, POST /images/:uuid?action=activate
    """
    document = msgspec.json.decode(config)
    digest = sha256(config)
    uuids = layer_uuids([layer.digest for layer in layers])
    with speaking_docker("problem storing the image's layers"):
        for number, layer in enumerate(layers):
            origin = uuids[number - 1] if number else None
            with call.state.undertakings.under_way(LAYER, uuids[number], call.owner.uuid):
                store_layer(call, uuids[number], origin, layer, document)
    manifest = manifest or _manifest(config, digest, layers)
    record = ImageRecord(
        owner_uuid=call.owner.uuid,
        config_digest=digest,
        image_uuid=uuids[-1],
        manifest_digest=sha256(manifest),
        manifest_str=manifest.decode(),
        size=sum(layer.size for layer in layers),
        created=time.time(),
        config=document,
        config_str=config.decode(),
    )
    call.state.images.put(record)
    return call.state.images.get(record.owner_uuid, digest) or record


def _manifest(config: bytes, config_digest: str, layers: list[BroughtLayer]) -> bytes:
    return msgspec.json.encode(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "size": len(config), "digest": config_digest},
            "layers": [
                {"mediaType": _LAYER_TYPE + _SUFFIXES[layer.compression], "size": layer.size, "digest": layer.digest}
                for layer in layers
            ],
        }
    )


def store_layer(call: Call, uuid: str, origin: str | None, layer: BroughtLayer, document: dict[str, Any]) -> None:
    """Upload a layer that IMGAPI does not have; one whose upload fails is deleted."""
    imgapi = call.services.imgapi
    try:
        if imgapi.get_image(uuid)["state"] == "active":
            return
    except SdcError as error:
        if error.status != 404:
            raise
        with _unless_done("ImageUuidAlreadyExists"):
            imgapi.admin_import_image(uuid, _placeholder(uuid, origin, layer, document))
    try:
        with _unless_done("ImageAlreadyActivated", "ImageFilesImmutable"):
            stored = imgapi.add_image_file(uuid, layer.pieces, compression=layer.compression)["files"][0]
            digests = {"digest": layer.digest, "uncompressedDigest": layer.diff_id}
            imgapi.update_image(uuid, {"files": [{**stored, **digests}]})
            imgapi.activate_image(uuid)
    except BaseException:
        with suppress(SdcError):  # who settles what was left drops it, too
            drop_layer(call, uuid)
        raise


@contextmanager
def _unless_done(*codes: str) -> Iterator[None]:
    """Let pass that another load of the same layer was faster: its bytes are the same."""
    try:
        yield
    except SdcError as error:
        if error.code not in codes:
            raise


def drop_layer(call: Call, uuid: str) -> None:
    """Delete a layer that was not finished. Raises SdcError.

    SDC: IMGAPI DELETE /images/:uuid
    """
    try:
        if call.services.imgapi.get_image(uuid)["state"] != "active":
            call.services.imgapi.delete_image(uuid)
    except SdcError as error:
        if error.status != 404:
            raise


def _placeholder(uuid: str, origin: str | None, layer: BroughtLayer, document: dict[str, Any]) -> dict[str, Any]:
    config = document.get("config") or {}
    tags = {
        "docker:id": layer.digest,
        "docker:architecture": document.get("architecture", "amd64"),
        "docker:config": {key: config.get(key) for key in ("Cmd", "Entrypoint", "Env", "WorkingDir")},
    }
    manifest: dict[str, Any] = {
        "v": 2,
        "uuid": uuid,
        "owner": _ADMIN_OWNER,
        "name": "docker-layer",
        "version": short(layer.digest),
        "type": "docker",
        "os": document.get("os") or "linux",
        "public": False,
        "published_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "description": str(document.get("comment") or ""),
        "tags": tags,
    }
    if origin:
        manifest["origin"] = origin
    return manifest

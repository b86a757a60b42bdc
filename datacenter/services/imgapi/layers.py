"""A docker image's layers as images of their own, each named by the chain of digests up to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from datacenter.clock import iso
from datacenter.images.downloads import Layer
from datacenter.images.errors import RegistryError
from datacenter.images.files import Facts
from datacenter.images.manifests import Manifest
from grammars.dockerids import layer_uuids, short
from grammars.references import Reference

if TYPE_CHECKING:
    from datacenter.services.imgapi.model import Imgapi

_SHOWN_CONFIG = ("Cmd", "Entrypoint", "Env", "WorkingDir")


class Chain:
    """The layers of one image, base first, and the images that stand for them."""

    def __init__(self, imgapi: Imgapi, reference: Reference, manifest: Manifest, config: dict[str, Any]) -> None:
        """Join manifest and configuration. Raises RegistryError when they don't speak of the same layers."""
        self._imgapi = imgapi
        self._repo = reference.local_name
        self.layers = manifest.layers
        self.config = config
        self.uuids = layer_uuids([layer.digest for layer in manifest.layers])
        self._diff_ids = _diff_ids(config)
        self._steps = _steps(config, len(self.layers))
        if len(self._diff_ids) != len(self.layers):
            raise RegistryError("Download", "manifest and configuration differ in their number of layers")

    def present(self, number: int) -> bool:
        """Whether this layer is an active image already, with the very bytes that its name stands for."""
        image = self._imgapi.images.get(self.uuids[number])
        return (
            image is not None
            and image["state"] == "active"
            and image["files"][0]["digest"] == self.layers[number].digest
        )

    def cached(self, number: int) -> Layer | None:
        """Find the same bytes in an image of another chain."""
        digest, diff_id = self.layers[number].digest, self._diff_ids[number]
        for image in self._imgapi.images.all():
            for file in image["files"]:
                known = (file["digest"], file.get("uncompressedDigest"))
                if known == (digest, diff_id) and image["state"] == "active":
                    facts = Facts(file["size"], file["sha1"], file["md5"], digest, file["compression"])
                    return Layer(self._imgapi.files.path(image["uuid"]), facts, diff_id)
        return None

    def activate(self, number: int, layer: Layer) -> None:
        """Make the layer an active image in one step. Idempotent: somebody else may have been faster."""
        if self.present(number):
            return
        uuid = self.uuids[number]
        if layer.diff_id != self._diff_ids[number]:
            raise RegistryError("Download", f"wrong diff id calculated on extraction {layer.diff_id!r}")
        if number and not self.present(number - 1):
            raise RegistryError("InternalError", f"origin image {self.uuids[number - 1]} was deleted meanwhile")
        self._imgapi.files.place(layer.path, uuid)
        self._imgapi.images.put(uuid, self._manifest(number, layer))

    def _manifest(self, number: int, layer: Layer) -> dict[str, Any]:
        digest = self.layers[number].digest
        details = self.config.get("config") or {}
        image = {
            "v": 2,
            "uuid": self.uuids[number],
            "owner": self._imgapi.owner,
            "name": "docker-layer",
            "version": short(digest),
            "state": "active",
            "disabled": False,
            "public": False,
            "published_at": iso(),
            "type": "docker",
            "os": self.config.get("os") or "other",
            "description": self._steps[number],
            "requirements": {},
            "tags": {
                "docker:repo": self._repo,
                "docker:id": digest,
                "docker:architecture": self.config.get("architecture") or "amd64",
                "docker:config": {key: details.get(key) for key in _SHOWN_CONFIG},
            },
            "files": [file_record(layer.facts, {"uncompressedDigest": layer.diff_id})],
        }
        if number:
            image["origin"] = self.uuids[number - 1]
        return image


def file_record(facts: Facts, extra: Mapping[str, str]) -> dict[str, Any]:
    """Describe a stored file, with what its manifest doesn't show."""
    return {
        "sha1": facts.sha1,
        "size": facts.size,
        "compression": facts.compression,
        "digest": facts.digest,
        "md5": facts.md5,
        "stor": "local",
        **extra,
    }


def _diff_ids(config: dict[str, Any]) -> list[str]:
    rootfs = config.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    return [str(item) for item in found] if isinstance(found, list) else []


def _steps(config: dict[str, Any], count: int) -> list[str]:
    """Tell by which command each layer was made; empty where the history doesn't say."""
    history = config.get("history")
    entries = [item for item in history if isinstance(item, dict)] if isinstance(history, list) else []
    made = [str(item.get("created_by", "")) for item in entries if not item.get("empty_layer")]
    return (made + [""] * count)[:count]

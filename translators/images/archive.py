"""Read an archive of images: Docker's ``manifest.json``, an OCI layout's ``index.json``, or both over one set."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import InvalidParameter
from translators.images.blobs import sha256
from translators.images.layout import blob_path
from translators.platforms import ARCHITECTURE as OURS

Json = dict[str, Any]

_MOST_CONFIG = 8 * 1024 * 1024
_DEEPEST = 4
"""Indexes within indexes."""
_LAYERS = ("application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar")


class _Descriptor(msgspec.Struct, rename="camel"):
    digest: str = ""
    size: int = 0
    media_type: str = ""
    platform: dict[str, Any] | None = None
    annotations: dict[str, Any] | None = None


class _Body(msgspec.Struct):
    """An index or a manifest."""

    manifests: list[_Descriptor] | None = None
    config: _Descriptor | None = None
    layers: list[_Descriptor] | None = None


class _Manifest(msgspec.Struct):
    """A manifest that was found to be whole."""

    config: _Descriptor
    layers: list[_Descriptor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One image of an archive; nothing in it is verified yet."""

    config: bytes
    layers: list[tarfile.TarInfo]
    """Base first."""
    tags: list[str]
    manifest: bytes | None
    """Names the layers' members by their digests; None when the archive has no such manifest, or not its blobs."""

    @property
    def digests(self) -> list[str]:
        """What the manifest names the layers, base first."""
        return [layer.digest for layer in _manifest(self.manifest).layers] if self.manifest else []

    @property
    def diff_ids(self) -> list[str]:
        """Raises InvalidParameter when the config names none."""
        try:
            return [str(digest) for digest in msgspec.json.decode(self.config)["rootfs"]["diff_ids"]]
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise InvalidParameter("invalid archive: an image's config has no rootfs") from error


class Archive:
    """The members of an archive, found by name, through links that stay in it."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._manifests = {_manifest(data).config.digest: data for data, _ in self._indexed()}

    def entries(self) -> list[Entry]:
        """List the images. Raises InvalidParameter for an archive that is neither Docker's nor OCI's."""
        if not self._has("manifest.json") and self._manifests:
            return list(self._of_index())
        try:
            items = msgspec.json.decode(self._read("manifest.json"), type=list[Json])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise InvalidParameter(f"invalid manifest.json in the archive: {error}") from error
        return [self._of_item(item) for item in items]

    def _of_item(self, item: Json) -> Entry:
        config = self._read(str(item.get("Config", "")))
        tags = [str(name) for name in item.get("RepoTags") or []]
        manifest = self._manifests.get(sha256(config))
        if manifest is not None:
            return self._of_manifest(config, manifest, tags)
        layers = [self._member(str(name)) for name in item.get("Layers") or []]
        return Entry(config=config, layers=layers, tags=tags, manifest=None)

    def _of_manifest(self, config: bytes, manifest: bytes, tags: list[str]) -> Entry:
        layers = [self._member(blob_path(layer.digest)) for layer in _manifest(manifest).layers]
        return Entry(config=config, layers=layers, tags=tags, manifest=manifest)

    def _of_index(self) -> Iterator[Entry]:
        """The images of a layout that is no docker archive; its names are those that containerd and skopeo give."""
        tags: dict[bytes, list[str]] = {}
        for manifest, notes in self._indexed():
            name = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name")
            mine = tags.setdefault(manifest, [])
            if isinstance(name, str) and (":" in name or "/" in name):  # a mere tag names no repository
                mine.append(name)
        for manifest, names in tags.items():
            config = self._read(blob_path(_manifest(manifest).config.digest))
            yield self._of_manifest(config, manifest, names)

    def _indexed(self) -> Iterator[tuple[bytes, Json]]:
        """Every manifest for our machines that is here with all its blobs, with its descriptor's annotations."""
        if self._has("index.json"):
            yield from self._walk(_body(self._read("index.json")), _DEEPEST)

    def _walk(self, index: _Body, depth: int) -> Iterator[tuple[bytes, Json]]:
        for item in index.manifests or []:
            if not self._has(blob_path(item.digest)) or (item.platform or {}).get("architecture", OURS) != OURS:
                continue
            data = self._read(blob_path(item.digest))
            body, notes = _body(data), item.annotations or {}
            if body.manifests and depth:
                yield from ((found, notes | more) for found, more in self._walk(body, depth - 1))
            elif sha256(data) == item.digest and self._is_whole(body):
                yield data, notes

    def _is_whole(self, manifest: _Body) -> bool:
        layers = manifest.layers or []
        blobs = [layer for layer in (manifest.config, *layers) if layer is not None]
        return (
            len(blobs) == len(layers) + 1 > 1
            and all(layer.media_type.startswith(_LAYERS) for layer in layers)
            and all(self._size(blob_path(blob.digest)) == blob.size for blob in blobs)
        )

    def _size(self, name: str) -> int | None:
        return self._member(name).size if self._has(name) else None

    def _has(self, name: str) -> bool:
        try:
            self._tar.getmember(name)
        except KeyError:
            return False
        return True

    def _member(self, name: str) -> tarfile.TarInfo:
        """Find a regular file, through links."""
        try:
            member = self._tar.getmember(name)
            for _ in range(8):
                if not (member.issym() or member.islnk()):
                    break
                member = self._tar._find_link_target(member)  # type: ignore[attr-defined]  # inside the archive only
        except KeyError as error:
            raise InvalidParameter(f"invalid archive: {name} is missing") from error
        if not member.isreg():
            raise InvalidParameter(f"invalid archive: {name} is not a file")
        return member

    def _read(self, name: str) -> bytes:
        member = self._member(name)
        if member.size > _MOST_CONFIG:
            raise InvalidParameter(f"invalid archive: {name} is too large")
        file = self._tar.extractfile(member)
        return file.read() if file else b""


def _body(data: bytes) -> _Body:
    try:
        return msgspec.json.decode(data, type=_Body)
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"invalid archive: {error}") from error


def _manifest(data: bytes) -> _Manifest:
    return msgspec.json.decode(data, type=_Manifest)

"""Read image manifests and indexes, Docker's and OCI's, and choose this machine's platform."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass

import msgspec

from datacenter.images.errors import RegistryError
from grammars.references import is_digest

_DOCKER = "application/vnd.docker.distribution.manifest"
_OCI = "application/vnd.oci.image"
MANIFEST_TYPES = (f"{_OCI}.manifest.v1+json", f"{_DOCKER}.v2+json")
INDEX_TYPES = (f"{_OCI}.index.v1+json", f"{_DOCKER}.list.v2+json")
ACCEPT = ", ".join(MANIFEST_TYPES + INDEX_TYPES)
_SCHEMA1 = f"{_DOCKER}.v1+"
_CONFIG_TYPES = ("application/vnd.docker.container.image.v1+json", f"{_OCI}.config.v1+json")
_LAYER_TYPES = (
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    f"{_OCI}.layer.v1.tar",
    f"{_OCI}.layer.v1.tar+gzip",
    f"{_OCI}.layer.v1.tar+zstd",
)

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_VARIANTS = {"amd64": ("", "v1"), "arm64": ("", "v8"), "arm": ("v7", "v6", "v5", "")}


class Platform(msgspec.Struct, frozen=True):
    os: str = ""
    architecture: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A blob or manifest by digest; ``size`` in bytes."""

    digest: str
    size: int
    media_type: str = ""
    platform: Platform | None = None


class _Body(msgspec.Struct, rename="camel"):
    """The union of all forms; which it is, its media type says, or else what it has."""

    schema_version: int = 2
    media_type: str = ""
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None


@dataclass(frozen=True)
class Manifest:
    """One image of one platform. ``text`` is the exact manifest, ``digest`` is sha256 of it."""

    text: str
    digest: str
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """Bytes of all layers as the registry keeps them."""
        return sum(layer.size for layer in self.layers)


@dataclass(frozen=True)
class Index:
    """Manifests for several platforms."""

    digest: str
    manifests: tuple[Descriptor, ...]


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def machine() -> Platform:
    """Say what this machine runs, in Go's names."""
    name = platform.machine()
    return Platform("linux", _ARCHITECTURES.get(name, name))


def read(data: bytes, content_type: str) -> Manifest | Index:
    """Parse what a registry answered for a manifest.

    Raises RegistryError: NotImplemented for schema 1, foreign artifacts and layers we can't unpack,
    Download for JSON that is no manifest at all.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        body = msgspec.json.decode(data, type=_Body)
        text = data.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistryError("Download", "the registry's manifest is not valid") from error
    if body.media_type and not kind.startswith("application/vnd."):
        kind = body.media_type
    if kind.startswith(_SCHEMA1) or body.schema_version != 2:
        raise RegistryError("NotImplemented", "manifest version 2, schema 1 is not supported")
    if kind in INDEX_TYPES or (kind not in MANIFEST_TYPES and body.manifests is not None):
        return Index(digest_of(data), tuple(_checked(item) for item in body.manifests or ()))
    if body.config is None or not body.layers:
        raise RegistryError("NotImplemented", f"unsupported manifest of type {kind or 'unknown'}")
    if body.config.media_type not in _CONFIG_TYPES:
        raise RegistryError("NotImplemented", f"unsupported media type {body.config.media_type}")
    for layer in body.layers:
        if layer.media_type not in _LAYER_TYPES:
            raise RegistryError("NotImplemented", f"unsupported layer media type {layer.media_type}")
    if kind not in MANIFEST_TYPES:  # OCI manifests need not say what they are
        kind = MANIFEST_TYPES[body.config.media_type == _CONFIG_TYPES[0]]
    return Manifest(text, digest_of(data), kind, _checked(body.config), tuple(map(_checked, body.layers)))


def _checked(item: Descriptor) -> Descriptor:
    if not item.digest.startswith("sha256:") or not is_digest(item.digest) or item.size < 0:
        raise RegistryError("Download", "the registry's manifest holds a bad digest or size")
    return item


def choose(index: Index, wanted: Platform) -> Descriptor:
    """Pick the manifest that runs here, the plainest variant first. Raises ResourceNotFound when none does."""
    fitting = {
        item.platform.variant: item
        for item in reversed(index.manifests)  # of equals, the first stays
        if item.platform is not None
        and (item.platform.os, item.platform.architecture) == (wanted.os, wanted.architecture)
    }
    for variant in _VARIANTS.get(wanted.architecture, ("",)):
        if variant in fitting:
            return fitting[variant]
    if len(index.manifests) == 1 and index.manifests[0].platform is None:
        return index.manifests[0]
    raise RegistryError(
        "ResourceNotFound",
        f"no matching manifest for {wanted.os}/{wanted.architecture} in the manifest list entries",
    )

"""Push: bring an image's layers, its config and its manifest to a registry. Facts: sdc-apis 6.6."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent.pool
import msgspec

from datacenter.images.errors import RegistryError
from datacenter.images.manifests import Descriptor, Manifest, digest_of, read
from datacenter.images.registry_auth import Credentials
from datacenter.images.registry_push import Blob, Target
from datacenter.restify import RestError
from datacenter.services.imgapi.lines import Told
from datacenter.services.imgapi.refusals import refuse
from grammars import imageconfig
from grammars.dockerids import layer_uuids
from grammars.references import DEFAULT_TAG, Reference, parse

if TYPE_CHECKING:
    from datacenter.services.imgapi.model import Imgapi

LAYERS_AT_ONCE = 3


class Record(msgspec.Struct):
    """What a gateway keeps of an image, and gives back to have it pushed."""

    manifest_str: str
    config_digest: str
    image: dict[str, Any]
    config_str: str = ""
    """Ours: the config's bytes where ``image`` can't tell them."""
    sources: list[str] = []
    """Ours: names of repositories, ``index/name``, that the pusher has the image from."""


@dataclass(frozen=True)
class Parcel:
    """All that a push carries, proven to belong together."""

    manifest: Manifest
    config: bytes
    files: tuple[Path, ...]
    """The layers' files in the form that their digests are of, base first."""
    sources: tuple[str, ...]
    """Repositories, ``index/name``, that the layers may be mounted from."""

    def beside(self, reference: Reference) -> list[str]:
        """Name the sources that lie in a reference's registry, in that registry's words."""
        found = map(parse, self.sources)
        same = [known.remote_name for known in found if known.index == reference.index]
        return [name for name in dict.fromkeys(same) if name != reference.remote_name]


def pack(imgapi: Imgapi, uuid: str, body: object) -> Parcel:
    """Find what a record speaks of. Raises 422 ValidationFailed for a record that contradicts itself or the image."""
    try:
        record = msgspec.convert(body, Record)
        manifest = read(record.manifest_str.encode(), "")
    except msgspec.ValidationError as error:
        raise _invalid(f"invalid image record: {error}") from error
    except RegistryError as error:
        raise _invalid(f"invalid manifest_str: {error.message}") from error
    if not isinstance(manifest, Manifest) or manifest.config.digest != record.config_digest:
        raise _invalid("manifest_str is not that of config_digest")
    config = record.config_str.encode() or imageconfig.exact(record.image, record.config_digest)
    if config is None or digest_of(config) != record.config_digest:
        raise _invalid("the image's config has another digest than config_digest")
    uuids = layer_uuids([layer.digest for layer in manifest.layers])
    if uuids[-1] != uuid:
        raise _invalid(f"manifest_str is not that of image {uuid}")
    layers = zip(uuids, manifest.layers, strict=True)
    files = tuple(_file(imgapi, layer_uuid, layer) for layer_uuid, layer in layers)
    return Parcel(manifest, config, files, tuple(filter(_parses, record.sources)))


def _parses(name: str) -> bool:
    try:
        parse(name)
    except ValueError:
        return False
    return True


def _file(imgapi: Imgapi, uuid: str, layer: Descriptor) -> Path:
    image = imgapi.images.get(uuid)
    if image is None or image["state"] != "active" or image["files"][0]["digest"] != layer.digest:
        raise _invalid(f"layer {layer.digest} is not there as it was pulled")
    return imgapi.files.path(uuid)


def _invalid(message: str) -> RestError:
    return refuse("ValidationFailed", message)


class Push(Told):
    """One image on its way to one tag."""

    def __init__(
        self, imgapi: Imgapi, parcel: Parcel, reference: Reference, who: Credentials | None, request_id: str
    ) -> None:
        super().__init__(request_id)
        self._registry = imgapi.registry
        self._parcel = parcel
        self._reference = reference
        self._who = who

    def work(self) -> None:
        manifest, tag = self._parcel.manifest, self._reference.tag or DEFAULT_TAG
        target = self._registry.target(Target, self._reference, self._who)
        layers = list(dict(zip(manifest.layers, self._parcel.files, strict=True)).items())
        for layer, _ in layers:
            self.progress(layer, "Preparing")
        pool = gevent.pool.Pool(LAYERS_AT_ONCE)
        outcomes = pool.imap(lambda item: self._push_layer(target, *item), layers)
        try:
            for error in outcomes:
                if error is not None:
                    raise error
        finally:
            outcomes.kill()
            pool.kill()
        if not target.has(manifest.config.digest):
            target.put_small(manifest.config, self._parcel.config)
        target.put_manifest(manifest, tag)
        size = len(manifest.text.encode())
        self.say("status", {"status": f"{tag}: digest: {manifest.digest} size: {size}"})
        aux = {"Tag": tag, "Digest": manifest.digest, "Size": size}
        self.say("progress", {"progressDetail": {}, "aux": aux})

    def _push_layer(self, target: Target, layer: Descriptor, path: Path) -> Exception | None:
        """Bring one layer in; what went wrong is returned, for the layers beside it to be stopped."""
        try:
            if target.has(layer.digest):
                self.progress(layer, "Layer already exists")
                return None
            for source in self._parcel.beside(self._reference):
                if target.mount(layer.digest, source):
                    self.progress(layer, f"Mounted from {source}")
                    return None
            self.progress(layer, "Pushing", {"current": 0, "total": layer.size})
            target.upload(layer, Blob(path, layer.size, self.meter(layer, "Pushing")))
            self.progress(layer, "Pushed")
        except (RegistryError, OSError) as error:
            return error
        return None

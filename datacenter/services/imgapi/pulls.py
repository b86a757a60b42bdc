"""import-docker-image: pull an image from its registry, telling how it goes line by line.

Facts: the stream of IMGAPI 4.13.1 as captured; sdc-apis 6.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gevent.pool
import msgspec

from datacenter.images.downloads import Layer
from datacenter.images.errors import RegistryError
from datacenter.images.manifests import Manifest
from datacenter.images.registry import Repository, Resolved
from datacenter.images.registry_auth import Credentials
from datacenter.services.imgapi.layers import Chain
from datacenter.services.imgapi.lines import Told
from grammars import imageconfig
from grammars.dockerids import short
from grammars.references import Reference

if TYPE_CHECKING:
    from datacenter.services.imgapi.model import Imgapi

LAYERS_AT_ONCE = 5


class Pull(Told):
    """One pull of an image for this machine."""

    def __init__(self, imgapi: Imgapi, reference: Reference, who: Credentials | None, request_id: str) -> None:
        super().__init__(reference.canonical_name)
        self.imgapi = imgapi
        self._reference = reference
        self._who = who
        self._request_id = request_id

    def work(self) -> None:
        reference = self._reference
        repository, resolved = self.imgapi.registry.open(reference, self._who)
        manifest = resolved.manifest
        config_text = repository.config(manifest.config)
        chain = Chain(self.imgapi, reference, manifest, _read_config(config_text))
        target = reference.tag or reference.digest
        status = f"{target}: Pulling from {reference.local_name} (req {self._request_id})"
        self.say("status", {"status": status})
        fresh = self._pull_layers(repository, manifest, chain)
        self.put({**_record(chain, resolved, config_text), "id": reference.canonical_name})
        self.say("status", {"status": f"Digest: {resolved.digest}"})
        outcome = "Downloaded newer image for" if fresh else "Image is up to date for"
        self.say("status", {"status": f"Status: {outcome} {reference}"})

    def _pull_layers(self, repository: Repository, manifest: Manifest, chain: Chain) -> bool:
        """Bring every layer in; whether any was new. Layers become images base first."""
        for layer in manifest.layers:
            self.say("status", {"id": short(layer.digest), "progressDetail": {}, "status": "Pulling fs layer"})
        missing = []
        for number, layer in enumerate(manifest.layers):
            if chain.present(number):
                self.progress(layer, "Already exists")
            else:
                self.progress(layer, "Pulling fs layer")
                missing.append(number)
        fetches = [_Fetch(self, repository, chain, number) for number in missing]
        pool = gevent.pool.Pool(LAYERS_AT_ONCE)
        results = pool.imap(_Fetch.run, fetches)
        try:
            for number, fetched in zip(missing, results, strict=True):
                if isinstance(fetched, Exception):
                    raise fetched
                layer = manifest.layers[number]
                self.progress(layer, "Activating image")
                chain.activate(number, fetched)
                self.progress(layer, "Pull complete")
        finally:
            results.kill()
            pool.kill()
            for fetch in fetches:
                fetch.release()
        return bool(missing)


class _Fetch:
    """One layer's way here, as one pull sees it."""

    def __init__(self, pull: Pull, repository: Repository, chain: Chain, number: int) -> None:
        self._pull = pull
        self._repository = repository
        self._chain = chain
        self._number = number
        self._layer = chain.layers[number]
        self._watch = pull.meter(self._layer, "Downloading")
        self._fetched = False

    def run(self) -> Layer | Exception:
        """Return the layer, from another image's file or from the registry; or what went wrong."""
        cached = self._chain.cached(self._number)
        if cached is not None:
            self._pull.progress(self._layer, "Download complete (cached)")
            return cached
        try:
            fetched = self._pull.imgapi.downloads.fetch(self._repository, self._layer, self._watch)
        except (RegistryError, OSError) as error:
            return error
        self._fetched = True
        self._pull.progress(self._layer, "Download complete")
        return fetched

    def release(self) -> None:
        if self._fetched:
            self._pull.imgapi.downloads.release(self._layer, self._watch)


def _record(chain: Chain, resolved: Resolved, config_text: bytes) -> dict[str, Any]:
    """What a gateway keeps of an image. ``config_str`` is ours: it is there when ``image`` can't tell the bytes."""
    manifest = resolved.manifest
    record = {
        "type": "create-docker-image",
        "config_digest": manifest.config.digest,
        "head": True,
        "image": chain.config,
        "image_uuid": chain.uuids[-1],
        "manifest_digest": resolved.digest,
        "manifest_str": manifest.text,
        "size": manifest.size,
        "dockerImageVersion": "2.2",
    }
    if imageconfig.exact(chain.config, manifest.config.digest) is None:
        record["config_str"] = config_text.decode()
    return record


def _read_config(text: bytes) -> dict[str, Any]:
    try:
        config = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RegistryError("Download", "the image's configuration is not valid") from error
    system = config.get("os", "linux")
    if system != "linux":
        raise RegistryError("NotImplemented", f'image operating system "{system}" cannot be used on this platform')
    return config

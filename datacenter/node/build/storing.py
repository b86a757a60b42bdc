"""Layers of a container's changes: written to a file on the node, then given to IMGAPI. Facts: sdc-apis 5.6, 6."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import gevent

from datacenter.clock import iso
from datacenter.node.build.channel import BuildError
from datacenter.node.build.images import EMPTY_LAYER, Layer, layers_of
from datacenter.node.copy import write_layer
from datacenter.node.service import Service, ServiceError
from grammars.dockerids import layer_uuids, short

if TYPE_CHECKING:
    from datacenter.node.agent import Node
    from datacenter.node.zone import Zone

Json = dict[str, Any]
_ADMIN = "00000000-0000-0000-0000-000000000000"
DROP_TRIES, DROP_PAUSE = 120, 0.5
"""How often a layer is tried to be dropped while IMGAPI is away, and the seconds between: the services restart."""


@contextmanager
def taken_layer(node: Node, zone: Zone) -> Iterator[tuple[Layer, BinaryIO]]:
    """Write what a zone changed in its image to a file that vanishes with the block."""
    with cast("BinaryIO", tempfile.TemporaryFile(dir=zone.folder)) as file:
        found = write_layer(node, zone, file)
        file.seek(0)
        yield Layer(found["digest"], found["size"]), file


class LayerStore:
    """IMGAPI, as far as new layers need it. Raises BuildError; nothing half-made stays."""

    def __init__(self, url: str) -> None:
        self._url = url

    def put(self, model: Mapping[str, Any], layer: Layer, file: BinaryIO) -> bool:
        """Store the top layer of an image; False when there is nothing to do: the same bytes are on the same chain."""
        if layer.digest == EMPTY_LAYER:
            return False
        uuids = layer_uuids([one["digest"] for one in layers_of(model)])
        service = Service(self._url)
        try:
            return self._store(service, uuids, model, layer, file)
        except OSError as error:
            raise BuildError(f"the layer {short(layer.digest)} could not be stored") from error
        finally:
            service.close()

    def _store(
        self, service: Service, uuids: list[str], model: Mapping[str, Any], layer: Layer, file: BinaryIO
    ) -> bool:
        path = f"/images/{uuids[-1]}"
        if _state(service, path) == "active":
            return False
        origin = uuids[-2] if len(uuids) > 1 else None
        placeholder = _placeholder(uuids[-1], origin, layer, model["image"])
        try:
            with _unless_done("ImageUuidAlreadyExists"):
                service.call("POST", f"{path}?action=import&skip_owner_check=true", placeholder)
            with _unless_done("ImageAlreadyActivated", "ImageFilesImmutable"):
                stored = service.upload(f"{path}/file?compression=none", file, layer.size)["files"][0]
                digests = {"digest": layer.digest, "uncompressedDigest": layer.digest}
                service.call("POST", f"{path}?action=update", {"files": [{**stored, **digests}]})
                service.call("POST", f"{path}?action=activate")
        except BaseException:
            self.drop(uuids[-1], only_unfinished=True)
            raise
        return True

    def drop(self, uuid: str, *, only_unfinished: bool = False) -> None:
        """Delete a layer that came to nothing, now or as soon as IMGAPI is back. One that others build on stays."""
        if not self._drop(uuid, only_unfinished=only_unfinished):
            gevent.spawn(self._drop_later, uuid, only_unfinished=only_unfinished)

    def _drop_later(self, uuid: str, *, only_unfinished: bool) -> None:
        for _ in range(DROP_TRIES):
            gevent.sleep(DROP_PAUSE)
            if self._drop(uuid, only_unfinished=only_unfinished):
                return

    def _drop(self, uuid: str, *, only_unfinished: bool) -> bool:
        """Whether IMGAPI has answered, whatever."""
        service = Service(self._url)
        try:
            if _state(service, f"/images/{uuid}") != "active" or not only_unfinished:
                service.call("DELETE", f"/images/{uuid}")
        except ServiceError:
            return True  # it is not there, or others build on it
        except OSError:
            return False
        finally:
            service.close()
        return True


def _state(service: Service, path: str) -> str | None:
    try:
        return str(service.call("GET", path)["state"])
    except ServiceError as error:
        if error.status != 404:
            raise
        return None


@contextmanager
def _unless_done(*codes: str) -> Iterator[None]:
    """Let pass that somebody else stored the same layer a moment ago."""
    try:
        yield
    except ServiceError as error:
        if not any(code in str(error) for code in codes):
            raise


def _placeholder(uuid: str, origin: str | None, layer: Layer, image: Mapping[str, Any]) -> Json:
    config = image.get("config") or {}
    history = image.get("history") or [{}]
    tags = {
        "docker:id": layer.digest,
        "docker:architecture": image.get("architecture", "amd64"),
        "docker:config": {key: config.get(key) for key in ("Cmd", "Entrypoint", "Env", "WorkingDir")},
    }
    return {
        "v": 2,
        "uuid": uuid,
        "owner": _ADMIN,
        "name": "docker-layer",
        "version": short(layer.digest),
        "type": "docker",
        "os": "linux",
        "public": False,
        "published_at": iso(),
        "description": str(history[-1].get("created_by") or "")[:500],
        "tags": tags,
        **({"origin": origin} if origin else {}),
    }

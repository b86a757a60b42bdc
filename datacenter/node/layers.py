"""The image layers of a node: fetched from IMGAPI and unpacked once, then shared by all containers."""

from __future__ import annotations

import base64
import re
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import gevent
import msgspec

from datacenter.images.unpack import LayerError, unpack_layer
from datacenter.node.home import Home
from datacenter.node.service import Service, ServiceError
from datacenter.node.tasks import TaskError
from datacenter.node.turns import Turns
from datacenter.node.whole import UNFINISHED, write_whole

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Manifest = dict[str, Any]

PATIENCE_SECONDS = 30.0
AGAIN_SECONDS = 0.25
"""Between two tries to reach IMGAPI."""


def folder_name(image_uuid: str) -> str:
    """A layer's folder, the uuid in base64: the names of 127 layers must fit in one page of mount options."""
    return base64.urlsafe_b64encode(uuid.UUID(image_uuid).bytes).decode().rstrip("=")


class Layers:
    """Folders of unpacked layers, each with its manifest beside it."""

    def __init__(self, home: Home) -> None:
        self._folder = home.layers
        self._url = home.settings.url("imgapi")
        self._turns = Turns()
        self._chains: dict[str, list[str]] = {}

    def ensure(self, image_uuid: str) -> list[str]:
        """Have an image and its origins unpacked; their folders' names, top first.

        Concurrent calls for one layer join. Raises TaskError ImageNotFound or ImageInstallError.
        """
        if image_uuid in self._chains:
            return self._chains[image_uuid]
        names: list[str] = []
        wanted: str | None = image_uuid
        while wanted:
            with self._turns.of(wanted):
                manifest = self._kept(wanted) or self._install(wanted)
            names.append(folder_name(wanted))
            wanted = manifest.get("origin")
        self._chains[image_uuid] = names
        return names

    def discard_unfinished(self) -> None:
        """Clear away what an earlier agent was fetching or unpacking when it died."""
        for path in self._folder.iterdir():
            if path.suffix in {".partial", ".file", UNFINISHED}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _kept(self, image_uuid: str) -> Manifest | None:
        if not _UUID.fullmatch(image_uuid):
            raise TaskError("ImageNotFound", f"not an image uuid: {image_uuid}")
        path = self._folder / f"{folder_name(image_uuid)}.json"
        if not path.exists():
            return None
        found: Manifest = msgspec.json.decode(path.read_bytes())
        return found

    def _install(self, image_uuid: str) -> Manifest:
        """Fetch and unpack a layer; for a while again and again when IMGAPI is away, for it may be starting."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._fetch(image_uuid)
            except (ConnectionError, TimeoutError) as error:
                if time.monotonic() > end:
                    raise TaskError("ImageInstallError", f"image {image_uuid}: {error}") from error
            gevent.sleep(AGAIN_SECONDS)

    def _fetch(self, image_uuid: str) -> Manifest:
        """Try once. Raises TaskError, and ConnectionError or TimeoutError when IMGAPI cannot be reached."""
        service = Service(self._url)
        name = folder_name(image_uuid)
        partial = self._folder / f"{name}.partial"
        packed = self._folder / f"{name}.file"
        try:
            manifest: Manifest = service.call("GET", f"/images/{image_uuid}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(mode=0o755)
            files = manifest.get("files") or []
            if files:
                service.download(f"/images/{image_uuid}/file", packed)
                _unpack(packed, partial, files[0].get("compression") or "none")
        except (ConnectionError, TimeoutError):
            raise
        except ServiceError as error:
            code = "ImageNotFound" if error.status == 404 else "ImageInstallError"
            raise TaskError(code, f"image {image_uuid}: {error}") from error
        except (OSError, LayerError) as error:
            raise TaskError("ImageInstallError", f"image {image_uuid}: {error}") from error
        finally:
            service.close()
            packed.unlink(missing_ok=True)
        shutil.rmtree(self._folder / name, ignore_errors=True)
        partial.rename(self._folder / name)
        write_whole(self._folder / f"{name}.json", msgspec.json.encode(manifest))
        return manifest


def _unpack(packed: Path, target: Path, compression: str) -> None:
    def work() -> None:
        with packed.open("rb") as file:
            unpack_layer(file, target, compression)

    gevent.get_hub().threadpool.apply(work)

"""Push to a Docker registry (HTTP API V2): blobs first, then the manifest that names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import gevent
import requests

from datacenter.images.errors import RegistryError, Unreachable
from datacenter.images.manifests import Descriptor, Manifest
from datacenter.images.pace import CHUNK, breathe
from datacenter.images.registry import Repository, raise_for_status


def _check(response: requests.Response, *good: int) -> None:
    """Raise RegistryError unless the status is good: ``Upload`` for a registry that is there and does not want it."""
    try:
        raise_for_status(response, *good)
    except Unreachable:
        raise
    except RegistryError as error:
        if error.code == "RemoteSourceError":
            raise RegistryError("Upload", error.message) from error
        raise


class Blob:
    """A file on its way out, its bytes as they are. Iterating begins anew; ``sent`` is told how far it is."""

    def __init__(self, path: Path, size: int, sent: Callable[[int], None]) -> None:
        self._path = path
        self._size = size
        self._sent = sent

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        with self._path.open("rb") as file:
            while data := file.read(CHUNK):
                yield data
                done += len(data)
                self._sent(done)
                breathe()


class Target(Repository):
    """A repository that is written to."""

    actions = "pull,push"

    def has(self, digest: str) -> bool:
        """Whether the repository holds a blob already."""
        with self.ask("HEAD", f"blobs/{digest}") as response:
            if response.status_code == 404:
                return False
            _check(response, 200)
            return True

    def mount(self, digest: str, source: str) -> bool:
        """Ask the registry to take a blob from another repository; an upload it begins instead is given up."""
        query = urlencode({"mount": digest, "from": source})
        try:
            with self.ask("POST", f"blobs/uploads/?{query}") as response:
                _check(response, 201, 202)
                if response.status_code == 201:
                    return True
                location = self.beside(response.url, response.headers.get("Location", ""))
            self.ask("DELETE", location).close()
        except RegistryError:
            pass  # it does not know how, or we may not read there: the bytes travel
        return False

    def upload(self, descriptor: Descriptor, blob: Blob) -> None:
        """Bring a blob in, in one stream, again from its start when the connection breaks."""
        for delay in (*self.retry_delays, None):
            try:
                self._send(descriptor, blob)
                break
            except Unreachable:
                if delay is None:
                    raise
                gevent.sleep(delay)

    def put_small(self, descriptor: Descriptor, data: bytes) -> None:
        """Bring in a blob that is at hand, in a single request's body."""
        location = self._begin()
        with self._finish(location, descriptor.digest, data) as response:
            _check(response, 201)

    def put_manifest(self, manifest: Manifest, tag: str) -> None:
        """Give a tag its manifest, byte for byte. Raises RegistryError when the registry understood another one."""
        headers = {"Content-Type": manifest.media_type}
        with self.ask("PUT", f"manifests/{tag}", headers, manifest.text.encode()) as response:
            _check(response, 200, 201)
            named = response.headers.get("Docker-Content-Digest", manifest.digest)
        if named != manifest.digest:
            raise RegistryError("RemoteSourceError", f"the registry stored another manifest: {named}")

    def _begin(self) -> str:
        """Begin an upload; return where its bytes go."""
        with self.ask("POST", "blobs/uploads/") as response:
            _check(response, 202)
            location = response.headers.get("Location")
            if not location:
                raise RegistryError("RemoteSourceError", "the registry does not say where to upload")
            return self.beside(response.url, location)

    def _send(self, descriptor: Descriptor, blob: Blob) -> None:
        location = self._begin()
        headers = {"Content-Type": "application/octet-stream"}
        with self.ask("PATCH", location, headers, blob) as response:
            _check(response, 202, 204)
            location = self.beside(location, response.headers.get("Location", location))
        with self._finish(location, descriptor.digest, b"") as response:
            _check(response, 201, 204)

    def _finish(self, location: str, digest: str, data: bytes) -> requests.Response:
        joint = "&" if "?" in location else "?"
        headers = {"Content-Type": "application/octet-stream"}
        return self.ask("PUT", f"{location}{joint}{urlencode({'digest': digest})}", headers, data)

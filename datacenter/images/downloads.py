"""Layers on their way from registries: one download of each, however many pulls want it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gevent
import gevent.event

from datacenter.images.compression import BAD_STREAM
from datacenter.images.errors import RegistryError
from datacenter.images.files import Facts, ImageFiles, Incoming, diff_id
from datacenter.images.manifests import Descriptor
from datacenter.images.registry import Repository

Watcher = Callable[[int], None]
"""Told how many bytes are there, now and then."""


class Layer:
    """A whole, verified layer file. It is gone after ``release``: link it before."""

    def __init__(self, path: Path, facts: Facts, diff_id: str) -> None:
        self.path = path
        self.facts = facts
        self.diff_id = diff_id


class Download:
    """One blob on its way, in a greenlet of its own, so that no pull's end stops another's."""

    def __init__(self, repository: Repository, descriptor: Descriptor, files: ImageFiles) -> None:
        self._repository = repository
        self._descriptor = descriptor
        self._files = files
        self._result: gevent.event.AsyncResult = gevent.event.AsyncResult()
        self._released = gevent.event.Event()
        self.watchers: set[Watcher] = set()
        self._greenlet = gevent.spawn(self._run)

    @property
    def failed(self) -> bool:
        return self._result.ready() and not self._result.successful()

    def wait(self) -> Layer:
        """Return the layer when it is whole. Raises RegistryError, or OSError when the disk fails."""
        layer: Layer = self._result.get()
        return layer

    def stop(self) -> None:
        """Nobody wants it any more: break off, or drop the file."""
        self._released.set()
        if not self._result.ready():
            self._greenlet.kill(block=False)

    def _run(self) -> None:
        with self._files.incoming() as incoming:
            try:
                self._result.set(self._fetch(incoming))
            except (RegistryError, OSError) as error:
                self._result.set_exception(error)
                return
            self._released.wait()

    def _fetch(self, incoming: Incoming) -> Layer:
        self._repository.download(self._descriptor, _Watched(incoming, self.watchers))
        facts = incoming.finish()
        try:
            pool = gevent.get_hub().threadpool
            plain = pool.apply(diff_id, (incoming.path, facts.compression))
        except BAD_STREAM as error:
            raise RegistryError("Download", f"bad layer {self._descriptor.digest}: {error}") from error
        return Layer(incoming.path, facts, plain)


class _Watched:
    """A sink that tells watchers how far it is."""

    def __init__(self, sink: Incoming, watchers: set[Watcher]) -> None:
        self._sink = sink
        self._watchers = watchers

    @property
    def size(self) -> int:
        return self._sink.size

    @property
    def digest(self) -> str:
        return self._sink.digest

    def write(self, data: bytes) -> None:
        self._sink.write(data)
        for watcher in tuple(self._watchers):
            watcher(self._sink.size)

    def restart(self) -> None:
        self._sink.restart()


class Downloads:
    """The blobs being downloaded now, by digest."""

    def __init__(self, files: ImageFiles) -> None:
        self._files = files
        self._running: dict[str, Download] = {}

    def fetch(self, repository: Repository, descriptor: Descriptor, watcher: Watcher) -> Layer:
        """Return a layer's verified file, downloading it or joining whoever does; ``release`` it afterwards.

        When a joined download fails, the next try is our own: another's broken registry is not our failure.
        """
        while True:
            download = self._running.get(descriptor.digest)
            own = download is None
            if download is None:
                download = self._running[descriptor.digest] = Download(repository, descriptor, self._files)
            download.watchers.add(watcher)
            try:
                return download.wait()
            except (RegistryError, OSError):
                self._leave(descriptor.digest, download, watcher)
                if own:
                    raise
            except BaseException:
                self._leave(descriptor.digest, download, watcher)
                raise

    def release(self, descriptor: Descriptor, watcher: Watcher) -> None:
        """Give up a fetched layer; the last to do so removes the file."""
        download = self._running.get(descriptor.digest)
        if download is not None:
            self._leave(descriptor.digest, download, watcher)

    def _leave(self, digest: str, download: Download, watcher: Watcher) -> None:
        download.watchers.discard(watcher)
        if (not download.watchers or download.failed) and self._running.get(digest) is download:
            del self._running[digest]
        if not download.watchers:
            download.stop()

"""Long work with a registry, told line by line to whoever listens. Facts: sdc-apis 6.4, 6.6."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import gevent
import gevent.queue

from datacenter.images.errors import RegistryError
from datacenter.images.manifests import Descriptor
from grammars.dockerids import short

Line = dict[str, Any]

_STEP = 512 * 1024
"""Bytes between two lines of one layer's progress."""


class Told:
    """Work in a greenlet of its own: it goes on to its end when its listener leaves.

    Subclasses do it in ``work`` and raise RegistryError; the last line is then an error. ``name`` is the id of
    every line.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: gevent.queue.SimpleQueue = gevent.queue.SimpleQueue()
        self._heard = True

    def work(self) -> None:
        raise NotImplementedError

    def lines(self) -> Generator[Line, None, None]:
        """Do the work, and yield what happens."""
        gevent.spawn(self._run)
        try:
            while (line := self._lines.get()) is not None:
                yield line
        finally:
            self._heard = False

    def say(self, kind: str, payload: dict[str, Any]) -> None:
        self.put({"type": kind, "payload": payload, "id": self._name})

    def progress(self, layer: Descriptor, status: str, detail: dict[str, Any] | None = None) -> None:
        payload: dict[str, Any] = {"id": short(layer.digest), "status": status}
        if detail is not None:
            payload["progressDetail"] = detail
        self.say("progress", payload)

    def meter(self, layer: Descriptor, status: str) -> Callable[[int], None]:
        """Return a watcher that tells a layer's bytes, now and then."""
        began, told = int(time.time()), 0

        def watch(current: int) -> None:
            nonlocal told
            if current - told >= _STEP:
                told = current
                self.progress(layer, status, {"current": current, "total": layer.size, "start": began})

        return watch

    def put(self, line: Line | None) -> None:
        if self._heard:
            self._lines.put(line)

    def _run(self) -> None:
        try:
            self.work()
        except RegistryError as error:
            self._fail(error.code, error.message)
        except OSError as error:
            self._fail("InternalError", f"storing the image failed: {error.strerror}")
        finally:
            self.put(None)

    def _fail(self, code: str, message: str) -> None:
        self.put({"type": "error", "id": self._name, "error": {"code": code, "message": message}})

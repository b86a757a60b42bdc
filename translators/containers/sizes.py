"""The last console size of each container, for nodes that take sizes only over the attached stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sdc.stdio import Console

_KEPT = 1000


class ConsoleSizes:
    """Sizes that came before their stream wait for it. Holds for one worker, as the stream does."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[int, int]] = {}
        self._open: dict[str, list[Console]] = {}

    @contextmanager
    def attached(self, vm_uuid: str, console: Console) -> Iterator[None]:
        """Keep a console known while it is joined; a waiting size is sent at once."""
        self._open.setdefault(vm_uuid, []).append(console)
        waiting = self._waiting.pop(vm_uuid, None)
        if waiting:
            console.resize(*waiting)
        try:
            yield
        finally:
            consoles = self._open[vm_uuid]
            consoles.remove(console)
            if not consoles:
                del self._open[vm_uuid]

    def resize(self, vm_uuid: str, width: int, height: int) -> None:
        consoles = self._open.get(vm_uuid)
        if not consoles:
            self._waiting[vm_uuid] = (width, height)
            while len(self._waiting) > _KEPT:
                del self._waiting[next(iter(self._waiting))]
            return
        for console in consoles:
            console.resize(width, height)


console_sizes = ConsoleSizes()

"""The files of one log: the one conmon writes and, with Docker's ``max-file``, those it wrote before.

When a log is full conmon starts a new file over the old one. A zone that is to keep earlier ones has a second name
for the present file, ``stdio.log.0``, which still leads to it then; the older ones are ``stdio.log.1`` and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gevent
import msgspec
from gevent import get_hub
from gevent.event import Event

from datacenter.node.ending import Ending
from datacenter.node.logfile import LogFile
from datacenter.node.zone import Zone


def max_files(zone: Zone) -> int:
    """How many files the zone's log may have, as ``docker:logconfig`` says; 1 when it says nothing."""
    options = msgspec.json.decode(zone.metadata.get("docker:logconfig") or "{}")
    return int(options.get("max-file") or 1)


def keep_earlier(zone: Zone) -> None:
    """Keep the earlier files of a running zone's log for as long as this life of it lasts."""
    if max_files(zone) > 1:
        gevent.spawn(_keep, zone)


def _keep(zone: Zone) -> None:
    with changes(zone) as (changed, ending):
        while True:
            changed.clear()
            over = ending.seen.is_set()
            with suppress(FileNotFoundError):  # the zone is being destroyed
                turn(zone.log_path, max_files(zone))
            if over:
                return
            changed.wait()


def turn(path: Path, most: int) -> None:
    """Give the present file its second name; if another has that, it and all older ones become one older.

    At most ``most`` files stay, the present one among them.
    """
    known = _named(path, 0)
    if known.exists():
        if known.samefile(path):
            return
        _named(path, most - 1).unlink(missing_ok=True)
        for age in range(most - 2, -1, -1):
            with suppress(FileNotFoundError):
                _named(path, age).rename(_named(path, age + 1))
    with suppress(FileExistsError):
        known.hardlink_to(path)


def _named(path: Path, age: int) -> Path:
    return path.with_name(f"{path.name}.{age}")


@contextmanager
def changes(zone: Zone) -> Iterator[tuple[Event, Ending]]:
    """An event set when the log's file changes or the zone ends; the loop's one inotify serves all who wait."""
    changed = Event()
    ending = Ending(zone, wake=changed)
    watcher = get_hub().loop.stat(str(zone.log_path), 0)
    watcher.start(changed.set)
    try:
        yield changed, ending
    finally:
        ending.forget()
        watcher.stop()
        watcher.close()


def open_files(path: Path, *, earlier: bool = True) -> list[LogFile]:
    """Open the files of a log, oldest first; the last is the one being written, when there is one yet."""
    names = [path]
    if earlier:
        names += sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=lambda name: int(name.suffix[1:]))
    files: list[LogFile] = []
    for name in names:  # newest first: a file that grows older meanwhile is met twice, none is missed
        with suppress(FileNotFoundError):
            log = LogFile(name.open("rb", buffering=0))
            if any(log.inode == other.inode for other in files):
                log.close()
            else:
                files.insert(0, log)
    return files


Begin = Callable[[list[LogFile]], list[LogFile]]
"""Takes a log's files, oldest first, and leaves those to be read, each where reading begins; closes the others."""


def from_tail(lines: int) -> Begin:
    """Begin with the last ``lines`` lines."""

    def begin(files: list[LogFile]) -> list[LogFile]:
        missing = lines
        chosen: list[LogFile] = []
        for log in reversed(files):
            if missing or not chosen:
                missing = log.seek_tail(missing)
                chosen.insert(0, log)
            else:
                log.close()
        return chosen

    return begin


def everything(files: list[LogFile]) -> list[LogFile]:
    return files


class LogReader:
    """A zone's log from some beginning, on through conmon's changes of file."""

    def __init__(self, path: Path, begin: Begin = everything) -> None:
        self._path = path
        self._begin: Begin | None = begin
        self._earlier: list[LogFile] = []
        self._log: LogFile | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield what is there now and was not yet read, in blocks of whole records."""
        if self._log is None:
            self._open()
        while self._earlier:
            yield from self._earlier[0].blocks()
            self._earlier.pop(0).close()
        while self._log is not None:
            yield from self._log.blocks()
            if self._is_current():
                return
            yield from self._log.blocks()
            self._log.close()
            self._log = None
            self._open()

    def place(self) -> tuple[int, int]:
        """Inode and offset of what comes next; zeros before there is a file."""
        return (self._log.inode, self._log.offset) if self._log is not None else (0, 0)

    def _open(self) -> None:
        """Open the present file; the first time, with the earlier ones that ``begin`` wants."""
        begin, self._begin = self._begin, None
        files = open_files(self._path, earlier=begin is not None)
        if begin is not None:
            files = begin(files)
        if files:
            *self._earlier, self._log = files

    def _is_current(self) -> bool:
        assert self._log is not None
        try:
            return self._path.stat().st_ino == self._log.inode
        except FileNotFoundError:
            return True

    def close(self) -> None:
        for log in self._earlier:
            log.close()
        self._earlier.clear()
        if self._log is not None:
            self._log.close()
            self._log = None

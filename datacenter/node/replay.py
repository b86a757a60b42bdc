"""Give a new attachment the log before the live output, without a gap or a repetition.

Docker: POST /containers/{id}/attach?logs=1   SDC: CNAPI docker-exec {AttachConsole: true, Logs: true}
"""

from __future__ import annotations

from datacenter.node.client import Client
from datacenter.node.console import Console
from datacenter.node.logfile import LineMaker
from datacenter.node.logfiles import open_files
from datacenter.node.zone import Zone

Output = tuple[int, bytes]
"""A stream's kind, and what it gave."""


def log_size(zone: Zone) -> int:
    try:
        return zone.log_path.stat().st_size
    except FileNotFoundError:
        return 0


def replay(zone: Zone, client: Client, console: Console | None, wanted: frozenset[int], known: tuple[int, int]) -> None:
    """Send the log up to where the console's output begins, and what of that waits already.

    ``known`` are the log's sizes just before and after the console was connected. What conmon logged in between
    waits in the console too, from some place on, and nothing says from which; so it is cut where both agree.
    """
    sure, doubtful = known
    maker = LineMaker(wanted=wanted)
    files = open_files(zone.log_path)
    if not files:
        return
    *earlier, log = files
    for old in earlier:
        with old.file:
            for block in old.blocks():
                client.lines(maker.feed(block))
    with log.file:
        for block in log.blocks(end=sure):
            client.lines(maker.feed(block))
        runs = [run for block in log.blocks(end=doubtful) for run in maker.feed(block)]
    runs += maker.rest()
    waiting = console.waiting(doubtful - sure) if console is not None else []
    live = [(kind, data) for kind, data in waiting if kind in wanted]
    for kind, data in [*without_overlap([(kind, b"".join(lines)) for kind, lines in runs], live), *live]:
        client.output(kind, data)


def without_overlap(logged: list[Output], live: list[Output]) -> list[Output]:
    """What of the log is not in the live output too; each stream by itself, as conmon reads one after the other."""
    left = {kind: len(cut_overlap(_of(kind, logged), _of(kind, live))) for kind, _ in logged}
    kept = []
    for kind, data in logged:
        kept.append((kind, data[: left[kind]]))
        left[kind] -= len(kept[-1][1])
    return [run for run in kept if run[1]]


def _of(wanted: int, outputs: list[Output]) -> bytes:
    return b"".join(data for kind, data in outputs if kind == wanted)


def cut_overlap(logged: bytes, live: bytes) -> bytes:
    """The part of ``logged`` before the place from which on it is the beginning of ``live``, or contains all of it."""
    if not live:
        return logged
    at = logged.find(live)
    return logged[:at] if at >= 0 else logged[: len(logged) - _longest_end(logged, live)]


def _longest_end(text: bytes, word: bytes) -> int:
    """How long the longest end of ``text`` is that ``word`` begins with; by Knuth, Morris and Pratt, in linear time.

    A container can write what would have a simpler search take minutes.
    """
    shorter = [0] * len(word)
    """For each beginning of the word: how long the longest shorter one is that it ends with."""
    size = 0
    for at in range(1, len(word)):
        size = _grown(word, shorter, size, word[at])
        shorter[at] = size
    size = 0
    for byte in text[-len(word) + 1 :] if len(word) > 1 else b"":
        size = _grown(word, shorter, size, byte)
    return size


def _grown(word: bytes, shorter: list[int], size: int, byte: int) -> int:
    """The length of what is matched after one more byte, of the ``size`` before it."""
    while size and word[size] != byte:
        size = shorter[size - 1]
    return size + 1 if word[size] == byte else 0

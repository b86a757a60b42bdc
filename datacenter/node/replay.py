"""Give a new attachment the log before the live output, without a gap or a repetition.

Docker: POST /containers/{id}/attach?logs=1   SDC: CNAPI docker-exec {AttachConsole: true, Logs: true}
"""

from __future__ import annotations

from datacenter.node.client import Client
from datacenter.node.console import Console
from datacenter.node.logfile import LineMaker
from datacenter.node.logfiles import open_files
from datacenter.node.zone import Zone


def log_size(zone: Zone) -> int:
    try:
        return zone.log_path.stat().st_size
    except FileNotFoundError:
        return 0


def replay(zone: Zone, client: Client, console: Console | None, wanted: frozenset[int], known: tuple[int, int]) -> None:
    """Send the log up to where the console's output begins.

    ``known`` are the log's sizes just before and after the console was connected. What conmon logged in between
    may wait in the console too, and nothing says from where on; so it is cut where it agrees with the first
    waiting packet.
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
    for kind, lines in runs:
        live = console.peek(kind) if console is not None else b""
        client.output(kind, cut_overlap(b"".join(lines), live))


def cut_overlap(logged: bytes, live: bytes) -> bytes:
    """The part of ``logged`` before the place from which on it is the beginning of ``live``."""
    at = logged.find(live[:1]) if live else -1
    while at >= 0:
        rest = logged[at:]
        if rest[: len(live)] == live[: len(rest)]:
            return logged[:at]
        at = logged.find(live[:1], at + 1)
    return logged

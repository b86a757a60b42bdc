"""Serving and following a log, with a file in conmon's form and no container."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent import socket

from datacenter.node.frames import HEADER, STDERR, STDOUT, Frames
from datacenter.node.logs import LogQuery, serve_logs
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Life, Zone

STAMP = "2026-11-23T18:00:00.000000000+00:00"


class Writer:
    """Writes the log as conmon does, and begins a new one as it does when the old is full."""

    def __init__(self, path) -> None:
        self.path = path

    def write(self, text, stream="stdout", flag="F"):
        with self.path.open("a") as log:
            log.write(f"{STAMP} {stream} {flag} {text}\n")

    def begin_anew(self):
        fresh = self.path.with_suffix(".tmp")
        fresh.touch()
        fresh.rename(self.path)


@pytest.fixture
def zone(tmp_path):
    folder = tmp_path / "z"
    folder.mkdir()
    record = {"uuid": "6f0c7f3e-0000-4000-8000-000000000000", "internal_metadata": {}}
    return Zone(folder, record, Life(state="running"))


@pytest.fixture
def log(zone):
    return Writer(zone.log_path)


class Reader:
    def __init__(self, zone, **command):
        self.client = socket.create_connection(("127.0.0.1", serve_logs(zone, command, Frames())), timeout=10)

    def take(self, size):
        data = b""
        while len(data) < size:
            part = self.client.recv(size - len(data))
            if not part:
                return None
            data += part
        return data

    def frame(self):
        header = self.take(HEADER.size)
        if header is None:
            return None
        kind, size = HEADER.unpack(header)
        return kind, self.take(size)

    def rest(self):
        return list(iter(self.frame, None))


def test_without_follow_it_ends_at_the_end(zone, log):
    log.write("one")
    log.write("two", "stderr")
    assert Reader(zone).rest() == [(STDOUT, b"one\n"), (STDERR, b"two\n")]


def test_follow_goes_on_until_the_zone_ends(zone, log):
    log.write("one")
    reader = Reader(zone, Follow=True)
    assert reader.frame() == (STDOUT, b"one\n")
    log.write("tw", flag="P")
    log.write("o")
    assert reader.frame() == (STDOUT, b"two\n")
    log.write("last", flag="P")
    zone.change_life(state="stopped", exit_status=0)
    assert reader.rest() == [(STDOUT, b"last")]


def test_follow_begins_before_the_log_is_there(zone, log):
    reader = Reader(zone, Follow=True, Tail="all")
    gevent.sleep(0.02)
    log.write("first")
    assert reader.frame() == (STDOUT, b"first\n")


def test_follow_goes_on_in_a_new_file(zone, log):
    log.write("old")
    reader = Reader(zone, Follow=True)
    assert reader.frame() == (STDOUT, b"old\n")
    log.write("rest of the old")
    log.begin_anew()
    log.write("new")
    assert reader.frame() == (STDOUT, b"rest of the old\n")
    assert reader.frame() == (STDOUT, b"new\n")


def test_a_restart_ends_the_follow(zone, log):
    reader = Reader(zone, Follow=True)
    gevent.sleep(0.02)
    zone.change_life(state="stopped", exit_status=1)
    zone.change_life(state="starting")
    assert reader.rest() == []


def test_until_ends_the_follow_when_its_moment_is_over(zone, log):
    log.write("one")
    reader = Reader(zone, Follow=True, Until=str(time.time() + 3600 * 24 * 3650))
    assert reader.frame() == (STDOUT, b"one\n")
    soon = Reader(zone, Follow=True, Until=f"{time.time() + 0.05:.9f}")
    soon.rest()
    reader.client.close()


def test_a_client_that_leaves_ends_the_follow(zone, log):
    reader = Reader(zone, Follow=True)
    gevent.sleep(0.02)
    reader.client.shutdown(1)
    assert reader.rest() == []


def test_no_log_at_all(zone):
    assert Reader(zone).rest() == []


@pytest.mark.parametrize(
    ("tail", "lines"), [("all", None), (None, None), ("x", None), ("-1", None), ("+1", None), ("7", 7), (0, 0), (3, 3)]
)
def test_tail(tail, lines):
    assert LogQuery({"Tail": tail}).tail == lines


@pytest.mark.parametrize("key", ["Since", "Until"])
def test_a_bound_that_is_no_moment_is_refused(key):
    with pytest.raises(TaskError) as failure:
        LogQuery({key: "yesterday"})
    assert failure.value.rest_code == "InvalidParameters"


@pytest.mark.parametrize("nothing", [None, "", "0", 0])
def test_no_bound(nothing):
    assert LogQuery({"Since": nothing}).since is None

"""Attachments and the console against a stand-in for conmon: no root, no containers."""

from __future__ import annotations

import json
import struct

import gevent
import pytest
from gevent import socket
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node.attach import attach
from datacenter.node.console import PIECE, Console
from datacenter.node.frames import (
    DETACH,
    END,
    HEADER,
    RESIZE,
    SIZE,
    STDERR,
    STDIN,
    STDIN_EOF,
    STDOUT,
    Frames,
    frame,
)
from datacenter.node.replay import cut_overlap, without_overlap
from datacenter.node.zone import Life, Zone


class Conmon:
    """The attach socket of a container: accepts, writes packets, keeps what it is sent."""

    def __init__(self, zone: Zone) -> None:
        zone.attach_socket.parent.mkdir(parents=True, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(zone.attach_socket))
        self.listener.listen(10)
        self.readers: list[socket.socket] = []
        self.packets: list[bytes] = []
        self.ended_inputs = 0
        gevent.spawn(self._accept)

    def _accept(self) -> None:
        while True:
            reader, _ = self.listener.accept()
            self.readers.append(reader)
            gevent.spawn(self._read, reader)

    def _read(self, reader) -> None:
        while packet := reader.recv(1 << 20):
            self.packets.append(packet)
        self.ended_inputs += 1

    def write(self, stream: int, data: bytes) -> None:
        for reader in self.readers:
            reader.send(bytes([stream]) + data)

    def die(self) -> None:
        self.listener.close()
        for reader in self.readers:
            reader.close()


@pytest.fixture
def zone(tmp_path):
    return make_zone(tmp_path)


def make_zone(folder, *, running=True, stdin=False, once=False, tty=False, **life):
    metadata = {
        "docker:open_stdin": stdin,
        "docker:tty": tty,
        "docker:linux": json.dumps({"StdinOnce": once}),
    }
    record = {"uuid": "6f0c7f3e-0000-4000-8000-000000000000", "internal_metadata": metadata}
    folder = folder / "z"
    folder.mkdir()
    return Zone(folder, record, Life(state="running" if running else "stopped", **life))


def connect(zone, **command):
    port = attach(zone, command, Frames())
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def frames(client):
    """All frames to FIN."""
    data = b""
    while part := client.recv(65536):
        data += part
    found = []
    while data:
        kind, size = HEADER.unpack_from(data)
        found.append((kind, data[8 : 8 + size]))
        data = data[8 + size :]
    return found


def end_of(found):
    kind, payload = found[-1]
    assert kind == END
    return json.loads(payload)


def wait_for(test, timeout=5):
    with gevent.Timeout(timeout, AssertionError("it never came true")):
        while not test():
            gevent.sleep(0.002)


def finish(zone, conmon, code=0):
    conmon.die()
    zone.change_life(state="stopped", exit_status=code)


def test_output_by_stream_and_the_end(zone):
    conmon = Conmon(zone)
    client = connect(zone)
    wait_for(lambda: conmon.readers)
    conmon.write(2, b"out")
    conmon.write(3, b"err")
    finish(zone, conmon, 3)
    found = frames(client)
    assert found[:-1] == [(STDOUT, b"out"), (STDERR, b"err")]
    assert end_of(found) == {"code": 3, "signal": None}


def test_a_path_longer_than_a_socket_address(tmp_path):
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    short = tmp_path / "s"
    short.symlink_to(folder)
    listener.bind(str(short / "attach"))
    listener.listen(1)
    accepting = gevent.spawn(listener.accept)
    console = Console.connect(folder / "attach")
    assert accepting.get(timeout=5)
    console.close()


def test_connecting_waits_until_conmon_has_accepted(tmp_path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "attach"))
    listener.listen(1)
    connecting = gevent.spawn(Console.connect, tmp_path / "attach")
    gevent.sleep(0.05)
    assert not connecting.ready()
    accepted, _ = listener.accept()
    connecting.get(timeout=5).close()
    accepted.close()


def test_connecting_ends_when_conmon_dies_instead(tmp_path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "attach"))
    listener.listen(1)
    connecting = gevent.spawn(_outcome, tmp_path / "attach")
    gevent.sleep(0.05)
    listener.close()
    assert connecting.get(timeout=2) in {"connected", "refused"}


def _outcome(path):
    try:
        Console.connect(path).close()
    except OSError:
        return "refused"
    return "connected"


def test_long_input_is_cut_to_what_conmon_reads(tmp_path):
    zone = make_zone(tmp_path, stdin=True, once=True)
    conmon = Conmon(zone)
    client = connect(zone, AttachStdin=True)
    data = bytes(range(256)) * 300
    client.sendall(frame(STDIN, data) + frame(STDIN_EOF))
    wait_for(lambda: conmon.ended_inputs == 1)
    assert b"".join(conmon.packets) == data
    assert max(map(len, conmon.packets)) <= PIECE
    finish(zone, conmon)
    assert end_of(frames(client))["code"] == 0


@pytest.mark.parametrize("close", [lambda client: client.sendall(frame(STDIN_EOF)), lambda client: client.shutdown(1)])
@pytest.mark.parametrize(("once", "tty"), [(False, False), (True, True), (False, True)])
def test_where_stdin_outlives_its_writer_the_session_ends_with_it(tmp_path, once, tty, close):
    zone = make_zone(tmp_path, stdin=True, once=once, tty=tty)
    conmon = Conmon(zone)
    client = connect(zone, AttachStdin=True)
    wait_for(lambda: conmon.readers)
    close(client)
    assert end_of(frames(client)) == {"code": None, "signal": None}
    assert zone.running


def test_without_open_stdin_input_and_its_end_are_nothing(zone):
    conmon = Conmon(zone)
    client = connect(zone, AttachStdin=True)
    client.sendall(frame(STDIN, b"lost") + frame(STDIN_EOF))
    wait_for(lambda: conmon.readers)
    gevent.sleep(0.02)
    conmon.write(2, b"still here")
    finish(zone, conmon)
    assert frames(client)[0] == (STDOUT, b"still here")
    assert conmon.packets == []


@pytest.mark.parametrize("attached_stdin", [False, True])
def test_leaving_does_not_close_the_stdin_of_others(tmp_path, attached_stdin):
    zone = make_zone(tmp_path, stdin=True, once=True)
    conmon = Conmon(zone)
    client = connect(zone, AttachStdin=attached_stdin)
    wait_for(lambda: conmon.readers)
    client.sendall(frame(DETACH))
    assert end_of(frames(client))["code"] is None
    client.close()
    conmon.write(2, b"for nobody")
    gevent.sleep(0.05)
    assert conmon.ended_inputs == 0
    finish(zone, conmon)


def test_a_size_goes_to_conmons_fifo(tmp_path):
    import os

    zone = make_zone(tmp_path, tty=True)
    conmon = Conmon(zone)
    os.mkfifo(zone.ctl_fifo)
    reader = os.open(zone.ctl_fifo, os.O_RDWR | os.O_NONBLOCK)
    client = connect(zone)
    client.sendall(frame(RESIZE, SIZE.pack(91, 33)))
    with gevent.Timeout(5):
        socket.wait_read(reader)
    assert os.read(reader, 100) == b"1 33 91\n"
    os.close(reader)
    finish(zone, conmon)
    client.close()


def test_a_session_before_the_start_is_hooked_up_before_the_process_runs(tmp_path):
    zone = make_zone(tmp_path, running=False)
    client = connect(zone)
    gevent.sleep(0.02)
    conmon = Conmon(zone)
    zone.change_life(state="starting")
    for hook in list(zone.before_start):
        hook(zone)
    conmon.write(2, b"first")
    zone.change_life(state="running")
    finish(zone, conmon, 9)
    found = frames(client)
    assert found[0] == (STDOUT, b"first")
    assert end_of(found)["code"] == 9
    assert zone.before_start == zone.not_started == []


def test_a_start_that_fails_ends_the_session_with_its_status(tmp_path):
    zone = make_zone(tmp_path, running=False)
    client = connect(zone)
    gevent.sleep(0.02)
    zone.change_life(state="stopped", exit_status=127)
    zone.tell_not_started()
    assert frames(client) == [(END, b'{"code":127,"signal":null}')]


def test_a_client_that_detaches_before_the_start_is_forgotten(tmp_path):
    zone = make_zone(tmp_path, running=False)
    client = connect(zone)
    client.sendall(frame(DETACH))
    assert end_of(frames(client))["code"] is None
    client.close()
    wait_for(lambda: zone.before_start == zone.not_started == [])


def test_a_foreign_frame_ends_the_session_only(zone):
    conmon = Conmon(zone)
    client = connect(zone)
    client.sendall(struct.pack(">B3xI", 77, 0))
    assert end_of(frames(client))["code"] is None
    assert zone.running
    conmon.die()


def test_only_wanted_streams(zone):
    conmon = Conmon(zone)
    client = connect(zone, AttachStdout=False)
    wait_for(lambda: conmon.readers)
    conmon.write(2, b"out")
    conmon.write(3, b"err")
    finish(zone, conmon)
    assert frames(client)[:-1] == [(STDERR, b"err")]


def test_a_quick_restart_does_not_hide_the_end(zone):
    conmon = Conmon(zone)
    client = connect(zone)
    wait_for(lambda: conmon.readers)
    conmon.die()
    zone.change_life(state="stopped", exit_status=5)
    zone.change_life(state="starting", exit_status=None)
    zone.change_life(state="stopped", exit_status=6)
    assert end_of(frames(client))["code"] in {5, 6}


@given(*[st.text("ab", max_size=size).map(str.encode) for size in (30, 10, 30)])
def test_the_overlap_of_log_and_live_output_is_cut_once(before, shared, after):
    logged, live = before + shared, shared + after
    kept = cut_overlap(logged, live)
    assert logged.startswith(kept)
    ends = [at for at in range(len(logged) + 1) if logged[at:][: len(live)] == live[: len(logged) - at]]
    assert len(kept) == (ends[0] if live else len(logged))


def test_each_stream_is_cut_by_itself_however_it_was_read():
    logged = [(STDOUT, b"1\n2\n"), (STDERR, b"a\n"), (STDOUT, b"3\n"), (STDOUT, b"4\n"), (STDERR, b"b\n")]
    live = [(STDOUT, b"2\n"), (STDOUT, b"3\n4\n5\n"), (STDERR, b"b\n")]
    assert without_overlap(logged, live) == [(STDOUT, b"1\n"), (STDERR, b"a\n")]


def test_what_agrees_long_and_then_does_not_is_found_at_once():
    assert cut_overlap(b"y" * 300_000, b"y" * 100_000 + b"x") == b"y" * 200_000


def test_no_overlap_keeps_all():
    assert cut_overlap(b"abc", b"xyz") == b"abc"
    assert cut_overlap(b"abc", b"") == b"abc"

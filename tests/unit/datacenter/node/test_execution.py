"""Execs without a container: what is run, how it is joined, what is remembered."""

from __future__ import annotations

import os
import time
import weakref
from types import SimpleNamespace

import gevent
import pytest
from gevent import socket

from datacenter.node import execution, spawn
from datacenter.node.client import Client, rendezvous
from datacenter.node.execio import LentTerminal, Pipes
from datacenter.node.execspec import ExecFailure, merge_env
from datacenter.node.frames import STDERR, STDOUT, Frames, frame
from datacenter.node.relay import drain, relay
from datacenter.node.stdio import REMEMBERED, SWEEP, Executions
from datacenter.node.tasks import TaskError


@pytest.mark.parametrize(
    ("base", "extra", "expected"),
    [
        (["A=1", "B=2"], ["B=3"], ["A=1", "B=3"]),
        (["A=1", "B=2"], ["A"], ["B=2"]),
        (["A=1"], ["C=x=y", "C=z"], ["A=1", "C=z"]),
        ([], ["NONE"], []),
    ],
)
def test_environments_are_merged_as_docker_does(base, extra, expected):
    assert merge_env(base, extra) == expected


@pytest.mark.parametrize(
    ("message", "code", "rest_code"),
    [
        ('exec: "x": executable file not found in $PATH', 127, "InitNotFound"),
        ("chdir to cwd: no such file or directory", 127, "InitNotFound"),
        ("chdir to cwd: not a directory", 127, "InitNotFound"),
        ('exec: "x": permission denied', 126, "InitNotExecutable"),
        ("unable to find user x: no matching entries in passwd file", 126, "InitNotExecutable"),
    ],
)
def test_failures_have_dockers_codes(message, code, rest_code):
    failure = ExecFailure(message)
    assert (failure.code, failure.rest_code) == (code, rest_code)


class Sink:
    """A client that collects what it is sent."""

    def __init__(self):
        self.data = b""
        ours, theirs = socket.socketpair()
        self.client = Client(ours, Frames())
        self._ours = ours
        self._reading = gevent.spawn(self._read, theirs)

    def _read(self, connection):
        while part := connection.recv(65536):
            self.data += part

    def all(self):
        self._ours.close()
        self._reading.join(timeout=5)
        return self.data


def run(io, *argv):
    process = spawn.start(["sh", "-c", *argv], fds=io.fds)
    return process, io.open(process)


def test_pipes_carry_each_stream_and_stdin():
    io = Pipes({"AttachStdin": True})
    process, sources = run(io, "cat; echo err >&2")
    sink = Sink()
    io.write(b"hello\n")
    io.end_input()
    gevent.joinall([gevent.spawn(relay, source, sink.client) for source in sources], timeout=5)
    assert process.wait(5) == 0
    out, err = frame(STDOUT, b"hello\n"), frame(STDERR, b"err\n")
    assert sink.all() in {out + err, err + out}
    io.close()
    for source in sources:
        source.close()


def test_writing_to_a_process_that_closed_its_stdin_is_no_error():
    io = Pipes({"AttachStdin": True, "AttachStdout": False, "AttachStderr": False})
    process, sources = run(io, "exec <&-; sleep 0.1")
    assert sources == []
    gevent.sleep(0.05)
    io.write(b"x" * 1_000_000)
    assert process.wait(5) == 0
    io.close()


def test_a_lent_terminal_has_size_and_one_stream():
    io = LentTerminal()
    io.resize(91, 33)
    process, sources = run(io, "stty size; tty >&2")
    sink = Sink()
    relay(sources[0], sink.client)
    assert process.wait(5) == 0
    assert b"33 91" in sink.all()
    assert b"/dev/pts/" in sink.data
    assert sink.data[0] == STDOUT
    io.close()
    sources[0].close()


def test_nothing_is_left_open():
    counts = []
    for _ in range(3):
        for io in (Pipes({"AttachStdin": True}), LentTerminal()):
            process, sources = run(io, "true")
            for source in sources:
                drain(source)
                source.close()
            io.close()
            process.wait(5)
        counts.append(len(os.listdir("/proc/self/fd")))
    assert counts[2] == counts[1]


def test_a_port_nobody_comes_to_closes():
    missed = []
    port = rendezvous(lambda connection: None, lambda: missed.append(True), within=0.05)
    gevent.sleep(0.2)
    assert missed == [True]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


class Ran:
    def __init__(self, id, uuid, ended_at=None):
        self.id, self.ended_at = id, ended_at
        self.zone = type("Z", (), {"uuid": uuid})()


def test_executions_are_known_by_their_own_zone_only():
    known = Executions()
    known.add(Ran("e", "zone-a"))
    assert known.of(Ran("", "zone-a").zone, "e").id == "e"
    with pytest.raises(TaskError) as failure:
        known.of(Ran("", "zone-b").zone, "e")
    assert failure.value.rest_code == "ResourceNotFound"


def test_an_id_runs_once():
    known = Executions()
    known.add(Ran("e", "zone"))
    with pytest.raises(TaskError, match="already run"):
        known.add(Ran("e", "zone"))


def test_ended_executions_are_forgotten_after_their_time():
    known = Executions()
    known.add(Ran("old", "zone", ended_at=time.monotonic() - REMEMBERED - 1))
    known.add(Ran("recent", "zone", ended_at=time.monotonic()))
    known.add(Ran("new", "zone"))
    zone = Ran("", "zone").zone
    assert known.of(zone, "recent").id == "recent"
    with pytest.raises(TaskError):
        known.of(zone, "old")


def test_those_that_are_forgotten_are_let_go_of():
    known, gone = Executions(), []
    for number in range(2 * SWEEP):
        execution = Ran(f"e{number}", "zone", ended_at=time.monotonic() - REMEMBERED - 1)
        weakref.finalize(execution, gone.append, number)
        known.add(execution)
    assert len(gone) >= SWEEP - 1


@pytest.fixture
def detached(tmp_path, monkeypatch):
    """Run a detached exec whose runtime is a shell that tells no pid."""
    monkeypatch.setattr(execution, "exec_process", lambda _zone, _command: {})
    zone = SimpleNamespace(running=True, folder=tmp_path, uuid="z")

    def run(script):
        runtime = SimpleNamespace(name="runc", argv=lambda *_words: ["sh", "-c", script, "--"])
        one = execution.Execution(zone, runtime, {"Cmd": ["x"], "Detach": True})
        one.run_detached()
        return one

    return run


def test_a_detached_process_that_ended_before_it_was_seen_has_run(detached):
    assert detached("exit 0").code == 0


def test_a_detached_process_that_never_ran_is_told(detached):
    with pytest.raises(ExecFailure, match="the runtime failed"):
        detached("exit 1")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("setgroups: Operation not permitted", "setgroups: Operation not permitted"),
        ("open $ROOT/bundle/x: No such file or directory", "the runtime failed"),
    ],
)
def test_the_host_s_paths_are_not_told(detached, tmp_path, caplog, words, shown):
    words = words.replace("$ROOT", str(tmp_path))
    script = f"pid=${{1#--pid-file=}}; echo '{words}' > ${{pid%/pid}}/log; exit 1"
    with pytest.raises(ExecFailure) as failed:
        detached(script)
    assert failed.value.message.endswith(f"{shown}: unknown")
    assert (words in caplog.text) == (words != shown)

"""One process run in a container beside its own.

Docker: POST /exec/{id}/start   SDC: CNAPI docker-exec {Cmd}
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from contextlib import suppress
from typing import Any

import gevent
import msgspec
from gevent import socket

from datacenter.node import conmon, spawn
from datacenter.node.client import Client
from datacenter.node.execio import ExecIo, LentTerminal, Pipes, SentTerminal
from datacenter.node.execspec import PREFIX, ExecFailure, exec_process
from datacenter.node.frames import DETACH, RESIZE, STDIN, STDIN_EOF, STDOUT, Asked, Framing, ProtocolError
from datacenter.node.relay import Stream, drain, relay
from datacenter.node.runtime import Runtime
from datacenter.node.terminal import unpack_size
from datacenter.node.zone import Zone

logger = logging.getLogger(__name__)

OUTPUT_WITHIN = 2.0
"""Seconds a process's children may go on writing to its output after its end, as with dockerd."""
STARTED_POLL = 0.002


class Execution:
    """A process exec'd into a container. It ends by itself or with the container, never with its client."""

    def __init__(self, zone: Zone, runtime: Runtime, command: dict[str, Any]) -> None:
        self.zone = zone
        self.id: str = command.get("ExecId") or os.urandom(32).hex()
        self.terminal = bool(command.get("Tty"))
        self.code: int | None = None
        self.ended_at: float | None = None
        """Monotonic seconds."""
        self._command = command
        self._runtime = runtime
        self._folder = zone.folder / "exec" / os.urandom(6).hex()
        self._process: spawn.Process | None = None
        self._io: ExecIo | None = None
        self._size: tuple[int, int] | None = None
        self._pid = 0

    @property
    def pid(self) -> int:
        """The process as the host sees it; 0 as long as it doesn't run, since only then the runtime tells it."""
        if not self._pid:
            self._pid = conmon.pid_in(self._folder / "pid") or 0
        return self._pid

    @property
    def running(self) -> bool:
        return self._process is not None and self.ended_at is None

    def resize(self, columns: int, rows: int) -> None:
        """Size the terminal, also before the process runs."""
        self._size = columns, rows
        if self._io is not None:
            self._io.resize(columns, rows)

    def serve(self, connection: socket.socket, framing: Framing) -> None:
        """Run the process with its streams joined to a client; the client's going leaves it running."""
        client = Client(connection, framing)
        try:
            sources = self._start()
        except ExecFailure as failure:
            self._end(failure.code)
            _refuse(client, failure)
            return
        finishing = gevent.spawn(self._finish, sources, client)
        reading = gevent.spawn(self._read, client)
        gevent.wait([finishing, client.left], count=1)
        reading.kill()
        if not finishing.ready():
            if self._io is not None and not self.terminal:
                self._io.end_input()
            client.end(None)
        elif finishing.value is not None:
            _refuse(client, finishing.value)
        else:
            client.end(self.code)

    def abandon(self) -> None:
        """Give up a process whose client never came."""
        self._end(None)

    def run_detached(self) -> None:
        """Start the process with nobody to talk to; return when it runs. Raises ExecFailure."""
        try:
            sources = self._start()
        except ExecFailure as failure:
            self._end(failure.code)
            raise
        finishing = gevent.spawn(self._finish, sources, None)
        self._wait_started()
        if not self.pid and (never_ran := finishing.get()):  # None: a quick process ended before it was seen
            raise never_ran

    def _start(self) -> list[Stream]:
        """Start the runtime; the process's outputs. Raises ExecFailure."""
        if not self.zone.running:
            raise ExecFailure(f"VM {self.zone.uuid} is not running")
        try:
            process = exec_process(self.zone, self._command)
            if self._size:
                process["consoleSize"] = {"width": self._size[0], "height": self._size[1]}
            self._folder.mkdir(parents=True, mode=0o700)
            (self._folder / "process.json").write_bytes(msgspec.json.encode(process))
            self._io = self._make_io()
            argv = self._runtime.argv(f"--log={self._folder / 'log'}", "exec", *self._io.argv)
            argv += [f"--pid-file={self._folder / 'pid'}", f"--process={self._folder / 'process.json'}", self.zone.uuid]
            self._process = spawn.start(argv, fds=self._io.fds)
        except OSError as error:  # the container ended just now, or the node has no room or memory left
            raise ExecFailure(f"{PREFIX}{error.strerror}: unknown") from error
        return self._io.open(self._process)

    def _make_io(self) -> ExecIo:
        if not self.terminal:
            detached = {"AttachStdout": False, "AttachStderr": False}
            return Pipes(detached if self._command.get("Detach") else self._command)
        io: ExecIo = SentTerminal(self._folder) if self._runtime.name == "crun" else LentTerminal()
        if self._size:
            io.resize(*self._size)
        return io

    def _finish(self, sources: list[Stream], client: Client | None) -> ExecFailure | None:
        """Pass the output on until the process ends; why it never ran, if so."""
        passing = [gevent.spawn(_pass_on, source, client) for source in sources]
        assert self._process is not None
        code = self._process.wait()
        gevent.joinall(passing, timeout=OUTPUT_WITHIN)
        gevent.killall(passing)
        failure = None if code == 0 or self.pid else self._failure()
        self._end(code if failure is None else failure.code)
        return failure

    def _failure(self) -> ExecFailure:
        """The runtime's last words, for what was not foreseen before it was started.

        Words about the host's own files are for the node's log alone.
        """
        log = self._folder / "log"
        words = log.read_text(errors="replace").split("\n") if log.exists() else []
        said = next((line for line in reversed(words) if line.strip()), "the runtime failed")
        home = self.zone.folder.parent.parent
        if f"{home}/" in said:
            logger.error("exec in %s: %s", self.zone.uuid, said)
            said = "the runtime failed"
        return ExecFailure(f"{PREFIX}{said}: unknown")

    def _end(self, code: int | None) -> None:
        self.code = code if code is None or code >= 0 else 128 - code
        self.ended_at = time.monotonic()
        if self._io is not None:
            self._io.close()
            self._io = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, client: Client) -> None:
        try:
            for asked in client.events():
                self._do(asked, client)
        except ProtocolError:
            self._kill()
            client.left.set()

    def _wait_started(self) -> None:
        """Wait until the process runs or never will."""
        assert self._process is not None
        while not self.pid and not self._process.done.wait(STARTED_POLL):
            pass

    def _kill(self) -> None:
        self._wait_started()
        if self.running and self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _do(self, asked: Asked, client: Client) -> None:
        if self._io is None:
            return
        if asked.kind == STDIN:
            self._io.write(asked.data)
        elif asked.kind == RESIZE:
            self._io.resize(*unpack_size(asked.data))
        elif asked.kind == DETACH:
            client.left.set()
        elif asked.kind == STDIN_EOF and self._command.get("AttachStdin"):
            if self.terminal and client.framing.binary:  # Docker: a terminal has no end, its session has
                client.left.set()
            else:
                self._io.end_input()


def _pass_on(source: Stream, client: Client | None) -> None:
    with source:
        if client is None:
            drain(source)
        else:
            relay(source, client)


def _refuse(client: Client, failure: ExecFailure) -> None:
    """Tell the client as dockerd does, on stdout, and then in the end message."""
    client.output(STDOUT, f"{failure.message}\r\n".encode())
    client.end(failure.code, {"restCode": failure.rest_code, "message": failure.message})

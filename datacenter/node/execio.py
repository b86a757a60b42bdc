"""How an exec'd process is joined to the agent: by pipes, or by a terminal.

``Pipes`` and the two terminals are used alike: start the runtime with ``argv`` and ``fds``, call ``open`` once it
runs, read the sources it returns, ``write``, ``end_input``, ``resize``, and ``close`` in the end.
"""

from __future__ import annotations

import os
import signal
import tty
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import gevent

from datacenter.node.frames import STDERR, STDIN, STDOUT
from datacenter.node.relay import Stream, write_all
from datacenter.node.spawn import Process
from datacenter.node.terminal import ConsoleSocket, set_size

END_OF_TRANSMISSION = b"\x04"


class ExecIo(Protocol):
    argv: list[str]
    fds: dict[int, int]

    def open(self, process: Process) -> list[Stream]: ...
    def write(self, data: bytes) -> None: ...
    def end_input(self) -> None: ...
    def resize(self, columns: int, rows: int) -> None: ...
    def close(self) -> None: ...


class Pipes:
    """A pipe for each stream that is attached; the others are /dev/null."""

    def __init__(self, command: dict[str, Any]) -> None:
        self.argv: list[str] = []
        self.fds: dict[int, int] = {}
        self._input = -1
        self._outputs: dict[int, int] = {}
        if command.get("AttachStdin"):
            self.fds[STDIN], self._input = os.pipe()
            os.set_blocking(self._input, False)
        for kind, key in ((STDOUT, "AttachStdout"), (STDERR, "AttachStderr")):
            if command.get(key, True):
                self._outputs[kind], self.fds[kind] = os.pipe()

    def open(self, process: Process) -> list[Stream]:
        del process
        for fd in self.fds.values():
            os.close(fd)
        self.fds = {}
        sources = [Stream(fd, kind) for kind, fd in self._outputs.items()]
        self._outputs = {}
        return sources

    def write(self, data: bytes) -> None:
        if self._input >= 0:
            with suppress(BrokenPipeError):  # the process closed its stdin: what is sent is lost, as in a shell's pipe
                write_all(self._input, data)

    def end_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def resize(self, columns: int, rows: int) -> None:
        """Nothing: pipes have no size."""

    def close(self) -> None:
        self.end_input()
        for fd in (*self.fds.values(), *self._outputs.values()):
            os.close(fd)
        self.fds, self._outputs = {}, {}


class _Master:
    """What both kinds of terminal share: the master side."""

    def __init__(self) -> None:
        self.argv: list[str] = []
        self.fds: dict[int, int] = {}
        self._master = -1
        self._size: tuple[int, int] | None = None

    def _source(self, master: int) -> list[Stream]:
        self._master = master
        if self._size:
            set_size(master, *self._size)
        return [Stream(os.dup(master), STDOUT)]

    def write(self, data: bytes) -> None:
        if self._master >= 0:
            with suppress(OSError):  # the process has ended
                write_all(self._master, data)

    def end_input(self) -> None:
        """Type Ctrl-D, which is all a terminal knows of an end."""
        self.write(END_OF_TRANSMISSION)

    def resize(self, columns: int, rows: int) -> None:
        self._size = columns, rows
        if self._master >= 0:
            set_size(self._master, columns, rows)

    def close(self) -> None:
        if self._master >= 0:
            os.close(self._master)
            self._master = -1


class SentTerminal(_Master):
    """The terminal the runtime makes in the container, whose master it sends us (crun)."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._socket = ConsoleSocket(folder / "console")
        self.argv = [f"--console-socket={self._socket.path}"]

    def open(self, process: Process) -> list[Stream]:
        """Wait for the master; nothing when the runtime ended without sending it."""
        receiving = gevent.spawn(self._socket.receive)
        gevent.wait([receiving, process.done], count=1)
        if not receiving.ready():
            receiving.join(timeout=0.05)  # it may have sent it and ended
        receiving.kill()
        self._socket.close()
        return self._source(receiving.value) if isinstance(receiving.value, int) else []

    def close(self) -> None:
        self._socket.close()
        super().close()


class LentTerminal(_Master):
    """A terminal of the host that the runtime stands at, passing on to the container's (runc, which sends a master
    only when it does not wait for the process).
    """

    def __init__(self) -> None:
        super().__init__()
        self._lent, slave = os.openpty()
        tty.setraw(slave)
        self.fds = {STDIN: slave, STDOUT: slave, STDERR: slave}
        self._process: Process | None = None

    def open(self, process: Process) -> list[Stream]:
        self._process = process
        os.close(self.fds[STDIN])
        self.fds = {}
        master, self._lent = self._lent, -1
        return self._source(master)

    def resize(self, columns: int, rows: int) -> None:
        super().resize(columns, rows)
        if self._lent >= 0:  # sized before the process can look
            set_size(self._lent, columns, rows)
        if self._process is not None:
            self._process.kill(signal.SIGWINCH)

    def close(self) -> None:
        for fd in {self._lent, *self.fds.values()} - {-1}:
            os.close(fd)
        self._lent, self.fds = -1, {}
        super().close()

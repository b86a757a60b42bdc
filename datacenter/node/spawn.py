"""Start programs from the agent without forking it.

posix_spawn shares the memory until exec, so it costs the same however big the agent is, and gevent's
patched subprocess, which forks in Python, is not needed. gevent's loop reaps the children, so nothing else may.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import gevent
from gevent.event import Event
from gevent.socket import wait_read

CHUNK = 65536
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Process:
    """A started program. ``done`` is set and ``code`` known (negative: killed by that signal) once it was reaped."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        self.done = Event()
        self._watcher = gevent.get_hub().loop.child(pid)
        self._watcher.start(self._reaped)

    def _reaped(self) -> None:
        self.code = os.waitstatus_to_exitcode(self._watcher.rstatus)
        self._watcher.stop()
        self._watcher.close()
        self.done.set()

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code, or None when it still runs after ``timeout`` seconds."""
        self.done.wait(timeout)
        return self.code

    def kill(self, signal: int = 9) -> None:
        if self.code is None:
            os.kill(self.pid, signal)


def start(
    argv: Sequence[str],
    *,
    fds: Mapping[int, int] | None = None,
    env: Mapping[str, str] | None = None,
    setsid: bool = False,
) -> Process:
    """Start a program in the agent's mount namespace.

    ``fds`` maps the child's descriptors to ours; 0, 1 and 2 are /dev/null when not given, nothing else is
    inherited. Raises FileNotFoundError when the program is not installed.
    """
    program = shutil.which(argv[0], path=PATH)
    if program is None:
        raise FileNotFoundError(argv[0])
    given = dict(fds or {})
    actions: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2) if fd not in given
    ]
    moved, lent = _clear_of(given)
    actions += [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in moved.items()]
    full_env = {"PATH": PATH, **(env or {})}
    gevent.get_hub().loop.install_sigchld()
    try:
        pid = os.posix_spawn(program, list(argv), full_env, file_actions=actions, setsid=setsid)
    finally:
        for fd in lent:
            os.close(fd)
    return Process(pid)


def _clear_of(fds: Mapping[int, int]) -> tuple[dict[int, int], list[int]]:
    """Lift our descriptors above the child's, so that no dup2 overwrites a source still needed."""
    top = max(fds, default=2)
    moved: dict[int, int] = {}
    lent: list[int] = []
    for theirs, ours in fds.items():
        if ours <= top:
            lent.append(_dup_above(ours, top))
            moved[theirs] = lent[-1]
        else:
            moved[theirs] = ours
    return moved, lent


def _dup_above(fd: int, top: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, top + 1)


def read_all(fd: int) -> bytes:
    """Read a pipe to its end and close it, letting other greenlets run."""
    return b"".join(chunks(fd))


def chunks(fd: int) -> Iterator[bytes]:
    """Yield what comes through a pipe until its end, then close it; other greenlets run while nothing comes."""
    os.set_blocking(fd, False)
    try:
        while True:
            try:
                part = os.read(fd, CHUNK)
            except BlockingIOError:
                wait_read(fd)
                continue
            if not part:
                return
            yield part
    finally:
        os.close(fd)


def start_heard(
    argv: Sequence[str], onto: Iterable[int], *, fds: Mapping[int, int] | None = None, **how: Any
) -> tuple[Process, int]:
    """Start a program, as ``start`` does, with a pipe for its descriptors ``onto``; return our end of that, too."""
    reader, writer = os.pipe()
    try:
        return start(argv, fds={**(fds or {}), **dict.fromkeys(onto, writer)}, **how), reader
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a program to its end: exit code and what it wrote on stdout and stderr."""
    process, reader = start_heard(argv, (1, 2), env=env)
    output = read_all(reader)
    code = process.wait()
    assert code is not None
    return code, output.decode(errors="replace")


def run_blocking(argv: Sequence[str]) -> None:
    """Run a program before the hub exists. Raises OSError when it fails."""
    pid = os.posix_spawnp(argv[0], list(argv), {"PATH": PATH})
    end = os.waitid(os.P_PID, pid, os.WEXITED)
    if end is None or end.si_status != 0:
        raise OSError(f"{argv[0]} failed")

"""conmon: the small parent of one container that keeps its console and log while the agent comes and goes."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import msgspec
from gevent import monkey
from gevent.socket import wait_read

from datacenter.node import spawn
from datacenter.node.complaints import start_failure
from datacenter.node.runtime import Runtime
from datacenter.node.zone import Zone

SYNC_FD = 3
PROC = Path("/proc")
_poll = monkey.get_original("select", "poll")
MEMORY_STAYS = {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1073741824"}
"""conmon's environment. When a client vanished while output was written to it, conmon frees its record and then looks
at it once more (``remote_sock_cb`` of 2.1.6). If the C library gave the memory back to the kernel in between, that is
the end of conmon, and the exit code of its container is lost. So the library may keep what it has."""
TURN = 0.5
"""Seconds."""
GOING = 10.0
"""Seconds in which a conmon without a container must be gone."""


def create(zone: Zone, runtime: Runtime) -> int:
    """Make the container under a new conmon, its process not yet started; return init's pid.

    conmon reports the pid, or the runtime's complaint, as a line of JSON on its sync pipe. Raises TaskError.
    """
    zone.present_life.mkdir(parents=True, exist_ok=True)
    env = {"_OCI_SYNCPIPE": str(SYNC_FD), **MEMORY_STAYS}
    starter, reader = spawn.start_heard(_argv(zone, runtime), (SYNC_FD,), env=env, setsid=True)
    report = _read_report(reader)
    if report.data <= 0:
        raise start_failure(report.message)
    starter.wait()  # it writes its child's pid file, and may be slower than the child
    return report.data


class _Report(msgspec.Struct):
    """What conmon writes on the sync pipe: init's pid, or -1 and the runtime's words."""

    data: int = -1
    message: str = ""


def _argv(zone: Zone, runtime: Runtime) -> list[str]:
    own = zone.present_life
    argv = ["conmon", "--api-version=1", "-c", zone.uuid, "-u", zone.uuid, "-n", zone.uuid]
    argv += ["-b", str(zone.bundle), "-p", str(own / "pidfile"), "-P", str(_pid_file(zone))]
    log = "none" if zone.metadata.get("docker:logdriver") == "none" else f"k8s-file:{zone.log_path}"
    argv += ["-l", log, "--exit-dir", str(own), "--full-attach", "--no-sync-log"]
    argv += ["-r", runtime.program, *(f"--runtime-arg={argument}" for argument in runtime.global_args)]
    limit = zone.record.get("zlog_max_size")
    if limit:
        argv.append(f"--log-size-max={limit}")
    if zone.open_stdin:
        argv.append("-i")
        if zone.tty or not zone.stdin_once:
            argv.append("--leave-stdin-open")
    if zone.tty:
        argv.append("-t")
    return argv


def _read_report(reader: int) -> _Report:
    """The last JSON line conmon wrote. It keeps the pipe open while it lives, so read no further than the pid."""
    os.set_blocking(reader, False)
    text = b""
    try:
        while not text.endswith(b"\n"):
            wait_read(reader)
            part = os.read(reader, spawn.CHUNK)
            if not part:
                break
            text += part
    finally:
        os.close(reader)
    lines = text.strip().splitlines()
    return msgspec.json.decode(lines[-1], type=_Report) if lines else _Report()


def pid_in(path: Path) -> int | None:
    """The pid a file holds, or None."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _pid_file(zone: Zone) -> Path:
    return zone.present_life / "conmon.pid"


def hold(zone: Zone) -> int | None:
    """Open a pidfd of the conmon of the zone's present life; None when it is gone."""
    pid = pid_in(_pid_file(zone))
    try:
        pidfd = os.pidfd_open(pid) if pid else None
    except ProcessLookupError:
        return None
    if pid and pidfd is not None and not _names(pid, zone):  # a later process with that number
        os.close(pidfd)
        return None
    return pidfd


def await_turn(zone: Zone) -> None:
    """Return when the conmon of the zone's present life has done with what it is doing, or is gone.

    It writes output to the log and then to its clients, in one go; when it sleeps, it has done both. Does not wait
    for one that is held up by a client for longer than ``TURN``.
    """
    pid = pid_in(_pid_file(zone))
    end = time.monotonic() + TURN
    while pid and _works(pid) and time.monotonic() < end:
        gevent.sleep(0.001)


def _works(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in {"R", "D"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def await_end(pidfd: int) -> None:
    """Wait until a conmon is gone, and let go of its pidfd."""
    while not _is_over(pidfd):  # the kernel's own word: a loop may wake for less, and an end is not taken back
        wait_read(pidfd)
    os.close(pidfd)


def _is_over(pidfd: int) -> bool:
    asked = _poll()
    asked.register(pidfd, select.POLLIN)
    return bool(asked.poll(0))


def see_off(zone: Zone) -> None:
    """Wait until the conmon of a container that was removed is gone, and kill it when it stays."""
    pidfd = hold(zone)
    if pidfd is not None:
        with gevent.Timeout(GOING, exception=False):
            wait_read(pidfd)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)


def is_alive(zone: Zone) -> bool:
    """Whether the conmon of the zone's present life is there."""
    pidfd = hold(zone)
    if pidfd is None:
        return False
    os.close(pidfd)
    return True


def end_all(zone: Zone) -> None:
    """Kill whatever is making a container for the zone's present life, or keeping one: conmon and the runtime."""
    with gevent.Timeout(GOING, exception=False):
        while found := list(_of(zone)):
            for pidfd in found:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            for pidfd in found:
                await_end(pidfd)


def _of(zone: Zone) -> Iterator[int]:
    """Pidfds of the processes that were given files of the zone's present life: nobody else names these."""
    for pid in [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]:
        if not _names(pid, zone):
            continue
        with suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)
            if _names(pid, zone):
                yield pidfd
            else:
                os.close(pidfd)


def _names(pid: int, zone: Zone) -> bool:
    """Whether a process names a file of the zone's present life in its command line."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    own = f"{zone.present_life}/".encode()
    return any(word.startswith(own) for word in words)

"""conmon: the small parent of one container that keeps its console and log while the agent comes and goes."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from gevent.socket import wait_read

from datacenter.node import spawn
from datacenter.node.complaints import start_failure
from datacenter.node.home import Home
from datacenter.node.runtime import Runtime
from datacenter.node.zone import Zone

SYNC_FD = 3


def create(zone: Zone, home: Home, runtime: Runtime) -> tuple[int, int]:
    """Make the container under a new conmon, its process not yet started: (init's pid, conmon's pid).

    conmon reports the pid, or the runtime's complaint, as a line of JSON on its sync pipe. Raises TaskError.
    """
    reader, writer = os.pipe()
    try:
        spawn.start(_argv(zone, home, runtime), fds={SYNC_FD: writer}, env={"_OCI_SYNCPIPE": str(SYNC_FD)}, setsid=True)
    finally:
        os.close(writer)
    report = _read_report(reader)
    if report.data <= 0:
        raise start_failure(report.message)
    return report.data, int((zone.bundle / "conmon.pid").read_text())


class _Report(msgspec.Struct):
    """What conmon writes on the sync pipe: init's pid, or -1 and the runtime's words."""

    data: int = -1
    message: str = ""


def _argv(zone: Zone, home: Home, runtime: Runtime) -> list[str]:
    argv = ["conmon", "--api-version=1", "-c", zone.uuid, "-u", zone.uuid, "-n", zone.uuid]
    argv += ["-b", str(zone.bundle), "-p", str(zone.bundle / "pidfile"), "-P", str(zone.bundle / "conmon.pid")]
    log = "none" if zone.metadata.get("docker:logdriver") == "none" else f"k8s-file:{zone.log_path}"
    argv += ["-l", log, "--exit-dir", str(home.exits), "--full-attach", "--no-sync-log"]
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

"""Health checks: a zone's own program, run in it now and then, says whether it is well.

What to run is ``docker:healthcheck``, what came of it ``docker:health``, both JSON in the internal metadata, with
Docker's names and times in nanoseconds. Facts: dockerd's health monitor.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import gevent
import msgspec
from gevent.socket import wait_read

from datacenter.clock import epoch
from datacenter.node import conmon, spawn
from datacenter.node.execspec import ExecFailure, exec_process
from datacenter.node.runtime import Runtime
from datacenter.node.zone import Zone

KEPT_RESULTS = 5
KEPT_OUTPUT = 4096
"""Bytes of a probe's output that are kept."""
NANO = 1_000_000_000
UNANSWERED = -1
"""Exit code of a probe that could not be run, or took too long."""


class Check(msgspec.Struct, kw_only=True):
    """What to do, as Docker writes it: times in nanoseconds, 0 for Docker's default."""

    Test: list[str] = []
    Interval: int = 0
    Timeout: int = 0
    Retries: int = 0
    StartPeriod: int = 0
    StartInterval: int = 0
    Shell: list[str] = []

    @property
    def command(self) -> list[str]:
        """The words to run; none when there is nothing to check."""
        kind, *words = self.Test or ["NONE"]
        if kind == "CMD-SHELL":
            return [*(self.Shell or ["/bin/sh", "-c"]), *words]
        return words if kind == "CMD" else []

    def pause(self, status: str, age: float) -> float:
        """Seconds until the next probe of a zone that runs since ``age`` seconds."""
        if status == "starting" and age < self.StartPeriod / NANO:
            return (self.StartInterval or 5 * NANO) / NANO
        return (self.Interval or 30 * NANO) / NANO

    @property
    def patience(self) -> float:
        return (self.Timeout or 30 * NANO) / NANO


class Result(msgspec.Struct):
    """One probe. Times in RFC 3339."""

    Start: str
    End: str
    ExitCode: int
    Output: str


class Health(msgspec.Struct):
    Status: str = "starting"
    FailingStreak: int = 0
    Log: list[Result] = []

    def after(self, result: Result, check: Check, age: float) -> Health:
        """What is known after one more probe, begun when the zone had run for ``age`` seconds."""
        log = [*self.Log, result][-KEPT_RESULTS:]
        if result.ExitCode == 0:
            return Health("healthy", 0, log)
        if self.Status == "starting" and age < check.StartPeriod / NANO:
            return Health(self.Status, self.FailingStreak, log)
        streak = self.FailingStreak + 1
        return Health("unhealthy" if streak >= (check.Retries or 3) else self.Status, streak, log)


def check_of(zone: Zone) -> Check | None:
    """The zone's check; None when it has none."""
    text = zone.metadata.get("docker:healthcheck")
    check = msgspec.json.decode(text, type=Check) if text else None
    return check if check and check.command else None


def health_of(zone: Zone) -> Health:
    text = zone.metadata.get("docker:health")
    return msgspec.json.decode(text, type=Health) if text else Health()


def note(zone: Zone, health: Health) -> None:
    """Put what is known into the zone's metadata; it is written down with the next change of its life."""
    zone.record["internal_metadata"] = {**zone.metadata, "docker:health": msgspec.json.encode(health).decode()}


class Monitor:
    """Checks running zones. ``report`` is told what each probe found."""

    def __init__(self, runtime: Runtime, report: Callable[[Zone], None]) -> None:
        self._runtime = runtime
        self._report = report

    def watch(self, zone: Zone) -> None:
        """Check a zone for as long as this life of it lasts, when it has a check."""
        check = check_of(zone)
        if check is not None:
            gevent.spawn(self._watch, zone, check, zone.life.boot_timestamp)

    def _watch(self, zone: Zone, check: Check, life: str | None) -> None:
        born = epoch(life) if life else time.time()
        while True:
            if zone.ended.wait(check.pause(health_of(zone).Status, time.time() - born)):
                return
            if zone.life.paused:
                continue
            age = time.time() - born
            result = self._probe(zone, check)
            if not zone.running or zone.life.boot_timestamp != life:
                return
            note(zone, health_of(zone).after(result, check, age))
            zone.note_life()
            self._report(zone)

    def _probe(self, zone: Zone, check: Check) -> Result:
        start = _now()
        try:
            code, output = self._run(zone, check)
        except (ExecFailure, OSError) as error:
            code, output = UNANSWERED, str(error)
        return Result(start, _now(), code, output)

    def _run(self, zone: Zone, check: Check) -> tuple[int, str]:
        """Run the check's program: exit code and output. Raises ExecFailure, OSError."""
        folder = zone.folder / "exec" / os.urandom(6).hex()
        folder.mkdir(parents=True, mode=0o700)
        try:
            process = exec_process(zone, {"Cmd": check.command})
            (folder / "process.json").write_bytes(msgspec.json.encode(process))
            argv = self._runtime.argv("exec", f"--pid-file={folder / 'pid'}", f"--process={folder / 'process.json'}")
            running, reader = spawn.start_heard([*argv, zone.uuid], (1, 2))
            reading = gevent.spawn(_read_begin, reader)
            code = running.wait(check.patience)
            if code is None:
                _kill(conmon.pid_in(folder / "pid"))
                running.kill()
                reading.kill()
                return UNANSWERED, f"Health check exceeded timeout ({check.patience:g}s)"
            reading.join(timeout=1)  # a child of the program may hold the pipe
            reading.kill()
            return code, reading.value if isinstance(reading.value, str) else ""
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _read_begin(fd: int) -> str:
    """Read a pipe to its end and close it; keep the beginning."""
    kept, more = b"", False
    os.set_blocking(fd, False)
    try:
        while True:
            wait_read(fd)
            part = os.read(fd, spawn.CHUNK)
            if not part:
                return kept.decode(errors="replace") + ("..." if more else "")
            more = more or len(kept) + len(part) > KEPT_OUTPUT
            kept = (kept + part)[:KEPT_OUTPUT]
    finally:
        os.close(fd)


def _kill(pid: int | None) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")

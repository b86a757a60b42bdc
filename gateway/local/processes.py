"""Keeping processes: started once, restarted when they die, stopped whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_KEEPER = """
on_stop() {
    trap '' TERM
    while cmp -s "/proc/$child/cmdline" "/proc/$$/cmdline"; do sleep 0.01; done
    kill -s "$signal" "$child" 2>/dev/null
    wait "$child"
    rm -f "$pidfile"
    exit 0
}
trap on_stop TERM INT HUP
pidfile=$1; signal=$2; shift 2
pause=0
while :; do
    began=$(date +%s)
    "$@" & child=$!
    echo "$child" > "$pidfile.new" && mv "$pidfile.new" "$pidfile"
    wait "$child"
    lived=$(($(date +%s) - began))
    if [ "$lived" -ge "${KEEPER_STEADY:-5}" ]; then pause=0; elif [ "$pause" -lt 5 ]; then pause=$((pause + 1)); fi
    [ "$pause" -le 1 ] || sleep "$((pause - 1))"
done
"""
"""A shell that starts a command again whenever it ends, at once the first time, slower when it keeps ending.

It costs less than a megabyte and has no state to lose. ``KEEPER_STEADY``: seconds after which a command counts as one
that works. A child that is still this shell, forked and not yet the
command, would lose the signal to stop: so that is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One kept process of an instance: its pid files are ``<folder>/run/<name>.pid`` and ``<name>.keeper``."""

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    patience: float = 15.0
    """Seconds it may take to stop before it is killed."""

    @property
    def pid_file(self) -> Path:
        return self.folder / "run" / f"{self.name}.pid"

    @property
    def keeper_file(self) -> Path:
        return self.folder / "run" / f"{self.name}.keeper"

    @property
    def log_file(self) -> Path:
        return self.folder / "log" / f"{self.name}.log"

    def start(self) -> bool:
        """Start it unless it is kept already; return whether it was started.

        A process whose keeper was killed is stopped and started anew, so that it is kept again.
        """
        if _alive(self.keeper_file, self._keeper_mark):
            return False
        self._stop_orphan()
        for file in (self.pid_file, self.log_file):
            file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            keeper = subprocess.Popen(
                ["sh", "-c", _KEEPER, self._keeper_mark, str(self.pid_file), self.stop_signal, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.keeper_file.write_text(str(keeper.pid))
        return True

    def stop(self) -> None:
        """Stop the keeper, which stops the process; kill both when that takes too long."""
        keeper = _alive(self.keeper_file, self._keeper_mark)
        if keeper:
            os.kill(keeper, signal.SIGTERM)
            if not _gone(keeper, self.patience):
                os.kill(keeper, signal.SIGKILL)
        self._stop_orphan()
        self.keeper_file.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)

    def pid(self) -> int | None:
        """The process's pid while it runs."""
        return _alive(self.pid_file, self.command[-1])

    @property
    def _keeper_mark(self) -> str:
        return f"keep-{self.name}-{self.folder.name}"

    def _stop_orphan(self) -> None:
        pid = self.pid()
        if pid:
            os.kill(pid, signal.Signals[f"SIG{self.stop_signal}"])
            if not _gone(pid, self.patience):
                os.kill(pid, signal.SIGKILL)
                _gone(pid, 5.0)


def _alive(file: Path, mark: str) -> int | None:
    """The pid in a file, while a process with that pid carries the mark in its command line."""
    try:
        pid = int(file.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (OSError, ValueError):
        return None
    return pid if mark in words else None


def _gone(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass  # not our child: somebody else reaps it
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False

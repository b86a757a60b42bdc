"""A terminal for the docker CLI: a pty with a size, typed into and read from."""

from __future__ import annotations

import fcntl
import os
import pty
import selectors
import struct
import subprocess
import termios
import time


class Terminal:
    """A process on a pty. ``text`` is everything it has shown so far."""

    def __init__(self, argv, env, rows: int = 24, columns: int = 80) -> None:
        self._master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            argv,
            env=env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_own_terminal,  # noqa: PLW1509 - the one way to a controlling terminal; it takes no lock
        )
        os.close(slave)
        self.text = ""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_text(self, wanted: str, seconds: float = 20.0, meanwhile=lambda: None) -> str:
        """Read until the wanted text was shown, doing something again and again; fail with what was shown instead."""
        end = time.monotonic() + seconds
        while wanted not in self.text:
            assert time.monotonic() < end, f"{wanted!r} not shown, but {self.text!r}"
            meanwhile()
            if not self._read(0.2) and self.process.poll() is not None and not self._read(0.2):
                raise AssertionError(f"ended without {wanted!r}: {self.text!r}")
        return self.text

    def wait_end(self, seconds: float = 20.0) -> int:
        """Read to the end; return the exit code."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            self._read(0.1)
            assert time.monotonic() < end, f"still running: {self.text!r}"
        while self._read(0.05):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as waiting:  # select() knows no descriptor from 1024 on
            waiting.register(self._master, selectors.EVENT_READ)
            if not waiting.select(seconds):
                return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

"""Sizes of terminals: the container's own, held by conmon, and those of exec'd processes, held by the agent."""

from __future__ import annotations

import os
import termios
from pathlib import Path

from gevent import socket

from datacenter.node.frames import SIZE
from datacenter.node.tasks import TaskError
from datacenter.node.zone import Zone

RECEIVE_WITHIN = 10.0


def set_size(fd: int, columns: int, rows: int) -> None:
    termios.tcsetwinsize(fd, (rows, columns))


def unpack_size(payload: bytes) -> tuple[int, int]:
    """Columns and rows of a RESIZE event."""
    columns, rows = SIZE.unpack(payload)
    return columns, rows


def resize_console(zone: Zone, columns: int, rows: int) -> None:
    """Size the container's terminal through conmon's control fifo. Raises TaskError VmNotRunning without a conmon."""
    try:
        fd = os.open(zone.ctl_fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:  # the fifo is gone, or nobody reads it
        raise TaskError("VmNotRunning", f"VM {zone.uuid} has no console") from error
    try:
        os.write(fd, b"1 %d %d\n" % (rows, columns))
    finally:
        os.close(fd)


class ConsoleSocket:
    """Where an OCI runtime sends the master of the terminal it made; a context manager that removes the path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)

    def receive(self) -> int:
        """The master's descriptor. Raises TimeoutError when the runtime sends none."""
        self._listener.settimeout(RECEIVE_WITHIN)
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(RECEIVE_WITHIN)
            _, fds, _, _ = socket.recv_fds(connection, 4096, 1)
        if not fds:
            raise TimeoutError("the runtime sent no terminal")
        master: int = fds[0]
        os.set_inheritable(master, False)
        return master

    def close(self) -> None:
        self._listener.close()
        self.path.unlink(missing_ok=True)

"""Connections to a container's console: conmon's attach socket."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import gevent
from gevent import socket

from datacenter.node.frames import STDOUT
from datacenter.node.netlink import find_attribute
from datacenter.node.relay import CONMON_STREAMS, Packets

PIECE = 32 * 1024
"""conmon reads its clients' packets into a buffer of this size; what is longer would be cut off."""
ACCEPT_WITHIN = 5.0

SOCK_DIAG_BY_FAMILY = 20
NETLINK_SOCK_DIAG = 4
NLM_F_REQUEST = 1
UDIAG_SHOW_PEER = 4
UNIX_DIAG_PEER = 2
ANY = 0xFFFFFFFF


class Console:
    """A client's connection to one container's console. ``output`` yields what it writes from now on."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.fd: int = connection.fileno()

    @classmethod
    def connect(cls, path: Path) -> Console:
        """Connect to conmon's attach socket and return once conmon has accepted.

        Only then does every byte the container writes reach us: a connection still in the queue is no reader yet.
        The folder is reached through its descriptor, since a socket's own path may have at most 107 bytes.
        Raises OSError when there is no conmon.
        """
        folder = os.open(path.parent, os.O_PATH)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
            _wait_accepted(connection)
        except BaseException:
            connection.close()
            raise
        finally:
            os.close(folder)
        return cls(connection)

    def output(self, wanted: frozenset[int]) -> Packets:
        """The container's output of the wanted kinds; to be closed by the caller."""
        return Packets(os.dup(self.fd), wanted)

    def waiting(self, size: int) -> list[tuple[int, bytes]]:
        """Take the output that waits, of all kinds, but not much more than ``size`` bytes. Never blocks."""
        packets = []
        self._connection.settimeout(0.0)
        try:
            while size > 0 and (packet := self._connection.recv(PIECE)):
                packets.append((CONMON_STREAMS.get(packet[0], STDOUT), packet[1:]))
                size -= len(packet) - 1
        except OSError:
            pass  # no more of it, or conmon died
        finally:
            self._connection.settimeout(None)
        return packets

    def write(self, data: bytes) -> None:
        """Write to the container's stdin. Raises OSError when conmon is gone."""
        for at in range(0, len(data), PIECE):
            self._connection.sendall(data[at : at + PIECE])

    def close_input(self) -> None:
        """Let the container see the end of its stdin. It is an error to call it when conmon is gone."""
        self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._connection.close()


def _wait_accepted(console: socket.socket) -> None:
    pause = 0.0005
    with gevent.Timeout(ACCEPT_WITHIN, TimeoutError("conmon does not accept")):
        while not _accepted(console) and _peek(console) is None:
            gevent.sleep(pause)
            pause = min(pause * 2, 0.05)


def _peek(console: socket.socket) -> bytes | None:
    """The packet that waits, not consumed: b"" when conmon went, None when there is none. Never blocks."""
    console.settimeout(0.0)  # gevent waits in spite of MSG_DONTWAIT
    try:
        packet: bytes = console.recv(PIECE, socket.MSG_PEEK)
    except BlockingIOError:
        return None
    finally:
        console.settimeout(None)
    return packet


def _accepted(console: socket.socket) -> bool:
    """Ask the kernel whether the other end belongs to a process yet: its inode is 0 until accept."""
    inode = os.fstat(console.fileno()).st_ino & ANY
    query = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, ANY, inode, UDIAG_SHOW_PEER, ANY, ANY)
    header = struct.pack("=IHHII", 16 + len(query), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as diag:
        diag.send(header + query)
        answer = diag.recv(8192)
    kind = struct.unpack_from("=H", answer, 4)[0]
    if kind != SOCK_DIAG_BY_FAMILY:
        raise ConnectionError("the console's socket is unknown to the kernel")
    return any(find_attribute(answer[32:], UNIX_DIAG_PEER) or b"")

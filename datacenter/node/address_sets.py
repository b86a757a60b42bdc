"""Addresses into and out of the sets of a namespace's table, by netlink.

It happens for each container at the start and the end of each of its peers, so no text is read for it and no socket
opened: forty microseconds, where the library that reads texts takes half a millisecond.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection
from ipaddress import IPv4Address
from pathlib import Path

import gevent
import gevent.monkey

from datacenter.node import netlink

NETLINK_NETFILTER = 12
NFTABLES = 10
"""The subsystem's number."""
BATCH_BEGIN, BATCH_END = 16, 17
NEW_ELEMENTS, DELETE_ELEMENTS = NFTABLES << 8 | 12, NFTABLES << 8 | 14
NFPROTO_INET = 1
F_NESTED = 1 << 15
LIST_TABLE, LIST_SET, LIST_ELEMENTS = 1, 2, 3
LIST_ELEMENT, ELEMENT_KEY, DATA_VALUE = 1, 1, 1

_close = gevent.monkey.get_original("os", "close")
"""Closes at once: that of gevent leaves it to the thread's loop, and the loops of a pool's threads never come round."""


class AddressSets:
    """The sets of one table of family inet in one namespace; it keeps the namespace until it is closed."""

    def __init__(self, namespace: Path, table: str) -> None:
        with netlink.inside(namespace):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        self._table = table
        self._sequence = 0

    def change(self, name: str, come: Collection[str], gone: Collection[str]) -> None:
        """Add addresses to a set and take others away, all or none. Raises OSError: no such set, no such address."""
        parts = [self._message(BATCH_BEGIN, socket.AF_UNSPEC, NFTABLES)]
        begin = self._sequence
        for kind, addresses in ((NEW_ELEMENTS, come), (DELETE_ELEMENTS, gone)):
            if addresses:
                flags = netlink.F_CREATE if kind == NEW_ELEMENTS else 0
                body = self._elements(name, addresses)
                parts.append(self._message(kind, NFPROTO_INET, 0, netlink.F_ACK | flags, body))
        last = self._sequence
        self._socket.send(b"".join([*parts, self._message(BATCH_END, socket.AF_UNSPEC, NFTABLES)]))
        code = self._outcome({begin, last})
        if code:
            raise OSError(code, f"{os.strerror(code)}: set {name}")

    def close(self) -> None:
        """Let go of the namespace; not in the hub, as the kernel may wait for a grace period first."""
        gevent.get_hub().threadpool.spawn(_close, self._socket.detach())

    def _elements(self, name: str, addresses: Collection[str]) -> bytes:
        listed = b"".join(_element(IPv4Address(address)) for address in sorted(addresses))
        return (
            netlink.attribute(LIST_TABLE, self._table.encode() + b"\0")
            + netlink.attribute(LIST_SET, name.encode() + b"\0")
            + netlink.attribute(LIST_ELEMENTS | F_NESTED, listed)
        )

    def _message(self, kind: int, family: int, resource: int, flags: int = 0, body: bytes = b"") -> bytes:
        self._sequence += 1
        header = struct.pack("=IHHII", 20 + len(body), kind, netlink.F_REQUEST | flags, self._sequence, 0)
        return header + struct.pack("=BB", family, 0) + struct.pack("!H", resource) + body

    def _outcome(self, final: set[int]) -> int:
        """The first error number in the answers up to that to a ``final`` message, which come in order; 0 is none."""
        failed, sequence = 0, -1
        while sequence not in final:
            reply = self._socket.recv(65536)
            sequence = struct.unpack_from("=I", reply, 8)[0]
            failed = failed or -struct.unpack_from("=i", reply, 16)[0]
        return failed


def _element(address: IPv4Address) -> bytes:
    value = netlink.attribute(DATA_VALUE, address.packed)
    return netlink.attribute(LIST_ELEMENT | F_NESTED, netlink.attribute(ELEMENT_KEY | F_NESTED, value))

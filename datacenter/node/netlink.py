"""The corner of rtnetlink containers need: links, addresses, routes. No program is started for it."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Self

from datacenter.node import syscalls

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 17, 18, 20, 24
F_REQUEST, F_ACK, F_REPLACE, F_EXCL, F_CREATE = 1, 4, 0x100, 0x200, 0x400
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 4, 5, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
RTA_OIF, RTA_GATEWAY = 4, 5
IFF_UP = 1
NLMSG_ERROR = 2
LO_INDEX = 1
OWN = Path("/proc/thread-self/ns/net")
"""The network namespace of the thread that looks."""


def attribute(kind: int, data: bytes) -> bytes:
    """An attribute of a netlink message, padded to four bytes."""
    size = 4 + len(data)
    return struct.pack("=HH", size, kind) + data + b"\0" * (-size % 4)


def find_attribute(attributes: bytes, wanted: int) -> bytes | None:
    """What the first attribute of a kind holds, of those that follow a message's header."""
    at = 0
    while at + 4 <= len(attributes):
        size, kind = struct.unpack_from("=HH", attributes, at)
        if kind == wanted:
            return attributes[at + 4 : at + size]
        at += max((size + 3) & ~3, 4)
    return None


def _name(text: str) -> bytes:
    return text.encode() + b"\0"


def _u32(number: int) -> bytes:
    return struct.pack("=I", number)


def _link_header(index: int = 0, *, up: bool = False) -> bytes:
    flags = IFF_UP if up else 0
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


class Netlink:
    """A netlink socket; it stays in the network namespace it was opened in. Requests raise OSError."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def add_bridge(self, name: str, mtu: int) -> None:
        info = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"bridge\0"))
        body = _link_header(up=True) + attribute(IFLA_IFNAME, _name(name)) + attribute(IFLA_MTU, _u32(mtu)) + info
        self._ask(RTM_NEWLINK, F_CREATE | F_EXCL, body)

    def add_veth(self, name: str, bridge: int, peer: str, *, netns: int, mac: str, mtu: int) -> None:
        """Make a pair in one request: one end up on a bridge, the other down in the namespace ``netns``.

        ``netns`` is a descriptor.
        """
        other = _link_header() + attribute(IFLA_IFNAME, _name(peer)) + attribute(IFLA_MTU, _u32(mtu))
        other += attribute(IFLA_NET_NS_FD, _u32(netns)) + attribute(IFLA_ADDRESS, _mac(mac))
        data = attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, other))
        info = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"veth\0") + data)
        body = _link_header(up=True) + attribute(IFLA_IFNAME, _name(name)) + attribute(IFLA_MTU, _u32(mtu))
        self._ask(RTM_NEWLINK, F_CREATE | F_EXCL, body + attribute(IFLA_MASTER, _u32(bridge)) + info)

    def set_up(self, index: int) -> None:
        self._ask(RTM_NEWLINK, 0, _link_header(index, up=True))

    def delete_link(self, index: int) -> None:
        self._ask(RTM_DELLINK, 0, _link_header(index))

    def other_end(self, index: int) -> int:
        """The index of a veth's other end, in the namespace where that is."""
        kind, reply = self._exchange(RTM_GETLINK, 0, _link_header(index))
        found = find_attribute(reply[32:], IFLA_LINK) if kind == RTM_NEWLINK else None
        if found is None:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return int.from_bytes(found, sys.byteorder)

    def add_address(self, index: int, address: IPv4Interface) -> None:
        body = struct.pack("=BBBBI", socket.AF_INET, address.network.prefixlen, 0, 0, index)
        body += attribute(IFA_LOCAL, address.ip.packed) + attribute(IFA_ADDRESS, address.ip.packed)
        body += attribute(IFA_BROADCAST, address.network.broadcast_address.packed)
        self._ask(RTM_NEWADDR, F_CREATE | F_EXCL, body)

    def set_default_route(self, gateway: IPv4Address, index: int) -> None:
        """Send everything else through a gateway, instead of whichever one there was."""
        main_table, by_boot, universe, unicast = 254, 3, 0, 1
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, main_table, by_boot, universe, unicast, 0)
        body += attribute(RTA_GATEWAY, gateway.packed) + attribute(RTA_OIF, _u32(index))
        self._ask(RTM_NEWROUTE, F_CREATE | F_REPLACE, body)

    def _ask(self, kind: int, flags: int, body: bytes) -> None:
        answer_kind, reply = self._exchange(kind, F_ACK | flags, body)
        code = struct.unpack_from("=i", reply, 16)[0] if answer_kind == NLMSG_ERROR else -errno.EPROTO
        if code:
            raise OSError(-code, os.strerror(-code))

    def _exchange(self, kind: int, flags: int, body: bytes) -> tuple[int, bytes]:
        """Send a request; the kind of its answer, and the answer with its header of 16 bytes."""
        self._sequence += 1
        header = struct.pack("=IHHII", 16 + len(body), kind, F_REQUEST | flags, self._sequence, 0)
        self._socket.send(header + body)
        reply = self._socket.recv(65536)
        return struct.unpack_from("=H", reply, 4)[0], reply


@contextmanager
def opened(namespace: Path) -> Iterator[int]:
    """Hold a namespace by a descriptor for the block."""
    fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def inside(namespace: Path) -> Iterator[None]:
    """Stand in another network namespace. Nothing in the block may let another greenlet run."""
    with opened(namespace) as theirs, opened(OWN) as ours:
        try:
            syscalls.setns(theirs, syscalls.CLONE_NEWNET)
            yield
        finally:
            syscalls.setns(ours, syscalls.CLONE_NEWNET)


def make_namespace(pin: Path) -> None:
    """Make a network namespace with lo up and keep it in the file ``pin``."""
    pin.touch()
    with opened(OWN) as ours:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        try:
            syscalls.bind(OWN, pin)
            with Netlink() as link:
                link.set_up(LO_INDEX)
            for name, value in NAMESPACE_SYSCTLS.items():
                Path("/proc/sys/net", name).write_text(value)
        finally:
            syscalls.setns(ours, syscalls.CLONE_NEWNET)


def drop_namespace(pin: Path, trash: Path) -> None:
    """Let a namespace go that is kept in a file, and the file. What lies there and is a folder goes to ``trash``."""
    try:
        syscalls.unmount(pin)
    except OSError as error:
        if error.errno != errno.EINVAL:  # the file is there, the mount is not: an agent died in between
            raise
    if pin.is_dir():
        pin.rename(trash / f"{pin.name}-{os.urandom(4).hex()}")
    else:
        pin.unlink()


NAMESPACE_SYSCTLS = {
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/ip_unprivileged_port_start": "0",
    "ipv4/ping_group_range": "0 2147483647",
}
"""As dockerd sets them for its containers."""

"""What this machine lacks to run the gateway and the embedded data center, and how to get it."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for."""

    what: str
    found: str
    """What was found; empty when it is missing."""
    advice: str
    needed: bool = True

    @property
    def ok(self) -> bool:
        return bool(self.found) or not self.needed


_COMMANDS: tuple[tuple[tuple[str, ...], str, bool], ...] = (
    (("crun", "runc"), "apt-get install crun runc", True),
    (("conmon",), "apt-get install conmon", True),
    (("ip",), "apt-get install iproute2", True),
    (("nft",), "apt-get install nftables", True),
    (("nsenter",), "apt-get install util-linux", True),
    (("busybox",), "apt-get install busybox-static", True),
    (("docker",), "apt-get install docker.io (only the client is used), or any docker CLI from 20.10 on", True),
    (("curl",), "apt-get install curl", True),
    (("openssl",), "apt-get install openssl", True),
    (("ssh-keygen",), "apt-get install openssh-client", True),
    (("docker-init", "tini", "catatonit"), "apt-get install tini, for docker run --init", False),
)


def examine() -> list[Finding]:
    """Look at everything; the order is the order of the printout."""
    return list(_findings())


def _findings() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python 3.11 or newer", version if sys.version_info >= (3, 11) else "", "install python3.11")
    yield Finding("root", "uid 0" if os.geteuid() == 0 else "", "containers need root: run as root, or with sudo")
    yield Finding("overlay file system", _kernel("overlay"), "modprobe overlay")
    yield Finding("network namespaces", _exists(Path("/proc/self/ns/net")), "a kernel with CONFIG_NET_NS")
    yield Finding("cgroups", _cgroups(), "mount cgroups on /sys/fs/cgroup")
    yield Finding("libnftables", _library("libnftables.so.1"), "apt-get install nftables")
    for names, advice, needed in _COMMANDS:
        yield Finding(" or ".join(names), _command(names), advice, needed)


def _command(names: tuple[str, ...], which: Callable[[str], str | None] = shutil.which) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return next((found for name in names if (found := which(name) or shutil.which(name, path=path))), "")


def _library(name: str) -> str:
    try:
        ctypes.CDLL(name)
    except OSError:
        return ""
    return name


def _kernel(name: str) -> str:
    known = Path("/proc/filesystems").read_text().split()
    return "in the kernel" if name in known or Path(f"/lib/modules/{os.uname().release}").exists() else ""


def _exists(path: Path) -> str:
    return str(path) if path.exists() else ""


def _cgroups() -> str:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return "version 2"
    return "version 1" if Path("/sys/fs/cgroup/memory").exists() else ""

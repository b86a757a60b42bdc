"""The address blocks of an instance: instances and accounts share one Linux host, so none may overlap.

Instance ``i`` (0..25) has 10.(40+i).0.0/24 for ``admin``, 10.(88+i).0.0/24 for ``external`` and four
blocks, first 10.(128+i).0.0/16, that fabric networks are cut from.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

DEFAULT_FABRIC_PREFIX = 22

_FABRIC_BASES = (128, 160, 192, 224)
_FALLBACK_RESOLVERS = ["8.8.8.8", "8.8.4.4"]


def admin(index: int) -> IPv4Network:
    return IPv4Network((f"10.{40 + index}.0.0", 24))


def external(index: int) -> IPv4Network:
    return IPv4Network((f"10.{88 + index}.0.0", 24))


def fabric_blocks(index: int) -> list[IPv4Network]:
    return [IPv4Network((f"10.{base + index}.0.0", 16)) for base in _FABRIC_BASES]


def free_subnet(blocks: Iterable[IPv4Network], prefix: int, used: list[IPv4Network]) -> IPv4Network | None:
    """Find the first subnet of the given length that overlaps none in use, or None."""
    for block in blocks:
        size = 1 << (32 - prefix)
        start = int(block.network_address)
        taken = sorted((int(net.network_address), int(net.broadcast_address)) for net in used if net.overlaps(block))
        for low, high in taken:
            if start + size <= low:
                break
            start = max(start, -(-(high + 1) // size) * size)
        if start + size - 1 <= int(block.broadcast_address):
            return IPv4Network((start, prefix))
    return None


def provision_range(subnet: IPv4Network) -> tuple[str, str, str]:
    """Gateway and first and last address for VMs, as the data center chooses them when the user does not."""
    gateway = subnet.network_address + 1
    first = subnet.network_address + (5 if subnet.num_addresses > 8 else 2)
    last = subnet.broadcast_address - (5 if subnet.num_addresses > 16 else 1)
    return str(gateway), str(first), str(last)


def host_resolvers(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """The host's own IPv4 name servers that a container can reach; public ones where there are none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return _FALLBACK_RESOLVERS
    servers = [fields[1] for fields in map(str.split, lines) if len(fields) > 1 and fields[0] == "nameserver"]
    return [server for server in servers if ":" not in server and not server.startswith("127.")] or _FALLBACK_RESOLVERS

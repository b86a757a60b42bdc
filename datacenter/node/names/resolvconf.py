"""A container's /etc/resolv.conf: who answers its queries, and who is asked what the node cannot answer."""

from __future__ import annotations

from pathlib import Path

from datacenter.node.names.facts import places
from datacenter.node.names.resolver import ADDRESS
from datacenter.node.plainfile import read_plain
from datacenter.node.spec import json_list
from datacenter.node.zone import Zone

FALLBACK = ("8.8.8.8", "8.8.4.4")


def text(zone: Zone) -> str:
    """The file's text. A container with names has the node's resolver, which takes names without a dot as they are."""
    return _text(zone, named=bool(places(zone.record)))


def _text(zone: Zone, *, named: bool) -> str:
    lines = [f"nameserver {server}" for server in ([ADDRESS] if named else servers(zone))]
    search = json_list(zone.metadata.get("docker:dnssearch"))
    if search and search != ["."]:
        lines.append("search " + " ".join(search))
    options = list(zone.linux.get("DnsOptions") or ())
    if named and not any(option.startswith("ndots:") for option in options):
        options.append("ndots:0")
    if options:
        lines.append("options " + " ".join(options))
    return "\n".join(lines) + "\n"


def servers(zone: Zone) -> list[str]:
    """Other name servers: the container's own, else those of its networks, else the host's that are not local ones."""
    found = zone.record.get("resolvers") or _host_servers() or FALLBACK
    return [server for server in found if server != ADDRESS]


def change(zone: Zone, before: str) -> None:
    """Follow a change of networks in a running container's file, unless the container has made the file its own.

    ``before`` is the text before the change. One that an agent died over, and that is sent again, finds all but the
    file changed: the file is known by what it says.
    """
    path, after = zone.bundle / "resolv.conf", text(zone)
    ours = {before, _text(zone, named=True), _text(zone, named=False)}
    found = read_plain(path).decode(errors="replace")
    if found in ours and found != after:
        path.write_text(after)  # in place: the file is mounted into the container


def _host_servers() -> list[str]:
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        return []
    found = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    return [server for server in found if not server.startswith("127.") and server != "::1"]

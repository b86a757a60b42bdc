"""What the embedded data center is told when it starts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from grammars.places import Place, place_of

SERVICES = ("vmapi", "wfapi", "cnapi", "imgapi", "napi", "papi", "fwapi", "volapi", "mahi", "cns", "cloudapi")


class DcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the services process and of every node agent of one instance.

    Written by ``docker-gateway up`` to ``<state>/datacenter.json`` and read by each process from there.
    """

    state: Path
    """Folder that holds everything of this instance."""
    instance: str = "a"
    """One letter; every bridge, cgroup, port and subnet of the instance carries it or its index."""
    name: str = "emb"
    """The data center's name, as clients see it."""
    port_base: int = 18000
    """Service n of SERVICES listens on 127.0.0.1:port_base+1+n; node n's agent on port_base+30+n."""
    nodes: int = 1
    simulated_nodes: int = 0
    """Compute nodes that keep books and start no process, all in one process that listens on port_base+50."""
    node_memory_mib: int = 0
    """Capacity each node claims; 0 means the machine's memory shared out among the nodes."""
    node_disk_mib: int = 1024 * 1024
    overprovision_cpu: float = 1024.0
    """How many times a new node's CPU, memory and disk may be promised to containers. 1.0 is what a production
    node keeps to; a developer's machine lives well with more, since containers seldom use what they may."""
    overprovision_ram: float = 64.0
    overprovision_disk: float = 64.0
    privileged: bool = False
    """Whether nodes give containers devices and rights that reach out of them, when the gateway asks for it."""
    host_binds: tuple[str, ...] = ()
    """Folders and files of the host below which containers may have folders and files, when the gateway asks for it."""
    docker_url: str = ""
    """tcp://host:port of the gateway, for CloudAPI's services list."""
    insecure_registries: tuple[str, ...] = ("127.0.0.0/8", "localhost")
    registry_mirrors: tuple[str, ...] = ()
    """Base URLs tried before docker.io, e.g. http://127.0.0.1:5000"""

    @property
    def index(self) -> int:
        return ord(self.instance) - ord("a")

    def port(self, service: str) -> int:
        return self.port_base + 1 + SERVICES.index(service)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port(service)}"

    @property
    def places(self) -> frozenset[Place]:
        """Where the services and the nodes' agents listen, which trust whoever reaches them."""
        ports = [*map(self.port, SERVICES), *map(self.node_port, range(self.nodes)), self.simulation_port]
        return frozenset(place_of(f"http://127.0.0.1:{port}") for port in ports)

    def node_port(self, number: int) -> int:
        return self.port_base + 30 + number

    @property
    def simulation_port(self) -> int:
        return self.port_base + 50


def load(path: Path) -> DcSettings:
    """Read a settings file. Raises msgspec.ValidationError that names what is wrong."""
    return msgspec.json.decode(path.read_bytes(), type=DcSettings, dec_hook=_decode)


def _decode(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)

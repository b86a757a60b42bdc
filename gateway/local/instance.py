"""What one local instance is called, where it keeps its things and which ports it takes.

Several copies run side by side: each has a letter, and everything that the machine can see of it (state folder,
ports, bridges, cgroups, subnets) carries the letter or its number.
"""

from __future__ import annotations

import json
import os
import posixpath
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
ROOT = _PACKAGE / "shipped" if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent
"""Where conf/ and tools/ lie: the project's own folder, or what a wheel carries of it."""

BIN = str(Path(sys.executable).parent)
"""The folder of ``docker-gateway`` itself, and of the docker client when tools/install.sh had to get one."""

_SERVICES = ("vmapi", "wfapi", "cnapi", "imgapi", "napi", "papi", "fwapi", "volapi", "mahi", "cns", "cloudapi")

LOG_DRIVERS = ("json-file", "syslog", "gelf", "fluentd", "none")
"""Those that embedded compute nodes carry out; a real data center's depend on its platform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance. ``letter`` is a to z; ``folder`` holds all its state."""

    letter: str
    folder: Path
    nodes: int = 1
    simulated: int = 0
    """Compute nodes that start no process; with any of them there are no others."""
    account: str = "demo"
    datacenter: str = "emb"
    mirrors: tuple[str, ...] = ()
    privileged: bool = False
    host_binds: tuple[str, ...] = ()
    """Folders and files of the machine below which the account may bind."""

    @classmethod
    def of(cls, environ: Mapping[str, str], base: Path | None = None) -> Instance:
        """Read INSTANCE, COMPUTE_NODES, ACCOUNT and the other variables that docs/datacenter.md lists.

        Raises ValueError with advice.
        """
        letter = environ.get("INSTANCE") or "a"
        if len(letter) != 1 or not "a" <= letter <= "z":
            raise ValueError(f"INSTANCE is one letter, a to z, not {letter!r}")
        simulated = _count(environ, "COMPUTE_NODES_SIMULATED", 0, 0, 100)
        if simulated and environ.get("COMPUTE_NODES"):
            raise ValueError("COMPUTE_NODES_SIMULATED means that no node is real: leave COMPUTE_NODES out")
        nodes = 0 if simulated else _count(environ, "COMPUTE_NODES", 1, 1, 20)
        name = "var" if letter == "a" else f"var-{letter}"
        given = environ.get("INSTANCE_FOLDER")
        folder = Path(given) if given else (base or Path.cwd()) / name
        return cls(
            letter=letter,
            folder=folder.absolute(),
            nodes=nodes,
            simulated=simulated,
            account=environ.get("ACCOUNT") or "demo",
            datacenter=environ.get("DATACENTER") or "emb",
            mirrors=tuple(environ.get("REGISTRY_MIRRORS", "").split()),
            privileged=environ.get("PRIVILEGED_CONTAINERS", "") in {"1", "yes", "true"},
            host_binds=_paths(environ, "HOST_BINDS"),
        )

    @property
    def number(self) -> int:
        return ord(self.letter) - ord("a")

    @property
    def port_base(self) -> int:
        return 18000 + 100 * self.number

    @property
    def docker_port(self) -> int:
        return 2376 + 10 * self.number

    def url(self, service: str) -> str:
        """Base URL of a service of the embedded data center."""
        return f"http://127.0.0.1:{self.port_base + 1 + _SERVICES.index(service)}"

    @property
    def docker_url(self) -> str:
        return f"tcp://127.0.0.1:{self.docker_port}"

    @property
    def datacenter_file(self) -> Path:
        return self.folder / "datacenter.json"

    def write_datacenter_file(self) -> None:
        """Write what the data center's processes are told; the same facts give the same file."""
        facts = {
            "state": str(self.folder),
            "instance": self.letter,
            "name": self.datacenter,
            "port_base": self.port_base,
            "nodes": self.nodes,
            "simulated_nodes": self.simulated,
            "docker_url": self.docker_url,
            "registry_mirrors": self.mirrors,
            "privileged": self.privileged,
            "host_binds": self.host_binds,
        }
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # keys, environments of containers and what they wrote
        self.datacenter_file.write_text(json.dumps(facts, indent=1) + "\n")

    def gateway_environment(self) -> dict[str, str]:
        """The settings of this instance's gateway, on top of conf/gateway.toml."""
        listen = [self.docker_url, f"unix://{self.folder}/docker.sock"]
        facts = {
            "GATEWAY_LISTEN": json.dumps(listen),
            "GATEWAY_SOCKET_ACCOUNT": self.account,
            "GATEWAY_STATE_DIR": str(self.folder / "gateway"),
            "GATEWAY_TLS__CERTIFICATE": str(self.folder / "gateway/tls/cert.pem"),
            "GATEWAY_TLS__KEY": str(self.folder / "gateway/tls/key.pem"),
            "GATEWAY_TRITON__DATACENTER_NAME": self.datacenter,
            "GATEWAY_TRITON__LOG_DRIVERS": json.dumps(LOG_DRIVERS),
        }
        if self.host_binds:
            facts["GATEWAY_TRITON__HOST_BINDS"] = json.dumps(self.host_binds)
            facts["GATEWAY_TRITON__HOST_BIND_ACCOUNTS"] = json.dumps([self.account])
        facts |= {f"GATEWAY_SERVICES__{name.upper()}": self.url(name) for name in _SERVICES if name != "cloudapi"}
        facts["GATEWAY_CONFIG"] = os.environ.get("GATEWAY_CONFIG") or str(ROOT / "conf" / "gateway.toml")
        return facts


def _paths(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Absolute paths, separated by colons. Raises ValueError with advice."""
    found = tuple(path.rstrip("/") for path in environ.get(name, "").split(":") if path)
    for path in found:
        if not path.startswith("/") or posixpath.normpath(path) != path:
            raise ValueError(f"{name} is a list of absolute paths without . and .., none of them /: not {path!r}")
    return found


def _count(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A number from the environment. Raises ValueError with advice."""
    text = environ.get(name) or str(default)
    if not text.isdigit() or not least <= int(text) <= most:
        raise ValueError(f"{name} is a number from {least} to {most}, not {text!r}")
    return int(text)

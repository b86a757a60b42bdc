"""The VMAPI payload of a new container, key for key as sdc-docker sends it. Facts: docker-on-triton 4.5, 4.15.

Six keys of the internal metadata are ours alone; sdc-docker and the platform ignore them:

- ``docker:linux``: kernel options for nodes that advertise ``linux-options``;
- ``docker:hostconfig``: the fields of HostConfig that are honoured and that inspect must show again as they were
  asked for, where SDC keeps nothing or something rounded (JSON, defaults left out);
- ``docker:asked_endpoints``: the address and the priority asked for on a network, by its uuid, which inspect shows
  again (JSON);
- ``docker:port_map``: the numbers outside of published ports that have others than their own, by port, for nodes that
  advertise ``port-remapping`` (JSON: ``{"80/tcp": [8080]}``);
- ``docker:endpoint:<network uuid>``: what the container is called on a network, for nodes that advertise
  ``network-names`` (JSON: ``{"network": "back", "aliases": ["db"], "links": ["cache:redis"]}``);
- ``docker:autoremove``: ``true`` when the gateway deletes the container once it has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from grammars import dockerids
from translators.containers.command import Command
from translators.containers.endpoints import ASKED_ENDPOINTS
from translators.containers.links import NO_LINKS
from translators.containers.linux import LinuxPlan
from translators.containers.log_config import LogPlan
from translators.containers.model import ContainerCreate
from translators.containers.networks import NetworkPlan
from translators.containers.ports import PROTOCOLS, PortPlan, port_name
from translators.containers.states import json_text
from translators.labels import Tag

Payload = dict[str, Any]

_KEPT_ELSEWHERE = frozenset({
    "PortBindings", "PublishAllPorts", "LogConfig", "RestartPolicy", "ExtraHosts", "Links",
    "Runtime",
})  # fmt: skip
_BOOLEANS = {
    "docker:tty": "Tty",
    "docker:attach_stdin": "AttachStdin",
    "docker:attach_stdout": "AttachStdout",
    "docker:attach_stderr": "AttachStderr",
    "docker:open_stdin": "OpenStdin",
}


@dataclass(frozen=True, slots=True)
class Image:
    """What the payload needs of an image."""

    uuid: str
    docker_id: str
    """Digest of its configuration; SmartOS images have none."""
    smartos: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that was decided about a new container, ready to be written down."""

    uuid: str
    docker_id: str
    alias: str
    owner_uuid: str
    package_uuid: str
    image: Image
    command: Command
    log: LogPlan
    ports: PortPlan
    networks: NetworkPlan
    linux: LinuxPlan
    health: dict[str, Any] | None
    """The value of ``docker:healthcheck``."""
    restart_policy: str | None
    """The value of ``docker:restartpolicy``."""
    filesystems: list[dict[str, Any]]
    volumes: list[dict[str, Any]]
    """Named volumes, as VMAPI takes them."""
    volumes_from: list[str]
    tags: dict[str, Tag]
    search: list[str]


def build_payload(body: ContainerCreate, parts: Parts) -> Payload:
    """Write the body of ``POST /vms``. Firewall rules are added later, just before it is sent."""
    payload: Payload = {
        "uuid": parts.uuid,
        "owner_uuid": parts.owner_uuid,
        "alias": parts.alias,
        "hostname": body.Hostname or dockerids.short(parts.docker_id),
        "docker": True,
        "autoboot": False,
        "restart_init": False,
        "tmpfs": 0,
        "firewall_enabled": True,
        "image_uuid": parts.image.uuid,
        "billing_id": parts.package_uuid,
        "zlog_max_size": parts.log.max_size,
        "networks": parts.networks.networks,
        "filesystems": parts.filesystems,
        "affinity": [],
        "tags": {"sdc_docker": True, **parts.tags},
        "internal_metadata": _metadata(body, parts),
    }
    if parts.volumes:
        payload["volumes"] = parts.volumes
    if body.Domainname:
        payload["dns_domain"] = body.Domainname
    if body.HostConfig.Dns:
        payload["resolvers"] = body.HostConfig.Dns
    if parts.image.smartos:
        return payload | {"brand": "joyent-minimal", "init_name": "/usr/vm/sbin/dockerinit"}
    return payload | {
        "brand": "lx",
        "init_name": "/native/usr/vm/sbin/dockerinit",
        "kernel_version": "3.13.0",
    }


def _metadata(body: ContainerCreate, parts: Parts) -> dict[str, Any]:
    """Write ``internal_metadata``: lists are JSON texts, booleans are there only when true."""
    host = body.HostConfig
    metadata: dict[str, Any] = {
        "docker:id": parts.docker_id,
        "docker:cmd": json_text(parts.command.cmd),
        "docker:entrypoint": json_text(parts.command.entrypoint),
        "docker:env": json_text(parts.command.env),
        "docker:imageid": parts.image.docker_id,
        "docker:imagename": body.Image,
        **NO_LINKS,
    }
    metadata |= {key: True for key, name in _BOOLEANS.items() if getattr(body, name)}
    texts = {
        "docker:user": parts.command.user,
        "docker:workdir": parts.command.workdir,
        "docker:healthcheck": json_text(parts.health) if parts.health else None,
        "docker:restartpolicy": parts.restart_policy,
        "docker:logdriver": parts.log.driver,
        "docker:logconfig": json_text(parts.log.options) if parts.log.driver else None,
        "docker:dnssearch": _listed([*host.DnsSearch, *parts.search]),
        "docker:extraHosts": _listed(host.ExtraHosts),
        "docker:volumesfrom": _listed(parts.volumes_from),
        "docker:port_map": _port_map(parts.ports),
        "docker:linux": json_text(parts.linux.options) if parts.linux.options else None,
        "docker:hostconfig": _kept_host_config(body, parts.linux),
        ASKED_ENDPOINTS: json_text(parts.networks.asked) if parts.networks.asked else None,
    }
    for protocol in PROTOCOLS:
        texts[f"docker:{protocol}_unpublished_ports"] = _listed(parts.ports.unpublished_numbers(protocol))
    metadata |= {key: text for key, text in texts.items() if text} | parts.networks.metadata
    if host.PublishAllPorts:
        metadata["docker:publish_all_ports"] = True
    if host.AutoRemove:
        metadata["docker:autoremove"] = True
    if not parts.image.smartos:
        metadata["docker:noipmgmtd"] = True
    return metadata


def _kept_host_config(body: ContainerCreate, linux: LinuxPlan) -> str | None:
    kept = {
        name: linux.shown.get(name, value)
        for name, value in msgspec.to_builtins(body.HostConfig).items()
        if name not in _KEPT_ELSEWHERE and name not in linux.ignored
    }
    return json_text(kept) if kept else None


def _port_map(ports: PortPlan) -> str | None:
    found = {port_name(port): numbers for port, numbers in sorted(ports.host_ports.items())}
    return json_text(found) if found else None


def _listed(values: list[Any]) -> str | None:
    return json_text(values) if values else None

"""What inspect and list both show of a VM: names, command, image, ports, networks, mounts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from typing import Any

from grammars import dockerids
from translators.containers import host_binds, named_volumes
from translators.containers.endpoint_names import shown_names
from translators.containers.endpoints import ASKED_ENDPOINTS
from translators.containers.ports import PROTOCOLS, Port, port_name
from translators.containers.states import is_running, json_metadata, linux_options, metadata
from translators.containers.volumes import is_own_volume, volume_name
from translators.labels import PACKAGE_LABEL, from_tags
from translators.networks.predefined import predefined_id

Vm = dict[str, Any]
Json = dict[str, Any]

NO_IMAGE = "<none>"


def image_name(vm: Vm) -> str:
    """Return the image as it was named when the container was made."""
    return str(metadata(vm).get("docker:imagename") or image_id(vm))


def image_id(vm: Vm) -> str:
    return str(metadata(vm).get("docker:imageid") or NO_IMAGE)


def labels(vm: Vm, package_name: str | None) -> dict[str, str]:
    """Return the container's labels with the name of its package among them."""
    found = from_tags(vm.get("tags") or {})
    if package_name:
        found[PACKAGE_LABEL] = package_name
    return found


def host_config(vm: Vm) -> Json:
    """Return the fields of HostConfig that were kept as they were asked for."""
    kept: Json = json_metadata(vm, "docker:hostconfig", {})
    return kept


def network_mode(vm: Vm) -> str:
    """Return the mode; the default network is ``bridge`` for Docker."""
    if linux_options(vm).get("NetworkNone"):
        return "none"
    mode = str(host_config(vm).get("NetworkMode") or "default")
    return "bridge" if mode == "default" else mode


def unpublished_ports(vm: Vm) -> set[Port]:
    return {
        (protocol, int(number))
        for protocol in PROTOCOLS
        for number in json_metadata(vm, f"docker:{protocol}_unpublished_ports", [])
    }


def nics(vm: Vm) -> list[Json]:
    """Return the addresses of a container, the primary one first; none when it is cut off from networks."""
    if linux_options(vm).keys() & {"NetworkNone", "NetworkContainer"}:
        return []
    found: list[Json] = vm.get("nics") or []
    return sorted(found, key=lambda nic: not nic.get("primary"))


def address(vm: Vm) -> str:
    """Return the address at which published ports are reached: no address of any host, so never ``0.0.0.0``."""
    return str(next(iter(nics(vm)), {}).get("ip") or "")


def networks(vm: Vm, name_of: Callable[[str], str]) -> dict[str, Json]:
    """Return Docker's ``Networks``: one endpoint for each nic, by the name of its network."""
    if not nics(vm):
        return {"none": endpoint({}, vm)} if linux_options(vm).get("NetworkNone") else {}
    found = {}
    for nic in nics(vm):
        if nic.get("network_uuid"):
            name = name_of(str(nic["network_uuid"]))
            found[name] = endpoint(nic, vm) | ({"NetworkID": predefined_id(name)} if name == "bridge" else {})
    return found


def endpoint(nic: Json, vm: Vm) -> Json:
    """Describe one nic; its id is made from what does not change."""
    mac = str(nic.get("mac") or "")
    asked: Json = json_metadata(vm, ASKED_ENDPOINTS, {})
    return {
        "IPAMConfig": None,
        **shown_names(vm, str(nic.get("network_uuid") or "")),
        "MacAddress": mac,
        "DriverOpts": None,
        "GwPriority": 0,
        "NetworkID": dockerids.network_docker_id(nic["network_uuid"]) if nic else "",
        "EndpointID": hashlib.sha256(f"{vm['uuid']} {mac}".encode()).hexdigest() if nic else "",
        "Gateway": str(nic.get("gateway") or ""),
        "IPAddress": str(nic.get("ip") or ""),
        "IPPrefixLen": prefix_length(nic),
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        **asked.get(str(nic.get("network_uuid")), {}),
    }


def prefix_length(nic: Json) -> int:
    netmask = nic.get("netmask")
    return ip_network(f"0.0.0.0/{netmask}").prefixlen if netmask else 0


def mounts(vm: Vm) -> list[Json]:
    """Return Docker's ``Mounts``: data volumes, folders of the node, and the tmpfs mounts asked for as mounts."""
    volumes = [_volume_mount(entry) for entry in vm.get("filesystems") or []]
    volumes += [named_volumes.mount_point(item) for item in named_volumes.mounted(vm)]
    volumes += [host_binds.mount_point(item) for item in host_binds.told(vm)]
    asked = host_config(vm).get("Mounts") or []
    return volumes + [_tmpfs_mount(mount) for mount in asked if mount.get("Type") == "tmpfs"]


def _tmpfs_mount(mount: Json) -> Json:
    return {
        "Type": "tmpfs",
        "Source": "",
        "Destination": mount.get("Target", ""),
        "Mode": "",
        "RW": not mount.get("ReadOnly", False),
        "Propagation": "",
    }


def _volume_mount(entry: Json) -> Json:
    return {
        "Type": "volume",
        "Name": volume_name(entry),
        "Source": entry.get("source", ""),
        "Destination": entry.get("target", ""),
        "Driver": "local",
        "Mode": "",
        "RW": "ro" not in (entry.get("options") or []),
        "Propagation": "",
    }


def own_volumes(vm: Vm) -> list[str]:
    """Return the mount points of the container's own volumes."""
    return [entry["target"] for entry in vm.get("filesystems") or [] if is_own_volume(vm, entry)]


def host_ports(vm: Vm, port: Port) -> list[int]:
    """Return the numbers of a published port outside: its own, unless others were asked for."""
    found = json_metadata(vm, "docker:port_map", {}).get(port_name(port))
    return [int(number) for number in found] if found else [port[1]]


def by_number(ports: Iterable[Port]) -> list[Port]:
    return sorted(ports, key=lambda port: (port[1], port[0]))


def ports(vm: Vm, published: set[Port]) -> list[Json]:
    """Return Docker's ``Ports`` of a list: what can be reached now, so none of a container that does not run."""
    if not is_running(vm):
        return []
    ip = address(vm)
    opened = [
        {"IP": ip, "PrivatePort": number, "PublicPort": outside, "Type": protocol}
        for protocol, number in by_number(published)
        for outside in host_ports(vm, (protocol, number))
    ]
    closed = by_number(unpublished_ports(vm) - published)
    return [*opened, *({"PrivatePort": number, "Type": protocol} for protocol, number in closed)]

"""Legacy links as data: what ``--link`` says, and the variables and host names that it amounts to.

Addresses are fixed for a container's life, so unlike dockerd's a link works while its target is stopped.
Facts: docker-on-triton 4.11; moby ``opts.ParseLink`` and ``daemon/links``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import InvalidParameter
from gateway.state.links import Link
from translators.containers import view
from translators.containers.ports import PROTOCOLS, Port
from translators.containers.states import json_metadata, json_text, metadata
from translators.ids import container_name

Vm = dict[str, Any]

NO_LINKS = {"docker:linkHosts": "", "docker:linkEnv": "[]"}
_ALIAS = re.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_NOT_LINKED = frozenset({"HOME", "PATH"})


@dataclass(frozen=True, slots=True)
class Linked:
    """A container as others see it through a link."""

    vm: Vm
    alias: str
    ports: Sequence[Port]
    """Published ones first, each part by number."""


def parse_links(entries: Iterable[str]) -> list[tuple[str, str]]:
    """Read ``target:alias`` entries, and ``/target:/container/alias`` as inspect shows them, into pairs.

    Without an alias the target's name is it; of two entries with one alias the first counts.
    Raises InvalidParameter.
    """
    pairs: dict[str, str] = {}
    for entry in entries:
        target, _, alias = entry.partition(":")
        if target.startswith("/"):
            target, alias = target[1:], alias.rpartition("/")[2]
        elif ":" not in entry:
            alias = target
        if not target or not _ALIAS.fullmatch(alias):
            raise InvalidParameter(f"bad format for links: {entry}")
        pairs.setdefault(alias, target)
    return [(target, alias) for alias, target in pairs.items()]


def linked_ports(vm: Vm, published: set[Port]) -> list[Port]:
    """Return the ports a link tells of; containers of early sdc-docker have a list of their own."""
    listed = [
        (protocol, int(number))
        for protocol in PROTOCOLS
        for number in json_metadata(vm, f"docker:{protocol}_all_ports", [])
    ]
    return listed or [*view.by_number(published), *view.by_number(view.unpublished_ports(vm) - published)]


def link_metadata(name: str, linked: Iterable[Linked]) -> dict[str, Any]:
    """Write the metadata of a container called ``name``: what its node puts in environment and /etc/hosts."""
    linked = list(linked)
    variables = [variable for target in linked for variable in link_env(name, target)]
    return {
        "docker:linkHosts": "".join(hosts_line(target) for target in linked),
        "docker:linkEnv": json_text(variables),
    }


def link_env(name: str, target: Linked) -> list[str]:
    """Write the variables of one link: its name, the target's own variables, its ports and the lowest of them."""
    prefix = target.alias.upper().replace("-", "_")
    env = [f"{prefix}_NAME=/{name}/{target.alias}"]
    for entry in json_metadata(target.vm, "docker:env", []):
        key, equals, _ = entry.partition("=")
        if equals and key not in _NOT_LINKED:
            env.append(f"{prefix}_ENV_{entry}")
    ip = link_address(target.vm)
    if not ip or not target.ports:
        return env
    protocol, number = min(target.ports)  # tcp before udp
    env.append(f"{prefix}_PORT={protocol}://{ip}:{number}")
    for protocol, number in target.ports:
        port = f"{prefix}_PORT_{number}_{protocol.upper()}"
        env += [f"{port}={protocol}://{ip}:{number}", f"{port}_ADDR={ip}", f"{port}_PORT={number}"]
        env.append(f"{port}_PROTO={protocol}")
    return env


def hosts_line(target: Linked) -> str:
    """Write the line of /etc/hosts; none for a target without an address."""
    ip = link_address(target.vm)
    names = dict.fromkeys([target.alias, str(target.vm.get("hostname") or ""), container_name(target.vm)[1:]])
    return f"{ip}\t{' '.join(filter(None, names))}\n" if ip else ""


def link_address(vm: Vm) -> str:
    """Return the address other containers use: the last one on a fabric, else the first."""
    nics = view.nics(vm)
    fabric = [nic for nic in nics if "/" in str(nic.get("nic_tag", ""))]
    chosen = (fabric[-1:] or nics[:1] or [{}])[0]
    return str(chosen.get("ip") or "")


def stored_metadata(vm: Vm) -> dict[str, Any]:
    """Return what a VM's metadata says of links now, in the form of ``link_metadata``."""
    return {key: metadata(vm).get(key) or nothing for key, nothing in NO_LINKS.items()}


def shown_links(links: Iterable[Link]) -> list[str]:
    """Write links as inspect shows those of a container."""
    return [f"/{link.target_name}:/{link.container_name}/{link.alias}" for link in links if not link.cut]


def names_by_target(links: Iterable[Link]) -> dict[str, list[str]]:
    """Return, by VM, the names that links give it: ``/container/alias``."""
    names: dict[str, list[str]] = {}
    for link in links:
        names.setdefault(link.target_uuid, []).append(f"/{link.container_name}/{link.alias}")
    return names

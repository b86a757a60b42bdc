"""What a container is called on its networks: written down for its node, and shown. Pure.

Names are of networks that somebody asked for; the default one, which containers join unasked, has none. A network on
which a container has names is a key of its internal metadata, ``docker:endpoint:<network uuid>``; sdc-docker and the
platform ignore it. Facts: moby ``daemon/container_operations.go``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from translators.containers.states import json_metadata, json_text, metadata
from translators.ids import container_name, short_id

Vm = dict[str, Any]
Network = dict[str, Any]
Json = dict[str, Any]

NETWORK_NAMES = "network-names"
"""The capability of nodes that resolve names on networks."""
KEY = "docker:endpoint:"


def keys(network: Network) -> list[str]:
    """Return the metadata keys of a network; a pool has one for each of its members."""
    return [KEY + uuid for uuid in network.get("networks") or [network["uuid"]]]


def endpoint_metadata(network: Network, aliases: Iterable[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Write what a container is called on a network; ``links`` are pairs of a target and its alias."""
    told = {
        "network": str(network["name"]),
        "aliases": list(dict.fromkeys(aliases)),
        "links": list(dict.fromkeys(f"{target}:{alias}" for target, alias in links)),
    }
    return dict.fromkeys(keys(network), json_text({key: value for key, value in told.items() if value}))


def stale_keys(vm: Vm, network: Network) -> list[str]:
    """Return the keys of a network that a container's metadata has."""
    return [key for key in keys(network) if key in metadata(vm)]


def has_names(vm: Vm, network_uuid: str) -> bool:
    """Whether a container was put on a network by its name, where nodes tell names."""
    return KEY + network_uuid in metadata(vm)


def shown_names(vm: Vm, network_uuid: str) -> Json:
    """Return the fields of an endpoint that tell names; all are null on a network without."""
    told: Json = json_metadata(vm, KEY + network_uuid, {}) if has_names(vm, network_uuid) else {}
    if not told:
        return {"Links": None, "Aliases": None, "DNSNames": None}
    aliases = list(told.get("aliases") or ())
    hostname = str(vm.get("hostname") or "")
    names = [container_name(vm).removeprefix("/"), *aliases, short_id(vm), hostname]
    return {
        "Links": list(told.get("links") or ()) or None,
        "Aliases": aliases or None,
        "DNSNames": list(dict.fromkeys(filter(None, names))),
    }

"""The list of containers: ``docker ps``."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter
from translators.containers import states, view
from translators.containers.disk_usage import sizes
from translators.containers.firewall import may_publish
from translators.containers.health import health_suffix
from translators.containers.links import names_by_target
from translators.containers.list_filters import ACCEPTED, Selection, select
from translators.containers.networks import shown_name
from translators.containers.packages import package_name
from translators.containers.ports import Port, published_by
from translators.containers.roster import roster
from translators.containers.shapes import shape_summary
from translators.durations import epoch, human_duration
from translators.errors import speaking_docker
from translators.filters import parse_filters
from translators.ids import container_name, docker_id

Vm = dict[str, Any]
Json = dict[str, Any]


def list_containers(call: Call) -> list[Json]:
    """List the account's containers, newest first: those that run, or all with ``all``, ``limit`` or a status.

    The order of narrowing is Docker's: since and before, then filters, then limit.

    Docker: GET /containers/json   SDC: VMAPI GET /vms, FWAPI GET /rules
    """
    filters = parse_filters(call.arg("filters"), ACCEPTED)
    limit = _limit(call)
    everything = call.flag("all") or limit > 0 or "status" in filters or bool(call.arg("since") or call.arg("before"))
    for name in ("since", "before"):
        if call.arg(name):
            filters.setdefault(name, [call.arg(name)])
    with speaking_docker("problem loading containers"):
        vms = roster(call).containers(call.owner.uuid)
        published = _published(call, vms)
    chosen = select(Selection(call, vms, published), filters)
    if not everything:
        chosen = [vm for vm in chosen if states.is_running(vm)]
    if limit > 0:
        chosen = chosen[:limit]
    return _summaries(call, chosen, published, with_sizes=call.flag("size"))


def list_everything(call: Call, *, with_sizes: bool) -> list[Json]:
    """List all containers of the account, newest first, whatever the query says."""
    with speaking_docker("problem loading containers"):
        vms = roster(call).containers(call.owner.uuid)
        published = _published(call, vms)
    return _summaries(call, vms, published, with_sizes=with_sizes)


def _limit(call: Call) -> int:
    text = call.arg("limit")
    try:
        return int(text or 0)
    except ValueError as error:
        raise InvalidParameter(f'invalid value for "limit": {text}') from error


def _published(call: Call, vms: list[Vm]) -> dict[str, set[Port]]:
    """Read the account's rules once for all containers, and not at all when none can have published ports."""
    if not any(may_publish(vm) for vm in vms):
        return {}
    return published_by(call.services.fwapi.list_rules(call.owner.uuid))


def _summaries(call: Call, vms: list[Vm], published: dict[str, set[Port]], *, with_sizes: bool) -> list[Json]:
    now = time.time()
    linked = names_by_target(call.state.links.of_account(call.owner.uuid))
    items = []
    with speaking_docker("problem loading containers"):
        for vm in vms:
            ports = published.get(vm["uuid"], set())
            item = summary(vm, ports, package_name(call, vm), partial(shown_name, call, vm), now)
            item["Names"] += linked.get(vm["uuid"], [])
            items.append(shape_summary(item | (sizes(call, vm) if with_sizes else {}), call.version))
    return items


def summary(vm: Vm, published: set[Port], package: str | None, network_name: Callable[[str], str], now: float) -> Json:
    """Translate a VM into an element of the list, in its newest shape; ``now`` in epoch seconds."""
    return {
        "Id": docker_id(vm),
        "Names": [container_name(vm)],
        "Image": view.image_name(vm),
        "ImageID": view.image_id(vm),
        "Command": command_line(states.command_words(vm)),
        "Created": int(epoch(vm.get("create_timestamp"))),
        "Ports": view.ports(vm, published),
        "Labels": view.labels(vm, package),
        "State": states.status(vm),
        "Status": status_text(vm, now),
        "HostConfig": {
            "NetworkMode": view.network_mode(vm),
            **({"Annotations": kept} if (kept := view.host_config(vm).get("Annotations")) else {}),
        },
        "NetworkSettings": {"Networks": view.networks(vm, network_name)},
        "Mounts": view.mounts(vm),
    }


def command_line(words: list[str]) -> str:
    """Join the command for people: arguments with a space in them are quoted."""
    return " ".join([*words[:1], *(f"'{word}'" if " " in word else word for word in words[1:])])


def status_text(vm: Vm, now: float) -> str:
    """Say how long it has been what it is."""

    def since(key: str) -> str:
        return human_duration(now - epoch(vm.get(key)))

    word = states.status(vm)
    if vm.get("state") == "provisioning":
        return f"Provisioning {since('create_timestamp')}"
    if word == "running":
        return f"Up {since('boot_timestamp')}{health_suffix(vm)}"
    if word == "paused":
        return f"Up {since('boot_timestamp')} (Paused)"
    if word == "restarting":
        return f"Restarting ({states.exit_code(vm)}) {since('exit_timestamp')} ago"
    if word == "exited":
        known = vm.get("exit_status") is not None and vm.get("exit_timestamp")
        return f"Exited ({states.exit_code(vm)}) {since('exit_timestamp')} ago" if known else "Exited"
    return word.capitalize()

"""The filters of the container list, each a predicate on a VM; values of one filter are alternatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.call import Call
from gateway.errors import InvalidParameter, NotFound
from translators.containers import host_binds, states, view
from translators.containers.health import health_status
from translators.containers.lookup import find_container
from translators.containers.named_volumes import mounted
from translators.containers.networks import network_book
from translators.containers.packages import package_name
from translators.containers.ports import Port, parse_ports
from translators.containers.volumes import volume_name
from translators.filters import Filters, matches, truth
from translators.ids import container_name, docker_id
from translators.images.lookup import find_image
from translators.labels import PACKAGE_LABEL

Vm = dict[str, Any]
Test = Callable[[Vm], bool]

STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
HEALTHS = ("none", "starting", "healthy", "unhealthy")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is chosen from: VMs newest first, and the published ports of each."""

    call: Call
    vms: list[Vm]
    published: dict[str, set[Port]]


def select(selection: Selection, filters: Filters) -> list[Vm]:
    """Return the VMs that every filter lets pass, in order.

    Raises InvalidParameter for values a filter cannot have, NotFound for an unknown since or before.
    """
    vms = _between(selection, filters)
    tests = [_TESTS[key](selection, values) for key, values in filters.items() if key in _TESTS]
    if truth(filters, "is-task"):
        return []  # a data center is no swarm: nothing is a task's container
    return [vm for vm in vms if all(test(vm) for test in tests)]


def _between(selection: Selection, filters: Filters) -> list[Vm]:
    vms = selection.vms
    if "since" in filters:
        vms = vms[: _position(selection, vms, filters["since"][0])]
    if "before" in filters:
        vms = vms[_position(selection, vms, filters["before"][0]) + 1 :]
    return vms


def _position(selection: Selection, vms: list[Vm], ref: str) -> int:
    landmark = find_container(selection.call, ref)
    return next((at for at, vm in enumerate(vms) if vm["uuid"] == landmark["uuid"]), len(vms))


def _id(selection: Selection, values: list[str]) -> Test:
    """Beginnings of ids, each of which must be that of one container alone, as everywhere."""
    ids = [docker_id(vm) for vm in selection.vms]
    begun = [[known for known in ids if value and known.startswith(value)] for value in values]
    found = {matches[0] for matches in begun if len(matches) == 1}
    return lambda vm: docker_id(vm) in found


def _name(_selection: Selection, values: list[str]) -> Test:
    """Match as Docker does: a value is the name itself, or an expression found in it, with its slash or without."""

    def named(vm: Vm) -> bool:
        name = container_name(vm)
        return any(matches(name, value) or matches(name.removeprefix("/"), value) for value in values)

    return named


def _label(selection: Selection, values: list[str]) -> Test:
    """All labels must be there: ``key`` alone, or ``key=value``."""
    wanted = [value.partition("=") for value in values]
    packaged = any(key == PACKAGE_LABEL for key, _, _ in wanted)

    def test(vm: Vm) -> bool:
        labels = view.labels(vm, package_name(selection.call, vm) if packaged else None)
        return all(
            key in labels and (not equals or labels[key] == value or (key, value) == (PACKAGE_LABEL, vm["billing_id"]))
            for key, equals, value in wanted
        )

    return test


def _one_of(key: str, values: list[str], known: tuple[str, ...]) -> set[str]:
    for value in values:
        if value not in known:
            raise InvalidParameter(f"invalid filter '{key}={value}'")
    return set(values)


def _status(_selection: Selection, values: list[str]) -> Test:
    wanted = _one_of("status", values, STATUSES)
    return lambda vm: states.status(vm) in wanted


def _health(_selection: Selection, values: list[str]) -> Test:
    wanted = _one_of("health", values, HEALTHS)
    return lambda vm: health_status(vm) in wanted


def _exited(_selection: Selection, values: list[str]) -> Test:
    try:
        codes = {int(value) for value in values}
    except ValueError as error:
        raise InvalidParameter(f"invalid filter 'exited={values[0]}'") from error
    return lambda vm: states.status(vm) == "exited" and states.exit_code(vm) in codes


def _ancestor(selection: Selection, values: list[str]) -> Test:
    """Containers of an image, or of one that was made from it; that two have layers in common makes none of it."""
    owner, images = selection.call.owner.uuid, selection.call.state.images
    ids: set[str] = set()
    for value in values:
        try:
            line = [find_image(selection.call, value)]
        except (NotFound, InvalidParameter):
            continue
        while line:
            record = line.pop()
            if record.config_digest not in ids:
                ids.add(record.config_digest)
                line += images.children(owner, record.config_digest)
    return lambda vm: view.image_id(vm) in ids


def _publish(selection: Selection, values: list[str]) -> Test:
    return _shown_port(selection, values, "PublicPort")


def _expose(selection: Selection, values: list[str]) -> Test:
    return _shown_port(selection, values, "PrivatePort")


def _shown_port(selection: Selection, values: list[str], side: str) -> Test:
    """Find a port among those that the list shows, so that what does not run has none, as with dockerd."""
    wanted = parse_ports(values)

    def test(vm: Vm) -> bool:
        shown = view.ports(vm, selection.published.get(vm["uuid"], set()))
        return any((port["Type"], port[side]) in wanted for port in shown if side in port)

    return test


def _network(selection: Selection, values: list[str]) -> Test:
    call = selection.call
    found = [network_book(call).find(call.owner.uuid, value) for value in values]
    uuids = {network["uuid"] for network in found if network}
    if "bridge" in values:
        default = network_book(call).find(call.owner.uuid, call.config.default_fabric)
        uuids |= {default["uuid"]} if default else set()
    return lambda vm: (
        any(nic.get("network_uuid") in uuids for nic in view.nics(vm))
        or ("none" in values and view.network_mode(vm) == "none")
    )


def _volume(_selection: Selection, values: list[str]) -> Test:
    wanted = set(values)

    def mounts(vm: Vm) -> bool:
        own = ({volume_name(entry), entry.get("target")} for entry in vm.get("filesystems") or [])
        named = ({item["name"], item["mountpoint"]} for item in mounted(vm))
        bound = ({item["Target"]} for item in host_binds.told(vm))
        return any(words & wanted for words in (*own, *named, *bound))

    return mounts


_TESTS: dict[str, Callable[[Selection, list[str]], Test]] = {
    "id": _id,
    "name": _name,
    "label": _label,
    "status": _status,
    "health": _health,
    "exited": _exited,
    "ancestor": _ancestor,
    "publish": _publish,
    "expose": _expose,
    "network": _network,
    "volume": _volume,
}
ACCEPTED = frozenset({*_TESTS, "before", "since", "is-task", "isolation"})
"""``isolation`` chooses among kinds of Windows containers; like dockerd on Linux, it lets all pass."""

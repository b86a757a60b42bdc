"""Options of the Linux kernel: which are honoured, which come back as warnings, which are refused.

The table of options says what each field needs; compute nodes that advertise it carry the field out from
``docker:linux`` in the internal metadata. Without it an option is named in ``Warnings``. What would be wrong or
unsafe to run without is refused either way: nothing here lets a container out of its own namespaces, save for
accounts that the operator trusts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from translators.containers.limits import check_limits, given_limits
from translators.containers.model import ContainerCreate, HostConfig
from translators.containers.packages import held_to
from translators.containers.security import check_capabilities, plan_paths, plan_security, refuse_unsafe
from translators.containers.tmpfs import tmpfs_mounts
from translators.options.host_config import HOST_CONFIG
from translators.options.row import Fate, Option, no_effect
from translators.process_signals import check_signal

Json = dict[str, Any]

LINUX_OPTIONS = "linux-options"
PRIVILEGED = "privileged"

LINUX_KEYS = {row.leaf: row.key for row in HOST_CONFIG if row.key}
"""Field of HostConfig -> key of ``docker:linux``."""

_ROWS = {row.leaf: row for row in HOST_CONFIG}
_NEVER = tuple(row.leaf for row in HOST_CONFIG if row.fate is Fate.WARNED)
_DEFAULTS = HostConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a container is planned for: what nodes advertise, and how far its account is trusted."""

    offered: frozenset[str] = frozenset()
    trusted: bool = False
    """The operator lets this account reach out of its containers, on nodes that take part."""
    ulimits: dict[str, int] = field(default_factory=dict)
    """The most that compute nodes give, by Docker's name; -1 is no limit."""
    cpus: int = 0
    """Of the largest compute node; 0 when not known."""
    package: Json = field(default_factory=dict)
    """What the container gets, as PAPI has it."""

    @property
    def linux(self) -> bool:
        return LINUX_OPTIONS in self.offered

    @property
    def open(self) -> bool:
        """Whether what reaches out of a container is honoured."""
        return self.trusted and PRIVILEGED in self.offered


@dataclass(slots=True)
class LinuxPlan:
    """``options`` is the value of ``docker:linux``; ``ignored`` names the HostConfig fields that have no effect.

    ``shown`` has fields of HostConfig that are carried out otherwise than they were asked for.
    """

    options: dict[str, Any] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    shown: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def ignore(self, name: str) -> None:
        self.ignored.add(name)
        self.warnings.append(no_effect(name))


def plan_linux(body: ContainerCreate, image: dict[str, Any], ground: Ground, *, no_network: bool) -> LinuxPlan:
    """Decide on every kernel option of a create request. Raises NotImplementedHere, InvalidParameter."""
    host = body.HostConfig
    refuse_unsafe(host, open_ground=ground.open)
    check_capabilities(host, open_ground=ground.open)
    check_limits(host, cpus=ground.cpus)
    plan = LinuxPlan()
    for name in ignored_fields(host):
        plan.ignore(name)
    given, warned = given_limits(host, ground.ulimits)
    if ground.linux:
        held, words = held_to(host, ground.package)
        given, warned = given | held, warned + words
    plan.warnings += warned
    plan.ignored |= {name for name, value in given.items() if value is None}
    for name, value in _asked(host, given):
        if needs(name) in ground.offered:
            plan.options[LINUX_KEYS[name]] = value
            if value != msgspec.to_builtins(getattr(host, name)) and name in given:
                plan.shown[name] = value
        elif name == "Memory":
            plan.ignored.add(name)  # no warning: the package stands for it
        elif name in {"NanoCpus", "CpuQuota"} and ground.package.get("cpu_cap"):
            plan.ignored.add(name)
            plan.warnings.append(f"{name} is carried out as the CPUs of the package {ground.package['name']}.")
        else:
            plan.ignore(name)
    plan_security(plan, host, ground)
    plan_paths(plan, host, ground)
    _process(plan, body, image, supported=ground.linux)
    if no_network:
        plan.options["NetworkNone"] = True
    return plan


def ignored_fields(host: HostConfig) -> list[str]:
    """Return the fields that are asked for and that no compute node honours."""
    return [name for name in _NEVER if is_set(host, name)]


def is_set(host: HostConfig, name: str) -> bool:
    """Whether a field asks for anything."""
    value = getattr(host, name)
    return value not in _ROWS[name].unset and value != getattr(_DEFAULTS, name)


def needs(name: str) -> str:
    """Return the capability that a field of HostConfig needs of a node."""
    row: Option = _ROWS[name]
    return row.needs or LINUX_OPTIONS


def _asked(host: HostConfig, given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields a capable node honours, as JSON values."""
    tmpfs = tmpfs_mounts(host)
    for name in LINUX_KEYS:
        if name in {"MaskedPaths", "ReadonlyPaths"}:
            continue
        if name == "Tmpfs":
            if tmpfs:
                yield name, tmpfs
        elif name in given:
            if given[name] is not None:
                yield name, given[name]
        elif is_set(host, name):
            yield name, msgspec.to_builtins(getattr(host, name))


def _process(plan: LinuxPlan, body: ContainerCreate, image: dict[str, Any], *, supported: bool) -> None:
    """Decide on how the process is stopped and what becomes of its stdin."""
    signal = body.StopSignal or str(image.get("StopSignal") or "")
    if signal:
        check_signal(signal)
    if supported:
        if signal:
            plan.options["StopSignal"] = signal
        if body.StopTimeout is not None:
            plan.options["StopTimeout"] = body.StopTimeout
        if body.OpenStdin:
            plan.options |= {"OpenStdin": True, "StdinOnce": body.StdinOnce}
        return
    if body.StopSignal:
        plan.ignore("StopSignal")
    if body.StopTimeout is not None:
        plan.ignore("StopTimeout")

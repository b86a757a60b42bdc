"""Change a container's limits and restart policy while it lives.

More or less memory may mean another package, as at creation; the exact numbers are kept in ``docker:linux`` for nodes
that keep to them, and in ``docker:hostconfig`` for inspect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.call import Call
from gateway.errors import Conflict, InvalidParameter
from sdc.errors import SdcError
from translators.capabilities import capabilities, catalogue
from translators.containers.limits import check_limits
from translators.containers.linux import LINUX_KEYS, LINUX_OPTIONS, is_set, needs
from translators.containers.lookup import find_container
from translators.containers.model import HostConfig, RestartPolicy
from translators.containers.packages import check_cpus, held_to, package_name
from translators.containers.restart import RESTART_POLICIES, check_restart, policy_warning, stored_policy
from translators.containers.states import json_text, linux_options, metadata
from translators.containers.validation import check_cpu, check_memory
from translators.containers.view import host_config
from translators.errors import explain, speaking_docker
from translators.events.recorder import tell
from translators.jobs import run_job
from translators.options.other_operations import OTHERS
from translators.options.row import Fate, no_effect

Vm = dict[str, Any]
Json = dict[str, Any]

DOING = "problem updating container"
_ROWS = tuple(row for row in OTHERS if row.operation == "container.update")
LIMITS = tuple(row.name for row in _ROWS if row.fate is Fate.HONOURED and row.key)
"""The fields of a request that are carried out, by nodes that advertise what each needs."""
_LOST = tuple(row.name for row in _ROWS if row.fate is Fate.WARNED)
_CPU = ("NanoCpus", "CpuQuota", "CpuPeriod")
_SIZES = (*_CPU, "PidsLimit", "MemorySwap")
"""Limits that a package has, too."""
_EXCLUSIVE = (("NanoCpus", "CpuPeriod"), ("NanoCpus", "CpuQuota"), ("CpuPeriod", "NanoCpus"), ("CpuQuota", "NanoCpus"))


def update(call: Call, ref: str, asked: HostConfig) -> Json:
    """Change what is not zero or absent in the request; return Docker's ``{"Warnings"}``.

    ``call.hints["package"]`` is the package for the new memory. Raises InvalidParameter, Conflict.

    Docker: POST /containers/{id}/update   SDC: VMAPI POST /vms/:uuid?action=update
    """
    vm = find_container(call, ref)
    with speaking_docker(DOING):
        offered = capabilities(call, vm.get("server_uuid"))
        cpus = catalogue(call).most_cpus()
    check_limits(asked, cpus=cpus)
    given = [name for name in LIMITS if is_given(asked, name)]
    honoured = [name for name in given if needs(name) in offered or name == "Memory"]
    kept = merge_limits(host_config(vm), asked, honoured)
    package = _package(call, vm, asked)
    moved = package["uuid"] != vm.get("billing_id")
    held = _hold(kept, package, given, moved=moved)
    if call.version >= (1, 42):
        asked.KernelMemory = 0
    warnings = [no_effect(name) for name in _LOST if is_set(asked, name)]
    changes: Json = {}
    im = dict(metadata(vm))
    warnings += [no_effect(name) for name in given if name not in honoured]
    if LINUX_OPTIONS in offered:
        im |= _written(vm, kept, honoured)
    im, policy_words = _with_policy(im, asked.RestartPolicy, supported=RESTART_POLICIES in offered)
    warnings += policy_words
    warnings += held
    if moved:
        changes["billing_id"] = package["uuid"]
        call.provision({**vm, **changes})
        warnings.append(f"The container's package is now {package['name']}; it was {package_name(call, vm)}.")
    told = _news(metadata(vm), im)
    if changes or told:
        _change(call, vm, changes, told)
    tell(call, vm, "update")
    return {"Warnings": warnings}


def _package(call: Call, vm: Vm, asked: HostConfig) -> Json:
    """Return the package that the container will have: the one for its new memory, else its own, as VMAPI keeps it."""
    package = call.hints.get("package")
    if asked.Memory and package:
        return dict(package)
    sizes = {name: vm.get(name) for name in ("cpu_cap", "max_lwps", "max_swap")}
    return {"uuid": vm.get("billing_id"), "name": package_name(call, vm), **sizes}


def _hold(kept: Json, package: Json, given: Sequence[str], *, moved: bool) -> list[str]:
    """Hold limits that change, or whose package does, to the package. Raises InvalidParameter."""
    weighed = set(_SIZES) if moved else set(given)
    if weighed & set(_CPU):
        weighed |= set(_CPU)
    told = HostConfig(**{name: kept[name] for name in _SIZES if name in kept and name in weighed})
    check_cpus(told, package)
    held, warnings = held_to(told, package)
    kept |= held
    return warnings


def is_given(asked: HostConfig, name: str) -> bool:
    """Whether a request says anything about a limit: zero leaves it, but a zero of processes means no limit."""
    value = getattr(asked, name)
    return value is not None if name == "PidsLimit" else bool(value)


def merge_limits(kept: Json, asked: HostConfig, honoured: Sequence[str] = LIMITS) -> Json:
    """Put the new limits over the old ones, and see that they fit. Raises InvalidParameter, Conflict."""
    check_cpu(asked)
    for name, other in _EXCLUSIVE:
        if getattr(asked, name) and kept.get(other):
            raise Conflict(f"Conflicting options: {name} cannot be updated as {other} has already been set")
    if asked.Memory and not asked.MemorySwap and 0 < kept.get("MemorySwap", 0) < asked.Memory:
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    merged = {**kept, **{name: getattr(asked, name) for name in honoured if is_given(asked, name)}}
    sizes = ("Memory", "MemorySwap", "MemoryReservation")
    check_memory(HostConfig(**{name: merged.get(name, 0) for name in sizes}))
    if (merged.get("PidsLimit") or 0) <= 0:
        merged.pop("PidsLimit", None)
    return merged


def _written(vm: Vm, kept: Json, given: list[str]) -> Json:
    """Write the limits down for the node and for inspect."""
    if not given:
        return {}
    linux = {key: value for key, value in linux_options(vm).items() if key != LINUX_KEYS["PidsLimit"]}
    linux |= {LINUX_KEYS[name]: kept[name] for name in LIMITS if name in kept}
    return {"docker:linux": json_text(linux), "docker:hostconfig": json_text(kept)}


def _with_policy(im: Json, policy: RestartPolicy | None, *, supported: bool) -> tuple[Json, list[str]]:
    """Put the new restart policy in, if there is one; with what there is to warn of."""
    if policy is None or not policy.Name:
        return im, []
    check_restart(policy, auto_remove=False)
    if im.get("docker:autoremove") and policy.Name != "no":
        raise InvalidParameter("Restart policy cannot be updated because AutoRemove is enabled for the container")
    stored, warning = stored_policy(policy, supported=supported), policy_warning(policy, supported=supported)
    rest = {key: value for key, value in im.items() if key != "docker:restartpolicy"}
    return rest | ({"docker:restartpolicy": stored} if stored else {}), [warning] if warning else []


def _news(before: Json, after: Json) -> Json:
    """Return what changes of some metadata; None is for a key that goes."""
    return {key: after.get(key) for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def _change(call: Call, vm: Vm, changes: Json, told: Json) -> None:
    """Run the job. VMAPI takes metadata as a whole: all else in it is as it is now, not as it was looked at before."""
    vmapi = call.services.vmapi

    def submit() -> str:
        asked = dict(changes)
        if told:
            now = metadata(vmapi.get_vm(vm["uuid"], vm["owner_uuid"])) | told
            asked["internal_metadata"] = {key: value for key, value in now.items() if value is not None}
        return vmapi.act(vm["uuid"], "update", vm["owner_uuid"], **asked)

    try:
        run_job(call, vm["uuid"], "update", submit)
    except SdcError as error:
        if error.field_errors("InsufficientCapacity"):
            raise Conflict("the container's compute node has not that much memory left") from error
        raise explain(error, DOING) from error

"""From a VM record to the OCI config.json: pure, given what was found out about the host and the root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from datacenter.node import capabilities, devices, mounts, resources, seccomp
from datacenter.node.tasks import TaskError
from datacenter.node.users import User
from grammars.seccomp import ProfileError
from grammars.seccomp import parse as parse_profile

Json = dict[str, Any]
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAMESPACED_SYSCTLS = ("net.", "fs.mqueue.", "kernel.msg", "kernel.sem", "kernel.shm")


@dataclass(frozen=True)
class Host:
    """What a container's configuration takes from the machine."""

    limits: resources.Limits
    swap_accounting: bool
    oom_score_adj: int
    """Our own; a container's may not be lower."""
    init_program: Path | None
    seccomp: bool
    """Whether the kernel and the runtime filter system calls."""
    cgroup: str
    """Parent of every container's cgroup."""
    features: frozenset[str] = frozenset()
    """What depends on the kernel and is carried out here, by the names of Docker capabilities."""
    capabilities: frozenset[str] | None = None
    """What the agent may give away, as the kernel bounds it; None: everything."""
    privileged: bool = False
    """Whether containers may reach out of themselves when VMAPI's record says so: the operator's decision."""
    binds: bool = False
    """Whether containers may have folders of the host, those that the operator names."""


@dataclass(frozen=True)
class Place:
    """Where one container's things are."""

    rootfs: Path
    bundle: Path
    zones: Path
    netns: Path | None
    """Network namespace file; None gives the container a fresh one with nothing but lo."""
    shared: tuple[Json, ...] = ()
    """The mounts of volumes that are no container's own."""


def json_list(value: Any) -> list[str]:
    """A metadata value that is a JSON array in a string; [] when absent."""
    if not value:
        return []
    found: list[str] = msgspec.json.decode(value) if isinstance(value, str) else list(value)
    return found


def hostname(vm: Json) -> str:
    return vm.get("hostname") or str((vm.get("internal_metadata") or {}).get("docker:id") or vm["uuid"])[:12]


def command(vm: Json) -> list[str]:
    """Entrypoint and command joined. Raises TaskError InvalidArgument when there is nothing to run."""
    meta = vm.get("internal_metadata") or {}
    argv = json_list(meta.get("docker:entrypoint")) + json_list(meta.get("docker:cmd"))
    if not argv:
        raise TaskError("InvalidArgument", "no command specified")
    return argv


def environment(vm: Json, user: User) -> list[str]:
    """The environment as dockerd makes it: its own defaults, link variables, the container's; later wins."""
    meta = vm.get("internal_metadata") or {}
    given = [DEFAULT_PATH, f"HOSTNAME={hostname(vm)}"]
    if meta.get("docker:tty"):
        given.append("TERM=xterm")
    given += json_list(meta.get("docker:linkEnv"))
    found: dict[str, str] = {}
    for entry in given + json_list(meta.get("docker:env")):
        key, equals, _ = entry.partition("=")
        if equals:
            found[key] = entry
        else:
            found.pop(key, None)  # `-e NAME` without a value takes the variable away
    found.setdefault("HOME", f"HOME={user.home}")
    return list(found.values())


def oci_config(vm: Json, linux: Json, user: User, host: Host, place: Place) -> Json:
    """The whole config.json. Raises TaskError for options this node can't honour."""
    _check_features(linux, host)
    return {
        "ociVersion": "1.0.2",
        "hostname": hostname(vm),
        "root": {"path": str(place.rootfs), "readonly": bool(linux.get("ReadonlyRootfs"))},
        "process": process(vm, linux, user, host),
        "mounts": _mounts(vm, linux, host, place),
        "linux": _linux(vm, linux, host, place),
    }


def process(vm: Json, linux: Json, user: User, host: Host) -> Json:
    """OCI ``process``; exec takes it too and changes what it must."""
    meta = vm.get("internal_metadata") or {}
    argv = command(vm)
    if linux.get("Init"):
        if host.init_program is None:
            raise TaskError("NotSupported", "this node has no init program (tini) for containers started with --init")
        argv = [mounts.INIT_PATH, "--", *argv]
    caps = _capabilities(linux, host)
    found: Json = {
        "terminal": bool(meta.get("docker:tty")),
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
        "args": argv,
        "env": environment(vm, user),
        "cwd": meta.get("docker:workdir") or "/",
        "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
        "rlimits": resources.rlimits(linux, host.limits),
        "noNewPrivileges": _security(linux),
    }
    score = linux.get("OomScoreAdj")
    if score is not None:
        found["oomScoreAdj"] = max(int(score), host.oom_score_adj)
    return found


FEATURES = {
    "MemoryReservation": "memory-reservation",
    "MemorySwappiness": "memory-swappiness",
    "OomKillDisable": "oom-kill-disable",
    "CpusetMems": "cpuset-mems",
    "BlkioWeight": "blkio-weight",
    "BlkioWeightDevice": "blkio-weight",
    **dict.fromkeys(resources.THROTTLES, "blkio-throttle"),
}
"""Key of ``docker:linux`` -> what the kernel must have for it."""
_OPEN = ("Privileged", "Devices", "DeviceCgroupRules", "ExactPaths")


def _check_features(linux: Json, host: Host) -> None:
    """Raise TaskError NotSupported for what this node does not advertise."""
    for key, feature in FEATURES.items():
        if linux.get(key) not in (None, [], "", False) and feature not in host.features:
            raise TaskError("NotSupported", f"this node's kernel lacks {feature}, which {key} needs")
    parts = [options for options in (linux.get("VolumeOptions") or {}).values() if options.get("Subpath")]
    if parts and "volume-subpath" not in host.features:
        raise TaskError("NotSupported", "this node's kernel lacks what mounting a part of a volume needs")
    for key in _OPEN:
        if linux.get(key) and not host.privileged:
            raise TaskError("NotSupported", f"{key} is not given to containers on this node")
    if linux.get("HostBinds") and not host.binds:
        raise TaskError("NotSupported", "nothing of the host may be bound on this node")


def is_privileged(linux: Json) -> bool:
    return bool(linux.get("Privileged"))


def _capabilities(linux: Json, host: Host) -> list[str]:
    added = ("ALL",) if is_privileged(linux) else linux.get("CapAdd") or ()
    return capabilities.effective(added, linux.get("CapDrop") or (), host_wide=host.privileged, ours=host.capabilities)


def _security(linux: Json) -> bool:
    """Whether ``no-new-privileges`` is asked for. Raises TaskError NotSupported for any unknown security option."""
    chosen = False
    for option in linux.get("SecurityOpt") or []:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if name == "no-new-privileges" and value in {"", "true", "false"}:
            chosen = value != "false"
        elif option == UNCONFINED:
            continue
        elif name not in {"label", "apparmor"} or value not in {"disable", "unconfined"}:
            raise TaskError("NotSupported", f"security option {option} is not supported on this node")
    return chosen


UNCONFINED = "seccomp=unconfined"


def _seccomp(linux: Json, host: Host) -> Json | None:
    """The filter of system calls; None for none. Raises TaskError."""
    unconfined = UNCONFINED in (linux.get("SecurityOpt") or [])
    if unconfined and not host.privileged:
        raise TaskError("NotSupported", f"security option {UNCONFINED} is not supported on this node")
    if unconfined or is_privileged(linux) or not host.seccomp:
        return None
    if not linux.get("SeccompProfile"):
        return seccomp.profile(_capabilities(linux, host))
    try:
        asked = parse_profile(str(linux["SeccompProfile"]))
    except ProfileError as error:
        raise TaskError("InvalidArgument", f"decoding seccomp profile failed: {error}") from error
    return seccomp.narrowed(asked, _capabilities(linux, host))


def _mounts(vm: Json, linux: Json, host: Host, place: Place) -> list[Json]:
    found = mounts.system_mounts(linux, writable=is_privileged(linux)) + mounts.file_mounts(place.bundle)
    found += [*mounts.volume_mounts(vm, place.zones), *place.shared, *mounts.tmpfs_mounts(linux)]
    if linux.get("Init"):
        found.append(
            {
                "destination": mounts.INIT_PATH,
                "type": "bind",
                "source": str(host.init_program),
                "options": ["bind", "ro"],
            }
        )
    return mounts.in_order(found)


def _linux(vm: Json, linux: Json, host: Host, place: Place) -> Json:
    network: Json = {"type": "network"}
    if place.netns is not None:
        network["path"] = str(place.netns)
    found: Json = {
        "cgroupsPath": f"{host.cgroup}/{vm['uuid']}",
        "namespaces": [*({"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup")), network],
        "resources": resources.resources(vm, linux, swap_accounting=host.swap_accounting),
        "maskedPaths": _paths(linux, "MaskedPaths", mounts.MASKED),
        "readonlyPaths": _paths(linux, "ReadonlyPaths", mounts.READONLY),
    }
    found |= _devices(linux, found["resources"]["devices"])
    sysctls = _sysctls(vm, linux)
    if sysctls:
        found["sysctl"] = sysctls
    filtered = _seccomp(linux, host)
    if filtered:
        found["seccomp"] = filtered
    return found


def _paths(linux: Json, name: str, ours: tuple[str, ...]) -> list[str]:
    """Paths kept from the container: the node's own and what was asked for, or exactly what was asked for."""
    asked = [str(path) for path in linux.get(name) or []]
    if is_privileged(linux):
        return asked
    if name in (linux.get("ExactPaths") or ()):
        return asked
    return list(dict.fromkeys([*ours, *asked]))


def _devices(linux: Json, rules: list[Json]) -> Json:
    """OCI ``devices`` of a container that may have some; ``rules`` of its cgroup are added to."""
    if is_privileged(linux):
        rules.append({"allow": True, "type": "a", "access": "rwm"})
        return {"devices": devices.all_devices()}
    found = devices.container_devices(linux.get("Devices") or [])
    rules += [
        {"allow": True, "type": item["type"], "major": item["major"], "minor": item["minor"], "access": access}
        for item, access in found
    ]
    rules += [_cgroup_rule(text) for text in linux.get("DeviceCgroupRules") or []]
    return {"devices": [item for item, _ in found]} if found else {}


def _cgroup_rule(text: str) -> Json:
    kind, numbers, access = text.split()
    rule: Json = {"allow": True, "type": kind, "access": access}
    for name, number in zip(("major", "minor"), numbers.split(":"), strict=True):
        if number != "*":
            rule[name] = int(number)
    return rule


def _sysctls(vm: Json, linux: Json) -> dict[str, str]:
    found = {str(key): str(value) for key, value in (linux.get("Sysctls") or {}).items()}
    for key in found:
        if not key.startswith(NAMESPACED_SYSCTLS):
            raise TaskError("NotSupported", f"sysctl {key} is not in a separate kernel namespace")
    if vm.get("dns_domain"):
        found["kernel.domainname"] = str(vm["dns_domain"])
    return found

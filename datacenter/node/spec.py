"""From a VM record to the OCI config.json: pure, given what was found out about the host and the root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from datacenter.node import capabilities, mounts, resources, seccomp
from datacenter.node.tasks import TaskError
from datacenter.node.users import User

Json = dict[str, Any]
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAMESPACED_SYSCTLS = ("net.", "kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.")


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


@dataclass(frozen=True)
class Place:
    """Where one container's things are."""

    rootfs: Path
    bundle: Path
    zones: Path
    netns: Path | None
    """Network namespace file; None gives the container a fresh one with nothing but lo."""


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
    caps = _capabilities(linux)
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


def _capabilities(linux: Json) -> list[str]:
    return capabilities.effective(linux.get("CapAdd") or (), linux.get("CapDrop") or ())


def _security(linux: Json) -> bool:
    """Whether ``no-new-privileges`` is asked for. Raises TaskError NotSupported for any other security option."""
    chosen = False
    for option in linux.get("SecurityOpt") or []:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if name == "no-new-privileges" and value in {"", "true", "false"}:
            chosen = value != "false"
        elif name not in {"label", "apparmor"} or value not in {"disable", "unconfined"}:
            raise TaskError("NotSupported", f"security option {option} is not supported on this node")
    return chosen


def _mounts(vm: Json, linux: Json, host: Host, place: Place) -> list[Json]:
    if linux.get("Devices"):
        raise TaskError("NotSupported", "host devices are not given to containers on this node")
    found = mounts.system_mounts(linux) + mounts.file_mounts(place.bundle)
    found += mounts.volume_mounts(vm, place.zones) + mounts.tmpfs_mounts(linux)
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
        "maskedPaths": list(mounts.MASKED),
        "readonlyPaths": list(mounts.READONLY),
    }
    sysctls = _sysctls(vm, linux)
    if sysctls:
        found["sysctl"] = sysctls
    if host.seccomp:
        found["seccomp"] = seccomp.profile(_capabilities(linux))
    return found


def _sysctls(vm: Json, linux: Json) -> dict[str, str]:
    found = {str(key): str(value) for key, value in (linux.get("Sysctls") or {}).items()}
    for key in found:
        if not key.startswith(NAMESPACED_SYSCTLS):
            raise TaskError("NotSupported", f"sysctl {key} is not in a separate kernel namespace")
    if vm.get("dns_domain"):
        found["kernel.domainname"] = str(vm["dns_domain"])
    return found

"""What could let a container out: namespaces, devices, capabilities, system calls, system paths.

Compute nodes are shared between accounts. What reaches out of a container is refused, or comes back as a warning
where running without it is safe; an account the operator trusts has it on nodes that advertise ``privileged``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.errors import InvalidParameter, NotImplementedHere
from grammars import seccomp
from translators.containers.model import HostConfig
from translators.options.row import no_effect

if TYPE_CHECKING:
    from translators.containers.linux import Ground, LinuxPlan

SECURITY_PROFILES = "security-profiles"

_HOST_WIDE = frozenset((
    "ALL", "AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "MAC_ADMIN",
    "MAC_OVERRIDE", "PERFMON", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_RAWIO", "SYS_TIME", "WAKE_ALARM",
))  # fmt: skip
_CONTAINED = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
    "LINUX_IMMUTABLE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RESOURCE", "SYS_TTY_CONFIG",
))  # fmt: skip
_OWN_SYSCTLS = ("net.", "fs.mqueue.")
_SINGLE_SYSCTLS = frozenset(
    f"kernel.{name}" for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)
_SYSCTL = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.*/-]*")
_RUNTIMES = {"", "runc", "io.containerd.runc.v2", "sdc"}
_DEVICE_RULE = re.compile(r"[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}")
_SECURITY = frozenset((
    "no-new-privileges", "seccomp", "apparmor", "label", "systempaths", "writable-cgroups",
))  # fmt: skip
_LONGEST_PROFILE = 256 * 1024


def refuse_unsafe(host: HostConfig, *, open_ground: bool) -> None:
    """Raise NotImplementedHere for what reaches out of a container, InvalidParameter for what makes no sense."""
    if host.Privileged and not open_ground:
        raise NotImplementedHere(
            "privileged containers are not supported: compute nodes are shared between accounts; "
            "add single capabilities with --cap-add instead"
        )
    _check_namespaces(host)
    if host.Isolation not in {"", "default"}:
        raise InvalidParameter(f"invalid isolation '{host.Isolation}' on linux")
    for rule in host.DeviceCgroupRules:
        if not _DEVICE_RULE.fullmatch(rule):
            raise InvalidParameter(f"invalid device cgroup format '{rule}'")
    refused = ("DeviceRequests",) if open_ground else ("Devices", "DeviceRequests", "DeviceCgroupRules")
    for name in refused:
        if getattr(host, name):
            raise NotImplementedHere(f"{name} is not supported: the devices of compute nodes are not given away")
    if host.Runtime not in _RUNTIMES:
        raise InvalidParameter(f"unknown or invalid runtime name: {host.Runtime}")
    for name in host.Sysctls:
        if not _SYSCTL.fullmatch(name) or not (name.startswith(_OWN_SYSCTLS) or name in _SINGLE_SYSCTLS):
            raise InvalidParameter(f'sysctl "{name}" is not in a separate kernel namespace')


def _check_namespaces(host: HostConfig) -> None:
    for name, mode in (("PidMode", host.PidMode), ("IpcMode", host.IpcMode), ("UTSMode", host.UTSMode)):
        if mode == "host" or mode.startswith("container:"):
            raise NotImplementedHere(f"{name} {mode} is not supported: every container has namespaces of its own")
        if mode and not (name == "IpcMode" and mode in {"private", "shareable"}):
            raise InvalidParameter(f"invalid {name}: {mode}")
    if host.UsernsMode not in {"", "host"}:
        raise InvalidParameter(f"invalid UsernsMode: {host.UsernsMode}")
    if host.CgroupnsMode == "host":
        raise NotImplementedHere("CgroupnsMode host is not supported: every container has namespaces of its own")
    if host.CgroupnsMode not in {"", "private"}:
        raise InvalidParameter(f"invalid CgroupnsMode: {host.CgroupnsMode}")


def check_capabilities(host: HostConfig, *, open_ground: bool) -> None:
    """Raise InvalidParameter for unknown capabilities, NotImplementedHere for those that reach out."""
    for option, names in (("CapAdd", host.CapAdd), ("CapDrop", host.CapDrop)):
        for text in names:
            name = text.upper().removeprefix("CAP_")
            if name not in _HOST_WIDE and name not in _CONTAINED:
                raise InvalidParameter(f'invalid {option}: unknown capability: "{text}"')
    for text in host.CapAdd:
        if text.upper().removeprefix("CAP_") in _HOST_WIDE and not open_ground:
            raise NotImplementedHere(
                f"the capability {text} cannot be added: it reaches out of the container, "
                "and compute nodes are shared between accounts"
            )


def plan_security(plan: LinuxPlan, host: HostConfig, ground: Ground) -> None:
    """Decide on ``--security-opt``, ``--privileged`` and devices."""
    shown = [option for option in host.SecurityOpt if _security_option(plan, option, ground)]
    if shown != host.SecurityOpt:
        if shown:
            plan.shown["SecurityOpt"] = shown
        else:
            plan.ignored.add("SecurityOpt")
    if ground.open:
        for name in ("Privileged", "Devices", "DeviceCgroupRules"):
            if getattr(host, name):
                plan.options[name] = msgspec.to_builtins(getattr(host, name))


def _security_option(plan: LinuxPlan, option: str, ground: Ground) -> bool:
    """Take one ``--security-opt`` into the plan; says whether it is honoured."""
    name, separator, value = option.partition("=")
    if not separator:
        name, separator, value = option.partition(":")
    if name not in _SECURITY or (name == "no-new-privileges" and value not in {"", "true", "false"}):
        raise InvalidParameter(f'invalid --security-opt 2: "{option}"')
    if name == "seccomp":
        return _seccomp(plan, value, ground)
    if name == "no-new-privileges":
        if value != "false" and ground.linux:
            plan.options.setdefault("SecurityOpt", []).append("no-new-privileges")
        elif value != "false":
            plan.warnings.append(no_effect(f"SecurityOpt {name}"))
        return value == "false" or ground.linux
    if option in {"label=disable", "label:disable", "apparmor=unconfined", "apparmor:unconfined"} and ground.linux:
        return True  # nodes with this capability say themselves that nothing of the kind confines their containers
    plan.warnings.append(no_effect(f"SecurityOpt {name}"))
    return False


def _seccomp(plan: LinuxPlan, value: str, ground: Ground) -> bool:
    if value in {"", "builtin"}:
        return True
    if value == "unconfined":
        if ground.open:
            plan.options.setdefault("SecurityOpt", []).append("seccomp=unconfined")
            return True
        plan.warnings.append(
            "SecurityOpt seccomp=unconfined has no effect: the compute node's own profile stays, "
            "as nodes are shared between accounts."
        )
        return False
    if len(value) > _LONGEST_PROFILE:
        raise InvalidParameter(f"Decoding seccomp profile failed: longer than {_LONGEST_PROFILE} bytes")
    try:
        seccomp.parse(value)
    except seccomp.ProfileError as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from error
    if SECURITY_PROFILES not in ground.offered:
        plan.warnings.append(no_effect("SecurityOpt seccomp"))
        return False
    plan.options["SeccompProfile"] = value
    return True


def plan_paths(plan: LinuxPlan, host: HostConfig, ground: Ground) -> None:
    """Decide on MaskedPaths and ReadonlyPaths, which add to the node's own unless the ground is open."""
    for name in ("MaskedPaths", "ReadonlyPaths"):
        paths: list[str] | None = getattr(host, name)
        if paths is None:
            continue
        for path in paths:
            if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
                raise InvalidParameter(f"invalid {name}: {path} is not an absolute path")
        _paths(plan, name, paths, ground)


def _paths(plan: LinuxPlan, name: str, paths: list[str], ground: Ground) -> None:
    if ground.open:
        plan.options[name] = paths
        exact: list[Any] = plan.options.setdefault("ExactPaths", [])
        exact.append(name)
    elif not paths:
        plan.ignored.add(name)
        plan.warnings.append(
            f"{name} adds to the paths that are always kept from containers, and takes none of them away."
        )
    elif SECURITY_PROFILES in ground.offered:
        plan.options[name] = paths
    else:
        plan.ignore(name)

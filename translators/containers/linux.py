"""Options of the Linux kernel: which are honoured, which come back as warnings, which are refused.

A compute node that advertises ``linux-options`` carries them out from ``docker:linux`` in the internal metadata.
Without it an option is named in ``Warnings``. What would be wrong or unsafe to run without is refused either way:
nothing here lets a container out of its own namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.errors import InvalidParameter, NotImplementedHere
from translators.containers.model import ContainerCreate, HostConfig, Mount
from translators.process_signals import check_signal

LINUX_OPTIONS = "linux-options"

LINUX_KEYS = {
    "CapAdd": "CapAdd",
    "CapDrop": "CapDrop",
    "Ulimits": "Ulimits",
    "Init": "Init",
    "Tmpfs": "Tmpfs",
    "ReadonlyRootfs": "ReadonlyRootfs",
    "ShmSize": "ShmSize",
    "Sysctls": "Sysctls",
    "GroupAdd": "GroupAdd",
    "DnsOptions": "DnsOptions",
    "Memory": "MemoryBytes",
    "MemorySwap": "MemorySwapBytes",
    "NanoCpus": "NanoCpus",
    "CpuShares": "CpuShares",
    "CpuPeriod": "CpuPeriod",
    "CpuQuota": "CpuQuota",
    "CpusetCpus": "CpusetCpus",
    "PidsLimit": "PidsLimit",
    "OomScoreAdj": "OomScoreAdj",
}
"""Field of HostConfig -> key of ``docker:linux``."""

_NEVER = (
    "CgroupParent", "BlkioWeight", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps",
    "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "CpuRealtimePeriod", "CpuRealtimeRuntime", "CpusetMems",
    "KernelMemory", "KernelMemoryTCP", "MemoryReservation", "MemorySwappiness", "OomKillDisable", "CpuCount",
    "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth", "StorageOpt", "VolumeDriver", "UsernsMode", "Cgroup",
    "MaskedPaths", "ReadonlyPaths", "CgroupnsMode", "Isolation",
)  # fmt: skip
"""Fields that no compute node honours; their presence is a warning."""

_SAME_AS_UNSET: dict[str, tuple[Any, ...]] = {
    "MemorySwappiness": (-1,),
    "OomKillDisable": (False,),
    "VolumeDriver": ("local",),
    "CgroupnsMode": ("private",),
    "Isolation": ("default",),
    "Init": (False,),
}
_HOST_WIDE = frozenset((
    "ALL", "AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "MAC_ADMIN",
    "MAC_OVERRIDE", "PERFMON", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_RAWIO", "SYS_TIME", "WAKE_ALARM",
))  # fmt: skip
_CONTAINED = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
    "LINUX_IMMUTABLE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RESOURCE", "SYS_TTY_CONFIG",
))  # fmt: skip
_OWN_SYSCTLS = ("net.", "fs.mqueue.", "kernel.msg", "kernel.shm", "kernel.sem")
_RUNTIMES = {"", "runc", "io.containerd.runc.v2", "sdc"}


@dataclass(slots=True)
class LinuxPlan:
    """``options`` is the value of ``docker:linux``; ``ignored`` names the HostConfig fields that have no effect."""

    options: dict[str, Any] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def ignore(self, name: str) -> None:
        self.ignored.add(name)
        self.warnings.append(f"{name} is not supported by this data center and has no effect.")


def plan_linux(body: ContainerCreate, image: dict[str, Any], *, supported: bool, no_network: bool) -> LinuxPlan:
    """Decide on every kernel option of a create request. Raises NotImplementedHere, InvalidParameter."""
    _refuse_unsafe(body.HostConfig)
    plan = LinuxPlan()
    for name in ignored_fields(body.HostConfig):
        plan.ignore(name)
    for name, value in _asked(body.HostConfig):
        if supported:
            plan.options[LINUX_KEYS[name]] = value
        elif name == "Memory":
            plan.ignored.add(name)  # no warning: the package stands for it
        else:
            plan.ignore(name)
    _security(plan, body.HostConfig.SecurityOpt, supported=supported)
    _process(plan, body, image, supported=supported)
    if no_network:
        plan.options["NetworkNone"] = True
    return plan


def ignored_fields(host: HostConfig) -> list[str]:
    """Return the fields that are asked for and that no compute node honours."""
    return [name for name in _NEVER if _is_set(host, name)]


def _is_set(host: HostConfig, name: str) -> bool:
    value = getattr(host, name)
    return value not in _SAME_AS_UNSET.get(name, ()) and value != getattr(_DEFAULTS, name)


_DEFAULTS = HostConfig()


def _asked(host: HostConfig) -> Iterator[tuple[str, Any]]:
    """Yield the fields a capable node honours, checked, as JSON values."""
    _check_capabilities(host)
    for name in host.Sysctls:
        if not name.startswith(_OWN_SYSCTLS):
            raise InvalidParameter(f'sysctl "{name}" is not in a separate kernel namespace')
    tmpfs = {**host.Tmpfs, **{mount.Target: _tmpfs_options(mount) for mount in host.Mounts if mount.Type == "tmpfs"}}
    for name in LINUX_KEYS:
        if name == "Tmpfs":
            if tmpfs:
                yield name, tmpfs
        elif name == "PidsLimit":
            if (host.PidsLimit or 0) > 0:
                yield name, host.PidsLimit
        elif _is_set(host, name):
            yield name, msgspec.to_builtins(getattr(host, name))


def _tmpfs_options(mount: Mount) -> str:
    """Write ``--mount type=tmpfs`` as ``--tmpfs`` does."""
    options = ["ro"] if mount.ReadOnly else []
    if mount.TmpfsOptions.get("SizeBytes"):
        options.append(f"size={int(mount.TmpfsOptions['SizeBytes'])}")
    if mount.TmpfsOptions.get("Mode"):
        options.append(f"mode={int(mount.TmpfsOptions['Mode']):o}")
    return ",".join(options)


def _check_capabilities(host: HostConfig) -> None:
    for option, names in (("CapAdd", host.CapAdd), ("CapDrop", host.CapDrop)):
        for text in names:
            name = text.upper().removeprefix("CAP_")
            if name not in _HOST_WIDE and name not in _CONTAINED:
                raise InvalidParameter(f'invalid {option}: unknown capability: "{text}"')
    for text in host.CapAdd:
        if text.upper().removeprefix("CAP_") in _HOST_WIDE:
            raise NotImplementedHere(
                f"the capability {text} cannot be added: it reaches out of the container, "
                "and compute nodes are shared between accounts"
            )


def _security(plan: LinuxPlan, options: list[str], *, supported: bool) -> None:
    kept = []
    for option in options:
        name, separator, value = option.partition("=")
        if not separator:
            name, separator, value = option.partition(":")
        if name == "no-new-privileges" and value in {"", "true"} and supported:
            kept.append("no-new-privileges")
        elif name not in {"no-new-privileges", "seccomp", "apparmor", "label", "systempaths", "writable-cgroups"}:
            raise InvalidParameter(f'invalid --security-opt 2: "{option}"')
        elif (name, value) not in {("no-new-privileges", "false"), ("seccomp", "builtin")}:
            plan.ignored.add("SecurityOpt")
            plan.warnings.append(f"SecurityOpt {name} is not supported by this data center and has no effect.")
    if kept:
        plan.options["SecurityOpt"] = kept


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
    for name in ("StopSignal", "StopTimeout"):
        if getattr(body, name):
            plan.ignore(name)


def _refuse_unsafe(host: HostConfig) -> None:
    if host.Privileged:
        raise NotImplementedHere(
            "privileged containers are not supported: compute nodes are shared between accounts; "
            "add single capabilities with --cap-add instead"
        )
    for name, mode in (("PidMode", host.PidMode), ("IpcMode", host.IpcMode), ("UTSMode", host.UTSMode)):
        if mode == "host" or mode.startswith("container:"):
            raise NotImplementedHere(f"{name} {mode} is not supported: every container has namespaces of its own")
        if mode and not (name == "IpcMode" and mode in {"private", "shareable"}):
            raise InvalidParameter(f"invalid {name}: {mode}")
    if host.CgroupnsMode == "host":
        raise NotImplementedHere("CgroupnsMode host is not supported: every container has namespaces of its own")
    for name in ("Devices", "DeviceRequests", "DeviceCgroupRules"):
        if getattr(host, name):
            raise NotImplementedHere(f"{name} is not supported: the devices of compute nodes are not given away")
    if host.Runtime not in _RUNTIMES:
        raise InvalidParameter(f"unknown or invalid runtime name: {host.Runtime}")

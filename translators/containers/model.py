"""The body of ``POST /containers/create`` as the Engine API 1.24 to 1.51 documents it, field for field.

Fields keep Docker's names, so that one search finds a field from the API document to the payload. Null and absent
are the same and give the default; only where the difference changes what runs (``Cmd``, ``Entrypoint``) is None
kept apart from an empty list. The structs are mutable: members of the chain may change a decoded call.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import field

Words = list[str] | str
"""What Docker calls a strslice: a list, or a lone string that means a list of one."""


class Healthcheck(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Times in nanoseconds; 0 inherits."""

    Test: list[str] | None = None
    Interval: int = 0
    Timeout: int = 0
    Retries: int = 0
    StartPeriod: int = 0
    StartInterval: int = 0


class LogConfig(msgspec.Struct, kw_only=True, omit_defaults=True):
    Type: str = ""
    Config: dict[str, str] = field(default_factory=dict)


class RestartPolicy(msgspec.Struct, kw_only=True, omit_defaults=True):
    Name: str = ""
    MaximumRetryCount: int = 0


class PortBinding(msgspec.Struct, kw_only=True, omit_defaults=True):
    HostIp: str = ""
    HostPort: str = ""


class DeviceMapping(msgspec.Struct, kw_only=True, omit_defaults=True):
    PathOnHost: str = ""
    PathInContainer: str = ""
    CgroupPermissions: str = ""


class DeviceRequest(msgspec.Struct, kw_only=True, omit_defaults=True):
    Driver: str = ""
    Count: int = 0
    DeviceIDs: list[str] = field(default_factory=list)
    Capabilities: list[list[str]] = field(default_factory=list)
    Options: dict[str, str] = field(default_factory=dict)


class WeightDevice(msgspec.Struct, kw_only=True, omit_defaults=True):
    Path: str = ""
    Weight: int = 0


class ThrottleDevice(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``Rate`` in bytes or operations a second."""

    Path: str = ""
    Rate: int = 0


class Ulimit(msgspec.Struct, kw_only=True, omit_defaults=True):
    Name: str = ""
    Soft: int = 0
    Hard: int = 0


class TmpfsOptions(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``Options`` are flags and pairs: ``[["noexec"], ["uid", "7"]]``."""

    SizeBytes: int = 0
    Mode: int = 0
    Options: list[list[str]] = field(default_factory=list)


class Mount(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One ``--mount``; the options of each type stay plain JSON until a type is honoured."""

    Type: str = ""
    Source: str = ""
    Target: str = ""
    ReadOnly: bool = False
    Consistency: str = ""
    BindOptions: dict[str, Any] = field(default_factory=dict)
    VolumeOptions: dict[str, Any] = field(default_factory=dict)
    ImageOptions: dict[str, Any] = field(default_factory=dict)
    TmpfsOptions: TmpfsOptions | None = None
    ClusterOptions: dict[str, Any] = field(default_factory=dict)


class HostConfig(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How and where it runs. Memory sizes in bytes, CPU times in microseconds, NanoCpus in 1e-9 CPUs."""

    # resources
    CpuShares: int = 0
    Memory: int = 0
    NanoCpus: int = 0
    CgroupParent: str = ""
    BlkioWeight: int = 0
    BlkioWeightDevice: list[WeightDevice] = field(default_factory=list)
    BlkioDeviceReadBps: list[ThrottleDevice] = field(default_factory=list)
    BlkioDeviceWriteBps: list[ThrottleDevice] = field(default_factory=list)
    BlkioDeviceReadIOps: list[ThrottleDevice] = field(default_factory=list)
    BlkioDeviceWriteIOps: list[ThrottleDevice] = field(default_factory=list)
    CpuPeriod: int = 0
    CpuQuota: int = 0
    CpuRealtimePeriod: int = 0
    CpuRealtimeRuntime: int = 0
    CpusetCpus: str = ""
    CpusetMems: str = ""
    Devices: list[DeviceMapping] = field(default_factory=list)
    DeviceCgroupRules: list[str] = field(default_factory=list)
    DeviceRequests: list[DeviceRequest] = field(default_factory=list)
    KernelMemory: int = 0
    KernelMemoryTCP: int = 0
    MemoryReservation: int = 0
    MemorySwap: int = 0
    MemorySwappiness: int | None = None
    OomKillDisable: bool | None = None
    PidsLimit: int | None = None
    Ulimits: list[Ulimit] = field(default_factory=list)
    CpuCount: int = 0
    CpuPercent: int = 0
    IOMaximumIOps: int = 0
    IOMaximumBandwidth: int = 0
    # the rest
    Binds: list[str] = field(default_factory=list)
    ContainerIDFile: str = ""
    LogConfig: LogConfig | None = None
    NetworkMode: str = ""
    PortBindings: dict[str, list[PortBinding | None] | None] = field(default_factory=dict)
    RestartPolicy: RestartPolicy | None = None
    AutoRemove: bool = False
    VolumeDriver: str = ""
    VolumesFrom: list[str] = field(default_factory=list)
    Mounts: list[Mount] = field(default_factory=list)
    ConsoleSize: list[int] = field(default_factory=list)
    Annotations: dict[str, str] = field(default_factory=dict)
    CapAdd: list[str] = field(default_factory=list)
    CapDrop: list[str] = field(default_factory=list)
    CgroupnsMode: str = ""
    Dns: list[str] = field(default_factory=list)
    DnsOptions: list[str] = field(default_factory=list)
    DnsSearch: list[str] = field(default_factory=list)
    ExtraHosts: list[str] = field(default_factory=list)
    GroupAdd: list[str] = field(default_factory=list)
    IpcMode: str = ""
    Cgroup: str = ""
    Links: list[str] = field(default_factory=list)
    OomScoreAdj: int = 0
    PidMode: str = ""
    Privileged: bool = False
    PublishAllPorts: bool = False
    ReadonlyRootfs: bool = False
    SecurityOpt: list[str] = field(default_factory=list)
    StorageOpt: dict[str, str] = field(default_factory=dict)
    Tmpfs: dict[str, str] = field(default_factory=dict)
    UTSMode: str = ""
    UsernsMode: str = ""
    ShmSize: int = 0
    Sysctls: dict[str, str] = field(default_factory=dict)
    Runtime: str = ""
    Isolation: str = ""
    MaskedPaths: list[str] | None = None
    ReadonlyPaths: list[str] | None = None
    Init: bool | None = None


class EndpointIPAMConfig(msgspec.Struct, kw_only=True, omit_defaults=True):
    IPv4Address: str = ""
    IPv6Address: str = ""
    LinkLocalIPs: list[str] = field(default_factory=list)


class EndpointSettings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One network of the container; clients may send back what inspect showed, so operational fields are ignored."""

    IPAMConfig: EndpointIPAMConfig | None = None
    Links: list[str] = field(default_factory=list)
    Aliases: list[str] = field(default_factory=list)
    MacAddress: str = ""
    DriverOpts: dict[str, str] = field(default_factory=dict)
    GwPriority: int = 0
    NetworkID: str = ""


class NetworkingConfig(msgspec.Struct, kw_only=True, omit_defaults=True):
    EndpointsConfig: dict[str, EndpointSettings | None] = field(default_factory=dict)


class ContainerCreate(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The whole body: Docker's portable Config with HostConfig and NetworkingConfig beside it."""

    Hostname: str = ""
    Domainname: str = ""
    User: str = ""
    AttachStdin: bool = False
    AttachStdout: bool = False
    AttachStderr: bool = False
    ExposedPorts: dict[str, Any] = field(default_factory=dict)
    Tty: bool = False
    OpenStdin: bool = False
    StdinOnce: bool = False
    Env: list[str] = field(default_factory=list)
    Cmd: Words | None = None
    Healthcheck: Healthcheck | None = None
    ArgsEscaped: bool = False
    Image: str = ""
    Volumes: dict[str, Any] = field(default_factory=dict)
    WorkingDir: str = ""
    Entrypoint: Words | None = None
    NetworkDisabled: bool = False
    MacAddress: str = ""
    OnBuild: list[str] = field(default_factory=list)
    Labels: dict[str, str] = field(default_factory=dict)
    StopSignal: str = ""
    StopTimeout: int | None = None
    Shell: list[str] | None = None
    HostConfig: HostConfig = field(default_factory=HostConfig)
    NetworkingConfig: NetworkingConfig = field(default_factory=NetworkingConfig)

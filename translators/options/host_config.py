"""HostConfig of a create request: limits, and how a container is kept apart from others and joined to them."""

from __future__ import annotations

from typing import Any

from gateway.versions import ApiVersion
from translators.options.row import Case, Fate, Option, Place, no_effect

LINUX = "linux-options"
NETWORK_NAMES = "network-names"
OPERATION = "container.create"
MIB = 1 << 20
TRUST = "Only for accounts the operator trusts ([triton] trusted_accounts), on nodes that advertise `privileged`."

FOLDERS = (
    "Folders of the node only where the operator allows it ([triton] host_binds, host_bind_accounts), on nodes that "
    "advertise `host-binds`."
)


def _row(fate: Fate, name: str, **more: Any) -> Option:
    return Option(operation=OPERATION, place=Place.BODY, name=f"HostConfig.{name}", fate=fate, **more)


def honoured(name: str, *samples: Any, needs: str = "", **more: Any) -> Option:
    return _row(Fate.HONOURED, name, samples=samples, needs=needs, **more)


def limit(name: str, *samples: Any, **more: Any) -> Option:
    """A row that goes to the node, under its own name unless another ``key`` is given."""
    return honoured(name, *samples, **({"key": name, "needs": LINUX} | more))


def mapped(name: str, *samples: Any, note: str, **more: Any) -> Option:
    return _row(Fate.MAPPED, name, samples=samples, note=note, **more)


def warned(name: str, value: Any, note: str = "", version: ApiVersion | None = None, **more: Any) -> Option:
    """A row that nothing honours; ``value`` is one that asks for it."""
    case = Case(value=value, fate=Fate.WARNED, says=no_effect(name), version=version)
    return _row(Fate.WARNED, name, note=note, cases=(case,), **more)


def plain(name: str, note: str, **more: Any) -> Option:
    return _row(Fate.PLAIN, name, note=note, **more)


def refusal(value: Any, says: str, status: int = 501, **beside: Any) -> Case:
    return Case(value=value, fate=Fate.REFUSED, says=says, status=status, beside=beside)


def warning(value: Any, says: str, **beside: Any) -> Case:
    return Case(value=value, fate=Fate.WARNED, says=says, beside=beside)


def refused(name: str, value: Any, says: str, *, note: str = "", status: int = 501, **more: Any) -> Option:
    case = refusal(value, says, status)
    return _row(Fate.REFUSED, name, note=note, cases=(case, *more.pop("cases", ())), **more)


_THROTTLE = [{"Path": "/dev/sda", "Rate": 1 * MIB}]
_CPUS = "Chooses the package, with the memory: the smallest that has both. An update may not ask for more than it has."
_NO_DEVICE = "bad format for device path: must be below /dev/"

RESOURCES: tuple[Option, ...] = (
    honoured("Memory", 64 * MIB, 300 * MIB, key="MemoryBytes", note="Chooses the package: the smallest that "
             "has as much. Nodes with `linux-options` hold the container to the very number.", cases=(
        refusal(1000, "Minimum memory limit allowed is 6MB", 400), refusal(-1, "invalid memory value", 400),
        refusal(1 << 60, "no package supports the given container constraints: memory=", 400),
        warning(65 * MIB, "Memory 65m is rounded up to the package sample-128M."),
    )),
    limit("MemorySwap", proof="tests/unit/translators/containers/test_create.py::test_swap_goes_with_memory",
             key="MemorySwapBytes", note="At most what the package has, `-1` too.", cases=(
        warning(-1, "MemorySwap -1 is carried out as 512m, the most that the package sample-128M has.", Memory=64 * MIB),
        refusal(8 * MIB, "You should always set the Memory limit when using Memoryswap limit", 400),
        refusal(8 * MIB, "Minimum memoryswap limit should be larger than memory limit", 400, Memory=64 * MIB),
    )),
    limit("MemoryReservation", 32 * MIB, needs="memory-reservation", cases=(
        refusal(128 * MIB, "Minimum memory limit can not be less than memory reservation limit", 400, Memory=64 * MIB),
    )),
    limit("MemorySwappiness", 0, 60, needs="memory-swappiness", unset=(-1,),
          note="Hosts with cgroup v1 only, as on a Docker host.", cases=(
        refusal(101, "Invalid value: 101, valid memory swappiness range is 0-100", 400),
    )),
    limit("OomKillDisable", True, needs="oom-kill-disable", unset=(False,),
          note="Hosts with cgroup v1 only, as on a Docker host."),
    warned("KernelMemory", MIB, "Kernels have no such limit any more.", ApiVersion(1, 41), until=ApiVersion(1, 41)),
    warned("KernelMemoryTCP", MIB, "Kernels have no such limit any more."),
    limit("NanoCpus", 500_000_000, note=f"{_CPUS} Without `linux-options` the package's CPUs.", cases=(
        warning(3_000_000_000, "The package sample-4G was chosen for its 4 CPUs."),
        refusal(99_000_000_000, "no package supports the given container constraints: memory=1g, cpus=99", 400),
        refusal(-1, "Range of CPUs is from 0.01 upwards", 400),
        refusal(10, "Conflicting options: Nano CPUs and CPU Period cannot both be set", 400, CpuPeriod=10000),
    )),
    limit("CpuShares", 512, note="Without `linux-options` the package's share.", cases=(
        refusal(-1, "invalid CPU shares (-1): value must be a positive integer", 400),
    )),
    limit("CpuPeriod", 50_000, cases=(refusal(10, "CPU cfs period can not be less than 1ms", 400),)),
    limit("CpuQuota", 20_000, note=_CPUS, cases=(
        warning(300_000, "The package sample-4G was chosen for its 4 CPUs."),
        refusal(10, "CPU cfs quota can not be less than 1ms", 400),
    )),
    limit("CpusetCpus", "0", cases=(
        refusal("x", "Invalid value x for cpuset cpus", 400),
        refusal("0-4000", "Requested CPUs are not available - requested 0-4000", 400),
    )),
    limit("CpusetMems", "0", needs="cpuset-mems", cases=(refusal("1,", "Invalid value 1, for cpuset mems", 400),)),
    warned("CpuRealtimePeriod", 1000, "Real-time scheduling would take the processor away from other accounts."),
    warned("CpuRealtimeRuntime", 1000, "Real-time scheduling would take the processor away from other accounts."),
    limit("PidsLimit", 100, unset=(0,), note="At most the package's limit, which holds where none is asked for.", cases=(
        warning(1 << 20, "PidsLimit 1048576 is carried out as 1000, the most that the package sample-1G has."),
        warning(-1, "PidsLimit -1 is carried out as the package's limit of processes: no container is without one."),
    )),
    limit("BlkioWeight", 300, needs="blkio-weight", cases=(
        refusal(5, "Range of blkio weight is from 10 to 1000", 400),
    )),
    limit("BlkioWeightDevice", [{"Path": "/dev/sda", "Weight": 200}], needs="blkio-weight", cases=(
        refusal([{"Path": "/etc/x", "Weight": 200}], _NO_DEVICE, 400),
    )),
    *(limit(name, _THROTTLE, needs="blkio-throttle", note="Devices are those of the compute node; the container does "
            "not start on one that has no such device.", cases=(
        refusal([{"Path": "/dev/../etc", "Rate": 1}], _NO_DEVICE, 400),
        refusal([{"Path": "/dev/sda", "Rate": -1}], "invalid rate for device", 400),
    )) for name in ("BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps")),
    limit("Ulimits", [{"Name": "nofile", "Soft": 1000, "Hard": 2000}],
          note="No higher than compute nodes may give; what is cut down comes back as a warning.", cases=(
        refusal([{"Name": "bogus", "Soft": 1, "Hard": 1}], "invalid ulimit type: bogus", 400),
        refusal([{"Name": "nofile", "Soft": 2, "Hard": 1}], "ulimit soft limit must be less than or equal to hard", 400),
        warning([{"Name": "nofile", "Soft": 1 << 40, "Hard": 1 << 40}],
                "Ulimit nofile is cut down to 1048576, the most that compute nodes give."),
    )),
    limit("OomScoreAdj", 200, cases=(
        refusal(1001, "Invalid value 1001, range for oom score adj is [-1000, 1000]", 400),
        warning(-200, "OomScoreAdj -200 is carried out as 0: no container is spared at the cost of others."),
    )),
    warned("CgroupParent", "/mine", "Every container has its place in the node's cgroup."),
    *(warned(name, 1, "Windows only.") for name in ("CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth")),
    mapped("StorageOpt", {"size": "5G"},              note="`size` chooses a package with at least that disk, which is then the container's limit.", cases=(
        refusal({"bogus": "1"}, "unknown option in storage-opt: bogus", 400),
        refusal({"size": "much"}, "invalid size: 'much'", 400),
        refusal({"size": "900000G"}, "no package supports the given container constraints: ", 400),
    )),
)  # fmt: skip

KERNEL: tuple[Option, ...] = (
    limit("CapAdd", ["NET_ADMIN"], cases=(
        refusal(["SYS_ADMIN"], "the capability SYS_ADMIN cannot be added: it reaches out of the container"),
        refusal(["ALL"], "the capability ALL cannot be added"),
        refusal(["BOGUS"], 'invalid CapAdd: unknown capability: "BOGUS"', 400),
    )),
    limit("CapDrop", ["ALL"], ["CHOWN"], cases=(
        refusal(["BOGUS"], 'invalid CapDrop: unknown capability: "BOGUS"', 400),
    )),
    limit("Init", True, unset=(False,), since=ApiVersion(1, 25)),
    limit("Tmpfs", {"/run": "size=8m,exec"}, cases=(
        refusal({"/run": "bogus"}, 'invalid tmpfs option ["bogus"]', 400),
        refusal({"run": ""}, "invalid mount path: 'run' mount path must be absolute", 400),
    )),
    limit("ReadonlyRootfs", True),
    limit("ShmSize", MIB, cases=(refusal(-1, "SHM size can not be less than 0", 400),)),
    limit("Sysctls", {"net.core.somaxconn": "1024"}, {"kernel.msgmax": "8192"}, cases=(
        refusal({"kernel.panic": "1"}, 'sysctl "kernel.panic" is not in a separate kernel namespace', 400),
    )),
    limit("GroupAdd", ["777"], ["audio"], note="Names are looked up in the image."),
    honoured("SecurityOpt", ["no-new-privileges"], ["label=disable"], ["apparmor=unconfined"], ["seccomp=builtin"],
             note="`no-new-privileges`. `seccomp=<profile>` where nodes advertise `security-profiles`: it may only "
             "take away from what the node's own profile allows. SELinux and AppArmor confine nothing here.", cases=(
        refusal(["bogus=1"], 'invalid --security-opt 2: "bogus=1"', 400),
        refusal(["seccomp={"], "Decoding seccomp profile failed: ", 400),
        refusal(["no-new-privileges=perhaps"], 'invalid --security-opt 2: "no-new-privileges=perhaps"', 400),
        warning(["seccomp=unconfined"], "SecurityOpt seccomp=unconfined has no effect: the compute node's own profile "
                "stays, as nodes are shared between accounts."),
        warning(["apparmor=mine"], "SecurityOpt apparmor is not supported by this data center and has no effect."),
        warning(["label=type:x"], "SecurityOpt label is not supported by this data center and has no effect."),
        warning(["writable-cgroups=true"],
                "SecurityOpt writable-cgroups is not supported by this data center and has no effect."),
    )),
    *(limit(name, ["/proc/mine"], needs="security-profiles", since=ApiVersion(1, 38), note="Added to those that are "
            f"always there; `--security-opt systempaths=unconfined` takes nothing away. {TRUST}", cases=(
        warning([], f"{name} adds to the paths that are always kept from containers, and takes none of them away."),
        refusal(["mine"], f"invalid {name}: mine is not an absolute path", 400),
    )) for name in ("MaskedPaths", "ReadonlyPaths")),
    refused("Privileged", True, "privileged containers are not supported: compute nodes are shared", note=TRUST),
    refused("Devices", [{"PathOnHost": "/dev/fuse"}], "Devices is not supported: the devices of compute nodes", note=TRUST),
    refused("DeviceCgroupRules", ["c 1:3 rwm"], "DeviceCgroupRules is not supported", note=TRUST,
            since=ApiVersion(1, 28), cases=(
        refusal(["x"], "invalid device cgroup format 'x'", 400),
    )),
    refused("DeviceRequests", [{"Count": -1, "Capabilities": [["gpu"]]}], "DeviceRequests is not supported",
            since=ApiVersion(1, 40)),
    refused("PidMode", "host", "PidMode host is not supported: every container has namespaces of its own", cases=(
        refusal("container:x", "PidMode container:x is not supported: every container has namespaces of its own"),
        refusal("x", "invalid PidMode: x", 400),
    )),
    honoured("IpcMode", "private", "shareable", note="Every container has its own; `shareable` shares it "
             "with nobody.", cases=(
        refusal("host", "IpcMode host is not supported: every container has namespaces of its own"),
        refusal("container:x", "IpcMode container:x is not supported"), refusal("x", "invalid IpcMode: x", 400),
    )),
    refused("UTSMode", "host", "UTSMode host is not supported: every container has namespaces of its own", cases=(
        refusal("x", "invalid UTSMode: x", 400),
    )),
    honoured("UsernsMode", "host", note="Users are not remapped, so `host` is how it is.", cases=(
        refusal("x", "invalid UsernsMode: x", 400),
    )),
    honoured("CgroupnsMode", "private", since=ApiVersion(1, 41), cases=(
        refusal("host", "CgroupnsMode host is not supported: every container has namespaces of its own"),
        refusal("x", "invalid CgroupnsMode: x", 400),
    )),
    warned("Cgroup", "x"),
    plain("Runtime", "`runc`, `io.containerd.runc.v2` and `sdc` all mean the node's own runtime.", cases=(
        refusal("kata", "unknown or invalid runtime name: kata", 400),
    )),
    plain("Isolation", "Windows only; `default` is the one there is.", unset=("default",), cases=(
        refusal("hyperv", "invalid isolation 'hyperv' on linux", 400),
    )),
)  # fmt: skip

JOINED: tuple[Option, ...] = (
    honoured("NetworkMode", "bridge", "default", "none", note="A network's name or id; the default is the "
             "account's own fabric. `none` needs nodes with `linux-options`, `container:x` with `network-sharing`.", cases=(
        refusal("host", "network mode host is not supported: compute nodes are shared between accounts"),
        Case(value="container:up", fate=Fate.REFUSED, status=501, unless="network-sharing",
             says="network mode container is not supported: every container has its own addresses"),
        refusal("nowhere", "network nowhere not found", 400),
    )),
    mapped("PortBindings", {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}, {"90/udp": [{"HostIp": "", "HostPort": "8090"}]},
           note="A firewall rule and an address outside. Addresses are not translated; numbers are where nodes "
                "advertise `port-remapping`.", cases=(
        Case(value={"80/tcp": [{"HostPort": "8080"}]}, fate=Fate.REFUSED, status=501, unless="port-remapping",
             says="publish port: remapping of port numbers not allowed"),
        refusal({"80/tcp": [{"HostPort": "x"}]}, 'invalid port specification: "x"', 400),
        refusal({"80/tcp": [{"HostIp": "127.0.0.1"}]}, "publish port: binding to the address 127.0.0.1"),
        refusal({"80/sctp": []}, "publish port: unknown protocol: must be tcp or udp"),
        refusal({"x/tcp": []}, 'invalid port specification: "x/tcp"', 400),
    )),
    mapped("PublishAllPorts", True, note="Each exposed port under its own number."),
    honoured("Dns", ["10.1.2.3"], cases=(refusal(["x"], "x is not an ip address", 400),)),
    limit("DnsOptions", ["ndots:3"]),
    honoured("DnsSearch", ["ex.test"]),
    honoured("ExtraHosts", ["foo:10.9.8.7"], cases=(
        refusal(["x:host-gateway"], "add-host x:host-gateway: containers of a data center have no host to reach"),
        refusal(["x"], 'bad format for add-host: "x"', 400),
    )),
    honoured("Links", proof="tests/unit/translators/containers/test_links.py",
             note="On the default network: host names and variables. On others names, where nodes advertise "
                  "`network-names`.", cases=(
        refusal(["ghost:db"], "could not get container for ghost: No such container", 400),
        Case(value=["a:b"], fate=Fate.REFUSED, status=501, unless=NETWORK_NAMES, beside={"NetworkMode": "external"},
             says="user-defined networking links is not implemented"),
    )),
    mapped("Binds", note=f"Anonymous and named volumes. {FOLDERS}",
             proof="tests/unit/translators/containers/test_named_volumes.py::test_what_vmapi_is_asked_for", cases=(
        refusal(["data:/data:rx"], "invalid mode: rx", 400),
        refusal(["/etc:/etc"], "host volumes are not supported: /etc would be a folder of the compute node"),
    )),
    honoured("Mounts", [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": MIB, "Mode": 448}}],
             since=ApiVersion(1, 25), note=f"`volume` and `tmpfs`. {FOLDERS}", cases=(
        refusal([{"Type": "bind", "Source": "/etc", "Target": "/e"}], "host volumes are not supported: /etc"),
        Case(value=[{"Type": "volume", "Source": "d1", "Target": "/d", "VolumeOptions": {"Subpath": "a"}}],
             fate=Fate.REFUSED, status=501, unless="volume-subpath", says="volume-subpath is not supported"),
        refusal([{"Type": "volume", "Source": "d1", "Target": "/d", "VolumeOptions": {"Subpath": "../a"}}],
                "subpath must be a relative path within the volume", 400),
        refusal([{"Type": "npipe", "Source": "x", "Target": "/e"}], "mounts of type npipe are not supported"),
        refusal([{"Type": "x", "Target": "/e"}], "invalid mount config: mount type unknown: 'x'", 400),
    )),
    honoured("VolumesFrom", note="At most two containers, on one node.",
             proof="tests/unit/translators/containers/test_create.py::test_volumes_from_shares_own_volumes_only", cases=(
        refusal(["ghost"], "No such container: ghost", 400),
    )),
    warned("VolumeDriver", "nfs", unset=("local", "tritonnfs")),
    honoured("LogConfig", {"Type": "json-file", "Config": {"max-size": "1m"}},
             note="`json-file` and `none`, and what else the operator allows ([triton] log_drivers).", cases=(
        refusal({"Type": "journald"}, "unsupported log driver: journald", 400),
        refusal({"Type": "json-file", "Config": {"bogus": "1"}}, "unknown log opt 'bogus' for json-file log driver", 400),
    )),
    honoured("RestartPolicy", {"Name": "on-failure", "MaximumRetryCount": 3}, {"Name": "always", "MaximumRetryCount": 0},
             note="By nodes that advertise `restart-policies`; by others, `unless-stopped` is carried out as `always`, "
             "with a warning.", cases=(
        refusal({"Name": "often"}, "invalid restart policy: unknown policy 'often'", 400),
        refusal({"Name": "always"}, "can't create 'AutoRemove' container with restart policy", 400, AutoRemove=True),
    )),
    honoured("AutoRemove", True, since=ApiVersion(1, 25), note="Done by the gateway."),
    honoured("Annotations", {"a": "b"}, since=ApiVersion(1, 43), note="Kept and shown; the runtime does not "
             "see them."),
    plain("ContainerIDFile", "The client's own business."),
    plain("ConsoleSize", "The client sets the terminal's size once it is attached (`container.resize`)."),
)  # fmt: skip

HOST_CONFIG: tuple[Option, ...] = (*RESOURCES, *KERNEL, *JOINED)

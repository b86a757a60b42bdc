"""What dockerd refuses in a create request before it looks at anything else, in dockerd's words."""

from __future__ import annotations

from ipaddress import ip_address

from gateway.errors import InvalidParameter, NotImplementedHere
from gateway.versions import ApiVersion
from grammars.sizes import size_in_bytes
from translators.containers.endpoints import check_endpoints
from translators.containers.health import check_health
from translators.containers.model import ContainerCreate, HostConfig, RestartPolicy
from translators.containers.restart import check_restart

_LEAST_MEMORY = 6 * 1024 * 1024


def validate(body: ContainerCreate, version: ApiVersion) -> None:
    """Raise InvalidParameter for a request that contradicts itself."""
    host = body.HostConfig
    check_memory(host)
    check_cpu(host)
    _rest(host)
    check_health(body)
    check_endpoints(body)
    check_restart(host.RestartPolicy or RestartPolicy(), auto_remove=host.AutoRemove)
    if version < (1, 48):
        for endpoint in body.NetworkingConfig.EndpointsConfig.values():
            if endpoint:
                endpoint.GwPriority = 0
    if version >= (1, 42):
        host.KernelMemory = 0  # removed from the API; dockerd ignores it in silence
    if version < (1, 45) and any(mount.VolumeOptions.get("Subpath") for mount in host.Mounts):
        raise InvalidParameter("VolumeOptions.Subpath needs API v1.45 or newer")
    if body.StopTimeout is not None and body.StopTimeout < -1:
        raise InvalidParameter("invalid stop timeout: must be -1 or more")
    networks = body.NetworkingConfig.EndpointsConfig
    if len(networks) > 1 and version < (1, 44):
        raise InvalidParameter(f"Container cannot be connected to network endpoints: {', '.join(sorted(networks))}")


def check_memory(host: HostConfig) -> None:
    if host.Memory < 0 or host.MemorySwap < -1:
        raise InvalidParameter("invalid memory value: must not be negative")
    if 0 < host.Memory < _LEAST_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if host.Memory and 0 < host.MemorySwap < host.Memory:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if not host.Memory and host.MemorySwap > 0:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if host.MemorySwappiness is not None and not -1 <= host.MemorySwappiness <= 100:
        raise InvalidParameter(f"Invalid value: {host.MemorySwappiness}, valid memory swappiness range is 0-100")
    if 0 < host.Memory < host.MemoryReservation:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")


def check_cpu(host: HostConfig) -> None:
    if host.NanoCpus < 0:
        raise InvalidParameter("Range of CPUs is from 0.01 upwards")
    if host.NanoCpus and host.CpuPeriod:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if host.NanoCpus and host.CpuQuota:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if host.CpuPeriod and not 1000 <= host.CpuPeriod <= 1_000_000:
        raise InvalidParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < host.CpuQuota < 1000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if host.BlkioWeight and not 10 <= host.BlkioWeight <= 1000:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")


def _rest(host: HostConfig) -> None:
    if host.ShmSize < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    if not -1000 <= host.OomScoreAdj <= 1000:
        raise InvalidParameter(f"Invalid value {host.OomScoreAdj}, range for oom score adj is [-1000, 1000]")
    check_storage(host)
    for limit in host.Ulimits:
        if limit.Soft > limit.Hard >= 0:
            raise InvalidParameter(
                f"ulimit soft limit must be less than or equal to hard limit: {limit.Soft} > {limit.Hard}"
            )
    for entry in host.ExtraHosts:
        name, colon, address = entry.partition(":")
        if not (name and colon and address):
            raise InvalidParameter(f'bad format for add-host: "{entry}"')
        if address == "host-gateway":
            raise NotImplementedHere(f"add-host {entry}: containers of a data center have no host to reach")
    for server in host.Dns:
        try:
            ip_address(server)
        except ValueError as error:
            raise InvalidParameter(f"{server} is not an ip address") from error


def check_storage(host: HostConfig) -> None:
    """Raise InvalidParameter for storage options other than a size."""
    for name, value in host.StorageOpt.items():
        if name != "size":
            raise InvalidParameter(f"unknown option in storage-opt: {name}")
        if size_in_bytes(value) is None:
            raise InvalidParameter(f"invalid size: '{value}'")

"""What older API versions do not know, taken out of the newest shape. Facts: Engine API version history."""

from __future__ import annotations

from typing import Any

from gateway.versions import ApiVersion

Json = dict[str, Any]

_INSPECT: tuple[tuple[tuple[int, int], tuple[str, ...]], ...] = (
    ((1, 25), ("HostConfig.AutoRemove", "HostConfig.NanoCpus", "HostConfig.Init", "Config.StopTimeout")),
    ((1, 25), ("HostConfig.Mounts", "HostConfig.CpuRealtimePeriod", "HostConfig.CpuRealtimeRuntime")),
    ((1, 28), ("HostConfig.DeviceCgroupRules",)),
    ((1, 32), ("Platform",)),
    ((1, 38), ("HostConfig.MaskedPaths", "HostConfig.ReadonlyPaths")),
    ((1, 40), ("HostConfig.DeviceRequests",)),
    ((1, 41), ("HostConfig.CgroupnsMode",)),
    ((1, 43), ("HostConfig.Annotations",)),
)
"""API version that brought the fields -> their paths."""

_CHECK: tuple[tuple[tuple[int, int], str], ...] = (((1, 29), "StartPeriod"), ((1, 44), "StartInterval"))
_ENDPOINT: tuple[tuple[tuple[int, int], str], ...] = (
    ((1, 32), "DriverOpts"),
    ((1, 44), "DNSNames"),
    ((1, 48), "GwPriority"),
)

_NOT_LISTED: Json = {"Links": None, "Aliases": None, "DNSNames": None}
"""What of an endpoint a list leaves out."""


def shape_inspect(container: Json, version: ApiVersion, short_id: str) -> Json:
    """Cut an inspect reply, in place, to what a version knows.

    Below 1.45 aliases hold the short id, too, which newer clients read from ``DNSNames``.
    """
    for since, paths in _INSPECT:
        if version < since:
            for path in paths:
                *parents, leaf = path.split(".")
                holder = container
                for parent in parents:
                    holder = holder[parent]
                holder.pop(leaf, None)
    check = container["Config"].get("Healthcheck", {})
    for since, name in _CHECK:
        if version < since:
            check.pop(name, None)
    if version < (1, 42):
        container["HostConfig"] |= {"KernelMemory": 0}
    if (1, 40) <= version < (1, 42):
        container["HostConfig"] |= {"KernelMemoryTCP": 0}
    for endpoint in container["NetworkSettings"]["Networks"].values():
        if version < (1, 45) and endpoint["DNSNames"]:
            endpoint["Aliases"] = [*(endpoint["Aliases"] or ()), short_id]
        _cut_endpoint(endpoint, version)
    return container


def shape_summary(container: Json, version: ApiVersion) -> Json:
    """Cut one element of the list, in place, to what a version knows."""
    if version < (1, 46):
        container["HostConfig"].pop("Annotations", None)
    for endpoint in container["NetworkSettings"]["Networks"].values():
        endpoint.update(_NOT_LISTED)
        _cut_endpoint(endpoint, version)
    return container


def _cut_endpoint(endpoint: Json, version: ApiVersion) -> None:
    for since, name in _ENDPOINT:
        if version < since:
            endpoint.pop(name, None)

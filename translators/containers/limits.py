"""Limits of a container's resources: what dockerd refuses, and what is cut down to what nodes may give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import InvalidParameter
from translators.containers.model import HostConfig

Json = dict[str, Any]

ULIMITS = frozenset((
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
))  # fmt: skip
_CPU_LIST = re.compile(r"\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*")
_DEVICE = re.compile(r"/dev/[\w.-]+(/[\w.-]+)*")
THROTTLES = ("BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps")


def check_limits(host: HostConfig, *, cpus: int = 0) -> None:
    """Raise InvalidParameter, in dockerd's words; ``cpus`` is how many the largest node has, 0 when not known."""
    if host.CpuShares < 0:
        raise InvalidParameter(f"invalid CPU shares ({host.CpuShares}): value must be a positive integer")
    _check_lists(host, cpus)
    for device in host.BlkioWeightDevice:
        _check_device(device.Path)
        if not 10 <= device.Weight <= 1000:
            raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    for name in THROTTLES:
        for throttle in getattr(host, name):
            _check_device(throttle.Path)
            if not 0 <= throttle.Rate < 1 << 63:
                raise InvalidParameter(f"invalid rate for device: {throttle.Path}: must not be negative")
    for limit in host.Ulimits:
        if limit.Name not in ULIMITS:
            raise InvalidParameter(f"invalid ulimit type: {limit.Name}")


def _check_lists(host: HostConfig, cpus: int) -> None:
    for name, kind in (("CpusetCpus", "cpus"), ("CpusetMems", "mems")):
        text = getattr(host, name)
        if text and not _CPU_LIST.fullmatch(text):
            raise InvalidParameter(f"Invalid value {text} for cpuset {kind}")
    if host.CpusetCpus and cpus:
        most = max(int(number) for number in re.findall(r"\d+", host.CpusetCpus))
        if most >= cpus:
            raise InvalidParameter(
                f"Requested CPUs are not available - requested {host.CpusetCpus}, available: 0-{cpus - 1}"
            )


def _check_device(path: str) -> None:
    if not _DEVICE.fullmatch(path) or ".." in path.split("/"):
        raise InvalidParameter(f"bad format for device path: must be below /dev/: {path}")


def given_limits(host: HostConfig, most: Mapping[str, int]) -> tuple[Json, list[str]]:
    """Return the fields that may be carried out otherwise than asked for, None for not at all, and the warnings."""
    given: Json = {}
    warned: list[str] = []
    if host.OomScoreAdj < 0:
        given["OomScoreAdj"] = None
        warned.append(
            f"OomScoreAdj {host.OomScoreAdj} is carried out as 0: no container is spared at the cost of others."
        )
    if host.PidsLimit is not None and host.PidsLimit <= 0:
        given["PidsLimit"] = None
        if host.PidsLimit < 0:
            warned.append(
                f"PidsLimit {host.PidsLimit} is carried out as the package's limit of processes: "
                "no container is without one."
            )
    ulimits = [_cut_down(msgspec.to_builtins(limit), most, warned) for limit in host.Ulimits]
    if ulimits:
        given["Ulimits"] = ulimits
    return given, warned


def _cut_down(limit: Json, most: Mapping[str, int], warned: list[str]) -> Json:
    top = most.get(str(limit.get("Name")), -1)
    if top < 0:
        return limit
    hard, soft = limit.get("Hard", 0), limit.get("Soft", 0)
    if 0 <= hard <= top and 0 <= soft <= top:
        return limit
    warned.append(f"Ulimit {limit['Name']} is cut down to {top}, the most that compute nodes give.")
    cut = {"Soft": top if soft < 0 else min(soft, top), "Hard": top if hard < 0 else min(hard, top)}
    return {**limit, **cut}

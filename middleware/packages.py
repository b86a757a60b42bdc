"""Choose the Triton package, the size, of a new container."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import Annotated, Any

from msgspec import Meta

from gateway.call import Call
from gateway.errors import InvalidParameter
from grammars.sizes import cpu_percent, size_in_bytes
from middleware.base import Middleware, Options

LABEL = "com.joyent.package"
MIB = 1 << 20

_VALUE = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.\-]+)?[a-zA-Z0-9]")
_DOUBLED = re.compile(r"[_.\-]{2}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_SHORT_UUID = re.compile(r"[0-9a-f]{8}", re.IGNORECASE)
_MOST_CACHED = 1000

Package = dict[str, Any]


class PackageOptions(Options, frozen=True):
    prefix: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_.-]*$", description="Packages chosen by memory have names that begin so")
    ] = "sample-"
    default_memory: Annotated[int, Meta(ge=1, description="MiB, when the container names no memory")] = 1024
    cache_seconds: Annotated[float, Meta(ge=0, description="How old a list of packages may be")] = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """What a container asks for: memory and disk in bytes, CPUs in percent of one; 0 is no matter."""

    memory: int = 0
    disk: int = 0
    cpus: int = 0


class Packages(Middleware):
    """Put the package into ``call.hints["package"]``: the one the label names, else the smallest that is large enough.

    Large enough is said in memory (``-m``), disk (``--storage-opt size``) and CPUs (``--cpus``, ``--cpu-quota``). When
    a smaller one would do but for the CPUs, ``call.hints["package_for_cpus"]`` is true.

    An update that changes the memory gets the smallest with the new one, whatever the label had named.

    Only active packages count that belong to everyone or to the account. The hint is the package as PAPI has
    it (memory and quota in MiB); the translator sends its uuid as ``billing_id``.

    Docker: POST /containers/create   SDC: PAPI GET /packages
    """

    name = "packages"
    runs_on = ("container.create", "container.update", "image.build")
    Options = PackageOptions
    options: PackageOptions

    def __init__(self, options: PackageOptions) -> None:
        super().__init__(options)
        self._lists: dict[str, tuple[float, list[Package]]] = {}

    def before(self, call: Call) -> None:
        if call.operation.name == "container.update":
            if call.body.Memory > 0:
                call.hints["package"] = self._large_enough(call, _size(call.body))
            return
        wanted, size = (call.body.Labels or {}).get(LABEL), _size(call.body.HostConfig)
        if wanted is not None:
            call.hints["package"] = self._named(call, wanted)
        else:
            call.hints["package"] = self._large_enough(call, size)
            if size.cpus:
                usual = self._large_enough(call, replace(size, cpus=0))
                call.hints["package_for_cpus"] = usual["uuid"] != call.hints["package"]["uuid"]
        if call.explains:
            why = f"named by the label {LABEL}" if wanted is not None else self._why(size)
            call.explanation["Package"] = _described(call.hints["package"]) | {
                "Why": why,
                "Alternatives": self._alternatives(call, call.hints["package"]),
            }

    def _why(self, size: _Size) -> str:
        asked = human_size(size.memory or self.options.default_memory * MIB)
        parts = [f"{asked} of memory" + ("" if size.memory else ", the default")]
        parts += [f"{human_size(size.disk)} of disk"] if size.disk else []
        parts += [f"{size.cpus / 100:g} CPUs"] if size.cpus else []
        return f"the smallest with at least {' and '.join(parts)}"

    def _alternatives(self, call: Call, chosen: Package) -> list[dict[str, Any]]:
        """The packages next to the chosen one in size, smaller and larger."""
        packages = sorted(
            self._list(call, f"(name={self.options.prefix}*)"), key=lambda package: package["max_physical_memory"]
        )
        smaller = [p for p in packages if p["max_physical_memory"] < chosen["max_physical_memory"]]
        larger = [p for p in packages if p["max_physical_memory"] > chosen["max_physical_memory"]]
        return [_described(package) for package in [*smaller[-1:], *larger[:2]]]

    def _named(self, call: Call, value: str) -> Package:
        if not _VALUE.fullmatch(value) or _DOUBLED.search(value):
            raise InvalidParameter(f"invalid value for {LABEL}: {value}")
        if _UUID.fullmatch(value):
            term = f"(uuid={value.lower()})"
        elif _SHORT_UUID.fullmatch(value):
            term = f"(|(name={value})(uuid={value.lower()}-*))"
        else:
            term = f"(name={value})"
        found = self._list(call, term)
        if not found:
            raise InvalidParameter("no packages match parameters")
        by_name = [package for package in found if package["name"] == value]
        by_uuid = [package for package in found if package["uuid"].startswith(value.lower())]
        for matches in (by_name, by_uuid):
            if len(matches) == 1:
                return dict(matches[0])
        raise InvalidParameter(f"no package supports the given container constraints: {LABEL}={value}")

    def _large_enough(self, call: Call, size: _Size) -> Package:
        """Choose by memory, disk and CPUs; no memory means the default. Of all that fit, the least memory."""
        needed = size.memory or self.options.default_memory * MIB
        found = self._list(call, f"(name={self.options.prefix}*)")
        fitting = [
            package
            for package in found
            if package["max_physical_memory"] * MIB >= needed
            and (package.get("quota") or 0) * MIB >= size.disk
            and (package.get("cpu_cap") or size.cpus) >= size.cpus
        ]
        if not fitting:
            shown = f"memory={human_size(needed)}"
            shown += f", disk={human_size(size.disk)}" if size.disk else ""
            shown += f", cpus={size.cpus / 100:g}" if size.cpus else ""
            raise InvalidParameter(f"no package supports the given container constraints: {shown}")
        return dict(min(fitting, key=lambda package: package["max_physical_memory"]))

    def _list(self, call: Call, term: str) -> list[Package]:
        """Active packages that the account may use. Both parts of the filter are safe: checked or uuids."""
        owned = f"(|(owner_uuids={call.owner.uuid})(!(owner_uuids=*)))"
        query = f"(&(active=true){owned}{term})"
        now = time.monotonic()
        made, packages = self._lists.get(query, (0.0, []))
        if packages and now - made < self.options.cache_seconds:
            return packages
        packages = call.services.papi.list_packages(query)
        if len(self._lists) >= _MOST_CACHED:
            self._lists.clear()
        self._lists[query] = (now, packages)
        return packages


def _described(package: Package) -> dict[str, Any]:
    """A package as explanations show it, sizes in bytes."""
    sizes = {"Memory": package["max_physical_memory"] * MIB, "Disk": (package.get("quota") or 0) * MIB}
    return {"Name": package["name"], "Uuid": package["uuid"], **sizes}


def _size(limits: Any) -> _Size:
    """Read what limits ask for; what is no number, or no size, is refused further on."""
    given = {name: getattr(limits, name, 0) for name in ("Memory", "NanoCpus", "CpuQuota", "CpuPeriod")}
    memory, nano, quota, period = (max(0, value) if isinstance(value, int) else 0 for value in given.values())
    disk = size_in_bytes((getattr(limits, "StorageOpt", None) or {}).get("size", "")) or 0
    return _Size(memory=memory, disk=disk, cpus=cpu_percent(nano, quota, period))


def human_size(size: int) -> str:
    """``65g``: 1024-based, cut off to a whole number, as sdc-docker writes it."""
    units = "bkmgt"
    step = 0
    while size >= 1024 and step < len(units) - 1:
        size //= 1024
        step += 1
    return f"{size}{units[step]}"

"""``GET /vms``: strict parameters, predicates, sorting and paging."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec

from datacenter.clock import epoch, iso
from datacenter.restify import RestError, is_uuid
from datacenter.services.vmapi.indexes import WALKED
from datacenter.services.vmapi.record import Vm
from datacenter.services.vmapi.table import GONE, VmTable
from datacenter.services.vmapi.validation import BRANDS, Problems
from grammars import ldapfilter, predicates
from grammars.predicates import Compare, Every, Predicate, PredicateError

Doc = dict[str, Any]

EXACT_UUIDS = ("uuid", "owner_uuid", "server_uuid", "image_uuid", "billing_id")
EXACT = (
    *EXACT_UUIDS,
    "package_name",
    "package_version",
    "brand",
    "ram",
    "create_timestamp",
    "alias",
    "docker",
    "state",
)
PAGING = frozenset({"fields", "sort", "limit", "offset", "marker", "predicate", "query", "uuids"})
KNOWN = frozenset({*EXACT, *PAGING})
STATES = frozenset({"running", "stopped", "destroyed", "active"})
LIST_BRANDS = tuple(sorted(BRANDS))
MAX_LIMIT = 1000
PREDICATE_FIELDS = frozenset(
    {
        *EXACT,
        "cpu_cap",
        "cpu_shares",
        "destroyed",
        "firewall_enabled",
        "last_modified",
        "max_physical_memory",
        "max_swap",
        "quota",
        "zone_state",
    },
)
LIST_FIELDS = frozenset(
    {
        "alias",
        "autoboot",
        "billing_id",
        "brand",
        "cpu_cap",
        "cpu_shares",
        "cpu_type",
        "customer_metadata",
        "delegate_dataset",
        "disk_driver",
        "dns_domain",
        "docker",
        "do_not_inventory",
        "firewall_enabled",
        "firewall_rules",
        "fs_allowed",
        "hostname",
        "indestructible_delegated",
        "indestructible_zoneroot",
        "init_name",
        "internal_metadata",
        "kernel_version",
        "last_modified",
        "limit_priv",
        "locality",
        "maintain_resolvers",
        "max_locked_memory",
        "max_lwps",
        "max_physical_memory",
        "max_swap",
        "mdata_exec_timeout",
        "networks",
        "nic_driver",
        "overprovision_cpu",
        "overprovision_memory",
        "owner_uuid",
        "package_name",
        "package_version",
        "quota",
        "ram",
        "resolvers",
        "server_uuid",
        "state",
        "tags",
        "tmpfs",
        "uuid",
        "vcpus",
        "volumes",
        "zfs_data_compression",
        "zfs_io_priority",
        "zfs_root_recsize",
        "zlog_max_size",
        "zone_state",
        "role_tags",
        "*",
    }
)
"""What ``fields`` may name: what a VM is created with, and a little more. Not nics, not image_uuid."""
SORTABLE = frozenset(
    {
        "alias",
        "billing_id",
        "brand",
        "create_timestamp",
        "docker",
        "image_uuid",
        "max_physical_memory",
        "owner_uuid",
        "server_uuid",
        "state",
        "tags",
        "uuid",
    }
)
NATURAL = re.compile(r"0|[1-9][0-9]*")
ALIAS = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\*?")
WORTH_A_WALK = 500
"""Matches from which on sorting them costs more than walking past others."""
MESSAGE = "Invalid Parameters"


class Listing:
    """One list request, checked; ``run`` answers it."""

    def __init__(self, asked: Doc) -> None:
        self._problems = Problems()
        for key in asked:
            if key not in KNOWN and not key.startswith(("tag.", "internal_metadata.")):
                self._problems.add(key, "UnknownParameter", f"Invalid parameter: {key}")
        self._checks: list[Callable[[Vm], bool]] = []
        self._predicates = [*self._exact(asked), *self._predicate(asked)]
        self._match_pairs(asked)
        self._match_query(asked)
        self._sort, self._descending = self._order(asked)
        self._limit = self._number(asked, "limit", MAX_LIMIT, 1, MAX_LIMIT)
        self._offset = self._number(asked, "offset", 0, 0, None)
        self._marker = self._read_marker(asked)
        self.fields = self._fields(asked)
        self._problems.check(MESSAGE)

    def run(self, table: VmTable) -> tuple[list[Vm], int]:
        """The page, and the number of all matches whatever the page."""
        found = self._found(table)
        if self._can_walk and len(found) > WORTH_A_WALK:
            return self._walk(table, set(found)), len(found)
        return self._page(table.pick(found)), len(found)

    def count(self, table: VmTable) -> int:
        """The number of matches; where indexes know them all, no VM is looked at."""
        return len(self._found(table))

    def _found(self, table: VmTable) -> list[str]:
        """The uuids of all matches."""
        found = table.select(self._predicates)
        if not self._checks:
            return found
        return [vm["uuid"] for vm in table.pick(found) if all(check(vm) for check in self._checks)]

    @property
    def _can_walk(self) -> bool:
        """Whether the order asked for is one that is kept: by uuid or by age, downwards."""
        return self._sort is None or (self._sort in {"uuid", WALKED} and self._descending)

    def _walk(self, table: VmTable, found: set[str]) -> list[Vm]:
        """The page out of very many matches, without sorting them: along an order that is kept."""
        marker = self._marker or {}
        if self._sort == WALKED:
            edge = (str(marker[WALKED]), str(marker["uuid"])) if marker else None
            order = table.newest_first(edge)
        else:
            order = table.downwards(str(marker["uuid"]) if marker else None)
        matches = (uuid for uuid in order if uuid in found)
        return table.pick(islice(matches, self._offset, self._offset + self._limit))

    def _exact(self, asked: Doc) -> list[Predicate]:
        parts: list[Predicate] = []
        for field in EXACT:
            value = asked.get(field)
            if value is None:
                continue
            if field in EXACT_UUIDS and not is_uuid(value):
                self._problems.invalid(field, "Invalid UUID")
            elif field == "brand" and value not in BRANDS:
                self._problems.invalid(field, f"Must be one of: {', '.join(LIST_BRANDS)}")
            elif field == "ram" and not NATURAL.fullmatch(str(value)):
                self._problems.invalid(field, "Must be a number")
            elif field == "docker" and str(value) not in {"true", "false"}:
                self._problems.invalid(field, "Must be true or false")
            elif field == "alias" and not ALIAS.fullmatch(str(value)):
                self._problems.invalid(field, "Invalid alias")
            elif field == "create_timestamp":
                parts += self._created(value)
            elif field == "state":
                parts += self._state(value)
            elif field == "alias" and str(value).endswith("*"):
                prefix = str(value)[:-1]
                self._checks.append(lambda vm, prefix=prefix: str(vm["alias"]).startswith(prefix))  # type: ignore[misc]
            else:
                parts.append(Compare("eq", field, value == "true" if field == "docker" else value))
        if asked.get("uuids"):
            parts += self._uuids(str(asked["uuids"]))
        return parts

    def _created(self, value: Any) -> list[Predicate]:
        """A moment in ISO form, or in milliseconds since the epoch."""
        moment = _moment(value)
        if moment is None:
            self._problems.invalid("create_timestamp", f"Invalid timestamp: {value}")
        return [Compare("eq", "create_timestamp", moment)]

    def _uuids(self, text: str) -> list[Predicate]:
        wanted = text.split(",")
        if not all(is_uuid(uuid) for uuid in wanted):
            self._problems.invalid("uuids", "Invalid UUID")
        return [predicates.Some(tuple(Compare("eq", "uuid", uuid) for uuid in wanted))]

    def _state(self, value: Any) -> list[Predicate]:
        if value not in STATES:
            self._problems.invalid("state", f"Must be one of: {', '.join(sorted(STATES))}")
        if value == "active":
            return [Every(tuple(Compare("ne", "state", gone) for gone in sorted(GONE)))]
        return [Compare("eq", "state", value)]

    def _predicate(self, asked: Doc) -> list[Predicate]:
        if not asked.get("predicate"):
            return []
        try:
            predicate = predicates.parse(str(asked["predicate"]))
        except PredicateError as error:
            self._problems.invalid("predicate", str(error))
            return []
        unknown = predicates.fields(predicate) - PREDICATE_FIELDS
        if unknown:
            self._problems.invalid("predicate", f"Invalid predicate field: {', '.join(sorted(unknown))}")
        return [predicate]

    def _match_pairs(self, asked: Doc) -> None:
        """``tag.K=V`` and ``internal_metadata.K=V``."""
        for key, value in asked.items():
            kind, dot, name = key.partition(".")
            if dot and kind in {"tag", "internal_metadata"}:
                home = "tags" if kind == "tag" else kind
                self._checks.append(_pair(home, name, str(value)))

    def _match_query(self, asked: Doc) -> None:
        if asked.get("query"):
            try:
                found = ldapfilter.parse(str(asked["query"]))
            except ldapfilter.FilterError as error:
                self._problems.invalid("query", str(error))
            else:
                self._checks.append(found.matches)

    def _order(self, asked: Doc) -> tuple[str | None, bool]:
        """The field to sort by and whether downwards, which is the default."""
        if not asked.get("sort"):
            return None, True
        field, _, direction = str(asked["sort"]).partition(".")
        if field not in SORTABLE or direction.lower() not in {"", "asc", "desc"}:
            self._problems.invalid("sort", f"Invalid sort: {asked['sort']}")
        return field, direction.lower() != "asc"

    def _number(self, asked: Doc, name: str, default: int, least: int, most: int | None) -> int:
        text = str(asked.get(name, default))
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            self._problems.invalid(name, f"Invalid {name}: {text}")
            return default
        return int(text)

    def _read_marker(self, asked: Doc) -> Doc | None:
        """The last row of the page before: its uuid and its value of the sort field."""
        if not asked.get("marker"):
            return None
        if self._offset:
            told = "offset and marker cannot be used at the same time"
            conflict = {"fields": ["offset", "marker"], "code": "ConflictingParameters", "message": told}
            self._problems.errors.append(conflict)
        try:
            marker = msgspec.json.decode(str(asked["marker"]))
        except msgspec.DecodeError:
            marker = None
        if not isinstance(marker, dict) or not is_uuid(marker.get("uuid")):
            self._problems.invalid("marker", "Must be a JSON object with a uuid")
            return None
        if set(marker) - {"uuid"} != ({self._sort} if self._sort not in (None, "uuid") else set()):
            self._problems.invalid(
                "marker", "All marker keys except uuid must be present in sort, and the other way round"
            )
            return None
        if "create_timestamp" in marker:
            marker["create_timestamp"] = _moment(marker["create_timestamp"])
            if marker["create_timestamp"] is None:
                self._problems.invalid("marker", "Marker has an invalid create_timestamp")
        return marker

    def _fields(self, asked: Doc) -> list[str] | None:
        if not asked.get("fields"):
            return None
        names = str(asked["fields"]).split(",")
        unknown = [name for name in names if name not in LIST_FIELDS]
        if unknown:
            self._problems.invalid("fields", f"Invalid fields: {', '.join(unknown)}")
        return names

    def _page(self, found: list[Vm]) -> list[Vm]:
        found = sorted(found, key=lambda vm: str(vm["uuid"]), reverse=True)
        if self._sort is not None:
            found.sort(key=self._rank, reverse=self._descending)
        if self._marker is None:
            return found[self._offset : self._offset + self._limit]
        after = [vm for vm in found if self._is_after_marker(vm)]
        return after[: self._limit]

    def _rank(self, vm: Doc) -> tuple[bool, Any]:
        value = vm.get(self._sort or "uuid")
        return value is not None, value if isinstance(value, (int, float)) else str(value or "")

    def _is_after_marker(self, vm: Vm) -> bool:
        assert self._marker is not None
        if self._sort not in (None, "uuid"):
            rank, edge = self._rank(vm), self._rank(self._marker)
            if rank != edge:
                return bool(rank < edge if self._descending else rank > edge)
        downwards = self._descending or self._sort != "uuid"
        mine, marked = str(vm["uuid"]), str(self._marker["uuid"])
        return mine < marked if downwards else mine > marked


def _pair(home: str, name: str, value: str) -> Callable[[Vm], bool]:
    def check(vm: Vm) -> bool:
        held = vm[home].get(name)
        text = str(held).lower() if isinstance(held, bool) else str(held)
        return held is not None and text == value

    return check


def _moment(value: Any) -> str | None:
    """A moment as VMs have it, from its ISO form or from milliseconds since the epoch; None for neither."""
    text = str(value)
    try:
        return iso(int(text) / 1000) if text.isdecimal() else iso(epoch(text))
    except (ValueError, OverflowError, OSError):
        return None


def pick(vm: Vm, names: list[str] | None, role_tags: Callable[[str], list[str]]) -> Vm:
    """The fields asked for; without any all of them, but for the role tags, which are looked up when asked for."""
    if names is None:
        return vm
    everything = "*" in names
    shown = dict(vm) if everything else {name: vm[name] for name in names if name in vm}
    if everything or "role_tags" in names:
        shown["role_tags"] = role_tags(vm["uuid"])
    return shown


def check_owner(vm: Vm | None, asked: Doc) -> Vm:
    """The VM, if it is the owner's that was named. Raises RestError ResourceNotFound."""
    owner = asked.get("owner_uuid")
    if owner is not None and not is_uuid(owner):
        raise RestError(409, "ValidationFailed", MESSAGE, [{"field": "owner_uuid", "code": "Invalid"}])
    if vm is None or (owner is not None and vm["owner_uuid"] != owner):
        raise RestError(404, "ResourceNotFound", "VM not found")
    return vm

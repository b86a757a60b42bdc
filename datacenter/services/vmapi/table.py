"""The VMs of the data center, with the indexes that keep ten thousand of them quick to search."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from datacenter.store import Store
from grammars.predicates import Compare, Predicate, Some

Vm = dict[str, Any]

GONE = frozenset({"destroyed", "failed"})
INDEXED = ("owner_uuid", "alias", "state", "server_uuid")
KEEP_DESTROYED = 1000
"""Destroyed VMs that stay listable; older ones are forgotten."""
GIB_IN_MIB = 1024


@dataclass(slots=True)
class Promised:
    """What the VMs of one server may use: cpu in percent of a core, ram and disk in MiB."""

    cpu: int = 0
    ram: int = 0
    disk: int = 0


class VmTable:
    """VM records by uuid, found by owner, alias, state, server or uuid prefix without looking at all of them."""

    def __init__(self, store: Store) -> None:
        self._docs = store.bucket("vms")
        self._by: dict[str, dict[Any, dict[str, None]]] = {field: {} for field in INDEXED}
        self._sorted: list[str] = []
        self._promised: dict[str, Promised] = {}
        self._docs.watch(self._index)

    def watch(self, watcher: Callable[[str, Vm | None, Vm | None], None]) -> None:
        """Have every change told from now on."""
        self._docs.watch(watcher)

    def get(self, uuid: str) -> Vm | None:
        return self._docs.get(uuid)

    def put(self, vm: Vm) -> Vm:
        self._docs.put(vm["uuid"], vm)
        if vm["state"] == "destroyed":
            self._forget_old()
        return vm

    def delete(self, uuid: str) -> None:
        self._docs.delete(uuid)

    def all(self) -> list[Vm]:
        return self._docs.all()

    def where(self, field: str, value: Any) -> list[Vm]:
        """VMs by one of the INDEXED fields, oldest first."""
        return self._pick(self._by[field].get(value, ()))

    def active(self, field: str, value: Any) -> list[Vm]:
        """VMs by one of the INDEXED fields that are neither destroyed nor failed."""
        return [vm for vm in self.where(field, value) if vm["state"] not in GONE]

    def named(self, owner_uuid: str, alias: str) -> Vm | None:
        """The one active VM of that name."""
        found = [vm for vm in self.active("alias", alias) if vm["owner_uuid"] == owner_uuid]
        return found[0] if found else None

    def promised(self, server_uuid: str) -> Promised:
        return self._promised.get(server_uuid) or Promised()

    def starting_with(self, prefix: str) -> list[str]:
        """Uuids by prefix."""
        first = bisect_left(self._sorted, prefix)
        last = first
        while last < len(self._sorted) and self._sorted[last].startswith(prefix):
            last += 1
        return self._sorted[first:last]

    def matching(self, predicates: Iterable[Predicate]) -> list[Vm]:
        """VMs that satisfy all predicates; the narrowest index any of them offers is searched."""
        parts = list(predicates)
        sets = [uuids for part in parts if (uuids := self._candidates(part)) is not None]
        vms = self._pick(_narrowest(sets)) if sets else self._docs.all()
        return [vm for vm in vms if all(part.matches(vm) for part in parts)]

    def _candidates(self, predicate: Predicate) -> Collection[str] | None:
        """A superset of the uuids that can match, from an index; None when no index helps."""
        if isinstance(predicate, Compare):
            return self._candidates_of_one(predicate)
        sets = [self._candidates(part) for part in predicate.parts]
        if isinstance(predicate, Some):
            known = [found for found in sets if found is not None]
            return dict.fromkeys(uuid for found in known for uuid in found) if len(known) == len(sets) else None
        known = [found for found in sets if found is not None]
        return _narrowest(known) if known else None

    def _candidates_of_one(self, compare: Compare) -> Collection[str] | None:
        if compare.op != "eq":
            return None
        if compare.field == "uuid":
            prefix = compare.prefix
            return (str(compare.constant),) if prefix is None else self.starting_with(prefix)
        index = self._by.get(compare.field)
        return None if index is None else index.get(compare.constant, ())

    def _pick(self, uuids: Iterable[str]) -> list[Vm]:
        return [vm for uuid in uuids if (vm := self._docs.get(uuid)) is not None]

    def _index(self, uuid: str, before: Vm | None, after: Vm | None) -> None:
        if before is None:
            insort(self._sorted, uuid)
        elif after is None:
            del self._sorted[bisect_left(self._sorted, uuid)]
        for field, index in self._by.items():
            old, new = (vm and vm.get(field) for vm in (before, after))
            if old != new or before is None or after is None:
                if before is not None and uuid in index.get(old, ()):
                    index[old].pop(uuid)
                    if not index[old]:
                        del index[old]
                if after is not None:
                    index.setdefault(new, {})[uuid] = None
        self._promise(before, -1)
        self._promise(after, +1)

    def _promise(self, vm: Vm | None, sign: int) -> None:
        if vm is None or vm["state"] in GONE or not vm.get("server_uuid"):
            return
        total = self._promised.setdefault(vm["server_uuid"], Promised())
        total.cpu += sign * (vm.get("cpu_cap") or 0)
        total.ram += sign * (vm.get("max_physical_memory") or 0)
        total.disk += sign * (vm.get("quota") or 0) * GIB_IN_MIB

    def _forget_old(self) -> None:
        destroyed = self._by["state"].get("destroyed", {})
        while len(destroyed) > KEEP_DESTROYED:
            self.delete(next(iter(destroyed)))


def _narrowest(sets: list[Collection[str]]) -> Collection[str]:
    return min(sets, key=len)

"""The VMs of the data center, with the indexes that keep ten thousand of them quick to search."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from datacenter.services.vmapi.indexes import INDEXED, Indexes
from datacenter.store import Store
from grammars.predicates import Compare, Every, Predicate, Some

__all__ = ["GONE", "INDEXED", "Promised", "VmTable"]

Vm = dict[str, Any]

GONE = frozenset({"destroyed", "failed"})
ACTIVE = tuple(Compare("ne", "state", state) for state in sorted(GONE))
EXACT = frozenset({"eq", "ne"})
KEEP = 1000
"""Destroyed VMs that stay listable, and failed ones; older ones are forgotten."""
GIB_IN_MIB = 1024


@dataclass(slots=True)
class Promised:
    """What the VMs of one server may use: cpu in percent of a core, ram and disk in MiB."""

    cpu: int = 0
    ram: int = 0
    disk: int = 0


class VmTable:
    """VM records by uuid, found by owner, alias, state, server or uuid prefix without looking at all of them.

    ``examined`` counts the records that were looked at: what a request costs, whatever the machine.
    """

    def __init__(self, store: Store) -> None:
        self._docs = store.bucket("vms")
        self._indexes = Indexes()
        self._promised: dict[str, Promised] = {}
        self.examined = 0
        self._docs.watch(self._index)

    def watch(self, watcher: Callable[[str, Vm | None, Vm | None], None]) -> None:
        """Have every change told from now on."""
        self._docs.watch(watcher)

    def get(self, uuid: str) -> Vm | None:
        self.examined += 1
        return self._docs.get(uuid)

    def put(self, vm: Vm) -> Vm:
        self._docs.put(vm["uuid"], vm)
        if vm["state"] in GONE:
            self._forget_old(vm["state"])
        return vm

    def delete(self, uuid: str) -> None:
        self._docs.delete(uuid)

    def all(self) -> list[Vm]:
        self.examined += len(self._docs)
        return self._docs.all()

    def where(self, field: str, value: Any) -> list[Vm]:
        """VMs by one of the INDEXED fields, oldest first."""
        return self.pick(self._indexes.holds(field, value))

    def active(self, field: str, value: Any) -> list[Vm]:
        """VMs by one of the INDEXED fields that are neither destroyed nor failed."""
        return self.pick(self.select([Compare("eq", field, value), *ACTIVE]))

    def named(self, owner_uuid: str, alias: str) -> Vm | None:
        """The one active VM of that name."""
        found = self.select([Compare("eq", "alias", alias), Compare("eq", "owner_uuid", owner_uuid), *ACTIVE])
        return self.get(found[0]) if found else None

    def promised(self, server_uuid: str) -> Promised:
        return self._promised.get(server_uuid) or Promised()

    def starting_with(self, prefix: str) -> list[str]:
        """Uuids by prefix."""
        return self._indexes.starting_with(prefix)

    def matching(self, predicates: Iterable[Predicate]) -> list[Vm]:
        """VMs that satisfy all predicates."""
        return self.pick(self.select(predicates))

    def select(self, predicates: Iterable[Predicate]) -> list[str]:
        """The uuids of the VMs that satisfy all predicates, in no order.

        What indexes know is answered by them alone, from the narrowest on; a record is looked at for the rest.
        """
        wanted: list[Collection[str]] = []
        unwanted: list[Collection[str]] = []
        rest: list[Predicate] = []
        states: list[Any] = []
        for part in _flat(predicates):
            known = self._indexes.equal(part) if isinstance(part, Compare) and part.op in EXACT else None
            if known is None or not isinstance(part, Compare):
                rest.append(part)
            elif part.op == "eq":
                wanted.append(known)
            elif part.field == "state":
                states.append(part.constant)
            else:
                unwanted.append(known)
        supersets = [uuids for part in rest if (uuids := self._candidates(part)) is not None]
        found = self._narrowed([*wanted, *supersets], unwanted, states)
        return [uuid for uuid in found if self._satisfies(uuid, rest)] if rest else found

    def _narrowed(self, wanted: list[Collection[str]], unwanted: list[Collection[str]], states: list[Any]) -> list[str]:
        """The uuids that are in all wanted sets, in none of the unwanted, and of VMs in none of the states."""
        sets = sorted(wanted, key=len)
        if sets:
            found = [uuid for uuid in sets[0] if uuid in self._docs]
            unwanted = [*unwanted, *(self._indexes.holds("state", state) for state in states)]
        else:
            found = self._indexes.but("state", states)
        for uuids in sets[1:]:
            found = [uuid for uuid in found if uuid in uuids]
        for uuids in unwanted:
            if uuids:
                found = [uuid for uuid in found if uuid not in uuids]
        return found

    def pick(self, uuids: Iterable[str]) -> list[Vm]:
        """The records of uuids; those that are not there are left out."""
        return [vm for uuid in uuids if (vm := self.get(uuid)) is not None]

    def newest_first(self, before: tuple[str, str] | None = None) -> Iterator[str]:
        return self._indexes.newest_first(before)

    def downwards(self, before: str | None = None) -> Iterator[str]:
        return self._indexes.downwards(before)

    def _satisfies(self, uuid: str, predicates: list[Predicate]) -> bool:
        vm = self.get(uuid)
        return vm is not None and all(part.matches(vm) for part in predicates)

    def _candidates(self, predicate: Predicate) -> Collection[str] | None:
        """A superset of the uuids that can match, from an index; None when no index helps."""
        if isinstance(predicate, Compare):
            return self._indexes.equal(predicate) if predicate.op == "eq" else None
        known = [found for part in predicate.parts if (found := self._candidates(part)) is not None]
        if isinstance(predicate, Some):
            whole = len(known) == len(predicate.parts)
            return dict.fromkeys(uuid for found in known for uuid in found) if whole else None
        return min(known, key=len) if known else None

    def _index(self, uuid: str, before: Vm | None, after: Vm | None) -> None:
        self._indexes.change(uuid, before, after)
        self._promise(before, -1)
        self._promise(after, +1)

    def _promise(self, vm: Vm | None, sign: int) -> None:
        if vm is None or vm["state"] in GONE or not vm.get("server_uuid"):
            return
        total = self._promised.setdefault(vm["server_uuid"], Promised())
        total.cpu += sign * (vm.get("cpu_cap") or 0)
        total.ram += sign * (vm.get("max_physical_memory") or 0)
        total.disk += sign * (vm.get("quota") or 0) * GIB_IN_MIB

    def _forget_old(self, state: str) -> None:
        while len(gone := self._indexes.holds("state", state)) > KEEP:
            self.delete(next(iter(gone)))


def _flat(predicates: Iterable[Predicate]) -> Iterator[Predicate]:
    """The predicates that all have to hold, one by one."""
    for part in predicates:
        if isinstance(part, Every):
            yield from _flat(part.parts)
        else:
            yield part

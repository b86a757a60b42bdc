"""Sets of VM uuids, kept as VMs change: who owns what, what is where, what is in which state, what is how old."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator
from typing import Any

from grammars.predicates import Compare

Vm = dict[str, Any]

INDEXED = ("owner_uuid", "alias", "state", "server_uuid", "docker")
WALKED = "create_timestamp"
"""The field by which clients page through everything."""
NOTHING: dict[str, None] = {}


class Indexes:
    """Uuids by the value of each of INDEXED, in order, and in the order of their age."""

    def __init__(self) -> None:
        self.by: dict[str, dict[Any, dict[str, None]]] = {field: {} for field in INDEXED}
        self._uuids: list[str] = []
        self._times: list[tuple[str, str]] = []

    def change(self, uuid: str, before: Vm | None, after: Vm | None) -> None:
        """Take in that a VM came, changed or went."""
        if before is None:
            insort(self._uuids, uuid)
        elif after is None:
            del self._uuids[bisect_left(self._uuids, uuid)]
        for field, index in self.by.items():
            _move(index, uuid, *((vm.get(field) if vm is not None else ...) for vm in (before, after)))
        old, new = (None if vm is None else (_time(vm), uuid) for vm in (before, after))
        if old != new:
            if old is not None:
                del self._times[bisect_left(self._times, old)]
            if new is not None:
                insort(self._times, new)

    def holds(self, field: str, value: Any) -> dict[str, None]:
        """The uuids of the VMs whose field has a value, in the order in which they got it."""
        return self.by[field].get(value, NOTHING)

    def equal(self, compare: Compare) -> Collection[str] | None:
        """Exactly the uuids of the VMs whose field equals a constant; None where there is no index."""
        if compare.field == "uuid":
            prefix = compare.prefix
            return (str(compare.constant),) if prefix is None else frozenset(self.starting_with(prefix))
        if compare.field not in self.by:
            return None
        return self.holds(compare.field, _key(compare.field, compare.constant))

    def but(self, field: str, values: Collection[Any]) -> list[str]:
        """The uuids of the VMs whose field has none of some values."""
        return [uuid for value, uuids in self.by[field].items() if value not in values for uuid in uuids]

    def starting_with(self, prefix: str) -> list[str]:
        """Uuids by prefix, in order."""
        first = bisect_left(self._uuids, prefix)
        last = bisect_left(self._uuids, prefix + "\U0010ffff")
        return self._uuids[first:last]

    def newest_first(self, before: tuple[str, str] | None = None) -> Iterator[str]:
        """All uuids by age, those of one age by uuid downwards; ``before`` is the (time, uuid) to begin after."""
        end = len(self._times) if before is None else bisect_left(self._times, before)
        return (self._times[place][1] for place in range(end - 1, -1, -1))

    def downwards(self, before: str | None = None) -> Iterator[str]:
        """All uuids from the last to the first; ``before`` is the one to begin after."""
        end = len(self._uuids) if before is None else bisect_left(self._uuids, before)
        return (self._uuids[place] for place in range(end - 1, -1, -1))


def _time(vm: Vm) -> str:
    return str(vm.get(WALKED) or "")


def _key(field: str, constant: Any) -> Any:
    """The key under which an index has what equals a constant: query strings carry booleans as text."""
    if field == "docker":
        return constant if isinstance(constant, bool) else str(constant) == "true"
    return str(constant) if isinstance(constant, (int, float)) and not isinstance(constant, bool) else constant


def _move(index: dict[Any, dict[str, None]], uuid: str, old: Any, new: Any) -> None:
    """Take a uuid from one value to another; ``...`` is no value, before a VM comes and after it went."""
    if old == new and type(old) is type(new):
        return
    if old is not ...:
        index[old].pop(uuid)
        if not index[old]:
            del index[old]
    if new is not ...:
        index.setdefault(new, {})[uuid] = None

"""The ledger of an instance: everything that is held somewhere for a container, and what is held for nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

GONE = frozenset({"destroyed", "failed"})
NOBODY = ""


@dataclass(frozen=True, slots=True)
class Held:
    """One thing: its kind, its name, and the VM that it is held for; NOBODY when it may be there for nobody."""

    kind: str
    name: str
    owner: str = NOBODY
    while_running: bool = False
    """The owner must run; else it is enough that it is there."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was found. ``vms`` is VMAPI's word for the state of each VM, those that are gone too."""

    vms: Mapping[str, str]
    held: tuple[Held, ...]
    due: tuple[Held, ...] = field(default=())
    """What the VMs that are there must have."""

    def without_owner(self) -> set[str]:
        """Name what is there for no VM that could have it: a leak."""
        return {f"{one.kind}: {one.name}" for one in self.held if not self._has(one)}

    def missing(self) -> set[str]:
        """Name what a VM that is there should have, and has not."""
        found = {(one.kind, one.owner) for one in self.held}
        return {f"no {one.kind}: {one.owner}" for one in self.due if (one.kind, one.owner) not in found}

    def unsettled(self) -> set[str]:
        """Name VMs that nobody is making or moving any more, but that are still in between."""
        return {f"vm {state}: {uuid}" for uuid, state in self.vms.items() if state not in {"running", "stopped", *GONE}}

    def wrong(self) -> set[str]:
        return self.without_owner() | self.missing() | self.unsettled()

    def _has(self, one: Held) -> bool:
        state = self.vms.get(one.owner, "destroyed")
        return state == "running" if one.while_running else state not in GONE


def ledger(vms: Mapping[str, str], held: Iterable[Held], due: Iterable[Held] = ()) -> Ledger:
    return Ledger(dict(vms), tuple(held), tuple(due))

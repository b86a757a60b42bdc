"""One row of the table of options: what becomes of a query parameter, a header or a field of a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.versions import FLOOR, ApiVersion


class Fate(StrEnum):
    """What becomes of an option."""

    HONOURED = "honoured"
    MAPPED = "mapped"
    """It becomes something of the data center's; the note says what."""
    PLAIN = "accepted"
    """It changes nothing, as on a Docker host: the client's own business, or of another platform."""
    WARNED = "ignored, with a warning"
    REFUSED = "refused"


class Place(StrEnum):
    BODY = "body"
    QUERY = "query"
    HEADER = "header"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A value that fares otherwise than its option, or as it, and what the client is told word for word.

    ``says`` is (part of) the refusal's message, or a whole warning. ``beside`` is what else the body must hold.
    """

    value: Any
    fate: Fate
    says: str
    status: int = 0
    beside: Mapping[str, Any] = field(default_factory=dict)
    version: ApiVersion | None = None
    unless: str = ""
    """Capability with which it fares as its option after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A row. ``name`` is the path in the body (``HostConfig.PidMode``) or the name of the parameter or header."""

    operation: str
    place: Place
    name: str
    fate: Fate
    note: str = ""
    """For users: what it means here, where that is not what it means on a Docker host."""
    needs: str = ""
    """Capability without which it fares as ``without`` says."""
    without: Fate = Fate.WARNED
    since: ApiVersion = FLOOR
    until: ApiVersion | None = None
    """The last version that has it."""
    key: str = ""
    """Key of ``docker:linux`` that carries it to the compute node."""
    unset: tuple[Any, ...] = ()
    """Values, beside the default, that ask for nothing."""
    samples: tuple[Any, ...] = ()
    """Values that inspect must show again."""
    proof: str = ""
    """Where no sample can show it: the test that does, ``path::name``."""
    cases: tuple[Case, ...] = ()

    @property
    def leaf(self) -> str:
        return self.name.rpartition(".")[2]


def no_effect(name: str) -> str:
    """Return the warning about an option that nothing here honours."""
    return f"{name} is not supported by this data center and has no effect."

"""What an action comes to once it is checked: the workflow that does it, and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from datacenter.services.vmapi.record import Vm

Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """A job to be queued. ``params`` join those that every job of a VM has; ``timeout`` replaces the workflow's."""

    workflow: str
    params: Doc = field(default_factory=dict)
    timeout: int | None = None


Planner = Callable[[Vm, Doc], Plan]
"""Checks what is asked of a VM. Raises RestError for what can't be done."""

"""What a workflow is: its name and version, its chain, and what undoes or tidies up after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from datacenter.workflow.job import Job

Step = Callable[["Job"], str | None]
WAIT = "wait"
"""What a step returns whose result comes from outside: its job is ``waiting`` until somebody resumes it."""
MAX_ATTEMPTS = 10
"""How often a job is begun before it is given up."""


@dataclass(frozen=True, slots=True)
class Task:
    """One named step. It returns what is recorded as its result (``OK`` when None), or WAIT, or raises TaskError."""

    name: str
    run: Step
    timeout: float = 60.0

    def definition(self) -> dict[str, Any]:
        """The step as WFAPI shows it; there is no source text to show."""
        return {"name": self.name, "timeout": int(self.timeout), "retry": 1}


@dataclass(frozen=True, slots=True)
class Workflow:
    """A chain of tasks, with the tasks to run when it fails and when it is cancelled.

    ``resumable`` says that the chain may be run again from its start after a crash of this process, because
    each of its tasks finds its own traces; other jobs are failed, and undone by ``onerror``. ``brought`` is the
    definition of one that a client brought, and under whose name and uuid it is shown.
    """

    task: str
    version: str
    timeout: int
    chain: tuple[Task, ...]
    onerror: tuple[Task, ...] = ()
    oncancel: tuple[Task, ...] = ()
    resumable: bool = True
    brought: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        if self.brought is not None:
            return str(self.brought["name"])
        return f"{self.task.replace('_', '-')}-{self.version}"

    @property
    def uuid(self) -> str:
        if self.brought is not None:
            return str(self.brought["uuid"])
        return str(uuid5(NAMESPACE_URL, f"workflow:{self.name}"))

    @property
    def max_attempts(self) -> int:
        return int((self.brought or {}).get("max_attempts", MAX_ATTEMPTS))

    def definition(self) -> dict[str, Any]:
        """The workflow as WFAPI shows it."""
        if self.brought is not None:
            return self.brought
        return {
            "name": self.name,
            "timeout": self.timeout,
            "chain": [task.definition() for task in self.chain],
            "onerror": [task.definition() for task in self.onerror],
            "oncancel": [task.definition() for task in self.oncancel],
            "uuid": self.uuid,
            "max_attempts": MAX_ATTEMPTS,
            "version": self.version,
        }

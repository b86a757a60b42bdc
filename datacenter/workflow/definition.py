"""What a workflow is: its name and version, its chain, and what undoes or tidies up after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from datacenter.workflow.job import Job

Step = Callable[["Job"], str | None]


@dataclass(frozen=True, slots=True)
class Task:
    """One named step. It returns what is recorded as its result (``OK`` when None) or raises TaskError."""

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
    each of its tasks finds its own traces; other jobs are failed, and undone by ``onerror``.
    """

    task: str
    version: str
    timeout: int
    chain: tuple[Task, ...]
    onerror: tuple[Task, ...] = ()
    oncancel: tuple[Task, ...] = ()
    resumable: bool = True

    @property
    def name(self) -> str:
        return f"{self.task.replace('_', '-')}-{self.version}"

    @property
    def uuid(self) -> str:
        return str(uuid5(NAMESPACE_URL, f"workflow:{self.name}"))

    def definition(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "timeout": self.timeout,
            "chain": [task.definition() for task in self.chain],
            "onerror": [task.definition() for task in self.onerror],
            "oncancel": [task.definition() for task in self.oncancel],
            "uuid": self.uuid,
            "max_attempts": 10,
            "version": self.version,
        }

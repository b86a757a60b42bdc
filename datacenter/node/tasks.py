"""What a task is: a name, a function of the node and its parameters, a result or a TaskError."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datacenter.node.agent import Node

Params = dict[str, Any]
Result = dict[str, Any]
Task = Callable[["Node", Params], Result]
"""Each family module has ``TASKS: dict[str, Task]``; agent.py joins them. A task runs in its own greenlet."""


class TaskError(Exception):
    """A task that failed: the rest code CNAPI passes on, and a sentence. ``details`` joins the answer's details."""

    def __init__(self, rest_code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.rest_code = rest_code
        self.message = message
        self.details = details

    def body(self) -> Result:
        return {"error": self.message, "details": {"restCode": self.rest_code, "message": self.message, **self.details}}

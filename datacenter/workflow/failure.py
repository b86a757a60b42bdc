"""How a task of a job fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datacenter.restify import RestError


class TaskError(Exception):
    """A task could not do its work; ends its job.

    ``rest_code`` is what clients match on (``VmNotRunning``, ``InitNotFound``), ``status`` the HTTP status
    when the task's maker gave one, ``errors`` what a service said of single fields.
    """

    def __init__(
        self, rest_code: str, message: str, status: int | None = None, errors: Sequence[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(message)
        self.rest_code = rest_code
        self.message = message
        self.status = status
        self.errors = errors

    @classmethod
    def of(cls, error: RestError) -> TaskError:
        return cls(error.code, error.message, error.status, error.errors)

    def record(self) -> dict[str, Any]:
        """The error as it stands in a job's chain_results."""
        record: dict[str, Any] = {"name": self.rest_code, "message": self.message, "restCode": self.rest_code}
        if self.status is not None:
            record["statusCode"] = self.status
        if self.errors:
            record["body"] = {"code": self.rest_code, "message": self.message, "errors": list(self.errors)}
        return record

    def rest(self) -> RestError:
        """The error as an HTTP answer: its own code when it has a status, else InternalError."""
        if self.status is None:
            return RestError(500, "InternalError", self.message)
        return RestError(self.status, self.rest_code, self.message, list(self.errors) if self.errors else None)

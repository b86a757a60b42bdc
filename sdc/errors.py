"""What can go wrong between the gateway and an SDC service. Inner details stay on the exception, for the log."""

from __future__ import annotations

from typing import Any


class SdcError(Exception):
    """A service refused: HTTP status, rest code, sentence and per-field errors as it sent them.

    ``code`` is the service's word (``ResourceNotFound``, ``ValidationFailed``); match on it and the status.
    """

    def __init__(
        self, service: str, status: int, code: str, message: str, errors: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(f"{service}: {status} {code}: {message}")
        self.service = service
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors or []

    def field_errors(self, code: str) -> list[str]:
        """Names of the fields that were refused with the given code (``Duplicate``, say)."""
        return [str(error.get("field")) for error in self.errors if error.get("code") == code]


class SdcUnavailable(SdcError):
    """The service could not be reached, or answered 503: worth trying again."""


class SdcTimeout(SdcUnavailable):
    """The service did not answer in time; what was asked may still happen."""

"""Error kinds, and the one map from kind to HTTP status and Docker's ``{"message": ...}``.

Everything above raises kinds with Docker's own sentence; only this module knows numbers.
Facts: moby ``daemon/server/httpstatus``.
"""

from __future__ import annotations

from collections.abc import Mapping

from sdc.errors import SdcError as ServiceError
from sdc.errors import SdcUnavailable as ServiceUnavailable

__all__ = [
    "Conflict",
    "DeadlineExceeded",
    "DockerError",
    "Explained",
    "Forbidden",
    "InternalError",
    "InvalidParameter",
    "NotFound",
    "NotImplementedHere",
    "NotModified",
    "QuotaExceeded",
    "RateLimited",
    "ServiceError",
    "ServiceUnavailable",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
]
"""``ServiceError`` is what a client in ``call.services`` raises; members of the chain may catch it by this name."""


class DockerError(Exception):
    """A refusal whose sentence reaches the client word for word.

    ``headers`` are added to the reply (``Retry-After``, say). The exception chain (``raise ... from``)
    carries what operators need; it is logged and never shown.
    """

    status = 500

    def __init__(self, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = dict(headers or {})


class NotModified(DockerError):
    """The container already is what was asked for. Sent as 304 with no body."""

    status = 304


class InvalidParameter(DockerError):
    status = 400


class Unauthorized(DockerError):
    status = 401


class Forbidden(DockerError):
    status = 403


class QuotaExceeded(Forbidden):
    """A provision limit of the account would be passed."""


class NotFound(DockerError):
    status = 404


class Conflict(DockerError):
    status = 409


class Explained(DockerError):
    """Nothing was done, as was asked for: the message tells what would have been."""

    status = 422


class TooLarge(DockerError):
    status = 413


class RateLimited(DockerError):
    status = 429


class InternalError(DockerError):
    """Something broke behind the gateway; the message says what was tried, never why it failed inside."""

    status = 500


class NotImplementedHere(DockerError):
    """The data center or this gateway cannot do it; the message names what is missing and what to do instead."""

    status = 501


class Unavailable(DockerError):
    status = 503


class DeadlineExceeded(Unavailable):
    """A job or a service took longer than the call may take."""

    status = 504

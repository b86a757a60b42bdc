"""What goes wrong between us and a registry, in IMGAPI's words."""

from __future__ import annotations


class RegistryError(Exception):
    """A registry refused, lied or was out of reach.

    ``code`` is IMGAPI's (RemoteSourceError, UnauthorizedError, ResourceNotFound, Download, NotImplemented ...),
    ``message`` is the registry's own sentence or Docker's, fit for the person who pulls: no secrets.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unreachable(RegistryError):
    """The registry could not be talked to at all; another endpoint may do."""

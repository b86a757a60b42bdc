"""What can be wrong with a Dockerfile."""

from __future__ import annotations


class DockerfileError(ValueError):
    """The author's mistake, in Docker's words. ``line`` is where, counted from 1, when that is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line

"""What a client is told of an error, in Docker's form; who answers without Flask tells it the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import structlog

from gateway.errors import DockerError, InternalError, NotModified
from gateway.versions import FLOOR, ApiVersion
from gateway.wire.ndjson import encode_json

logger = structlog.get_logger("gateway")


class Asked(NamedTuple):
    """The request, as far as its refusal needs it; the version as it was asked for, None when there was none."""

    method: str
    path: str
    request_id: str
    version: ApiVersion | None


class Answer(NamedTuple):
    """A whole reply; without a content type there is no body."""

    status: int
    headers: Mapping[str, str]
    data: bytes
    content_type: str


def answer_to(error: Exception, asked: Asked) -> Answer:
    """Docker's form of an error; plain text for clients too old to read JSON.

    A fault of ours: the client learns that and the request id, the log learns everything.
    """
    if not isinstance(error, DockerError):
        logger.error("unexpected error", path=asked.path, method=asked.method, exc_info=error)
        message = f"internal error (request id {asked.request_id})" if asked.request_id else "internal error"
        return Answer(500, {}, encode_json({"message": message}), "application/json")
    if isinstance(error, InternalError):
        logger.error("internal error", path=asked.path, reason=error.message, cause=repr(error.__cause__))
    if isinstance(error, NotModified):
        return Answer(304, error.headers, b"", "")
    if asked.version is not None and asked.version < FLOOR:
        return Answer(error.status, {}, f"{error.message}\n".encode(), "text/plain; charset=utf-8")
    return Answer(error.status, error.headers, encode_json({"message": error.message}), "application/json")

"""Give every call an id that its client, the log, the services and the jobs share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import uuid4

import structlog

from gateway.call import Call, Reply
from gateway.errors import DockerError
from middleware.base import Middleware

HEADER = "X-Request-Id"
ID_HEADERS = ("request-id", "x-request-id")
_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


def given_id(headers: Mapping[str, str]) -> str:
    """Return the id that a client gives its request, "" when it gives none that is taken; names in lower case."""
    given = (headers.get(name, "") for name in ID_HEADERS)
    return next((text for text in given if _FORM.fullmatch(text)), "")


class RequestId(Middleware):
    """Take the client's ``Request-Id`` or ``X-Request-Id``, else make a UUID; send it back as ``X-Request-Id``.

    The client's word ends up in logs and in headers to the services, so one that is longer than 128
    characters or has others than letters, digits and ``_.:-`` is not taken. The id says nothing about who
    the client is, and two calls may bear the same one.
    """

    name = "request_id"

    def before(self, call: Call) -> None:
        call.request_id = given_id(call.headers) or call.request_id or str(uuid4())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(req_id=call.request_id, operation=call.operation.name)

    def after(self, call: Call, reply: Reply) -> None:
        reply.headers[HEADER] = call.request_id

    def failed(self, call: Call, error: Exception) -> None:
        if isinstance(error, DockerError):
            error.headers.setdefault(HEADER, call.request_id)

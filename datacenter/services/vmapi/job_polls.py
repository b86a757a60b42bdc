"""The one request that comes a hundred times more often than any other: is the job done?"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from datacenter.restify import encode, manners
from datacenter.workflow.engine import Engine
from datacenter.workflow.job import trimmed

Environ = dict[str, Any]
Application = Callable[..., Iterable[bytes]]

PREFIX = "/jobs/"
PATH_LENGTH = len(PREFIX) + 36


class JobPolls:
    """Answer ``GET /jobs/:uuid`` of a known job in front of Flask, which would cost many times the work itself.

    Everything else, an unknown job too, goes on to the application.
    """

    def __init__(self, application: Application, jobs: Engine, name: str, server: str) -> None:
        self._application = application
        self._jobs = jobs
        self._name = name
        self._server = server

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if len(path) == PATH_LENGTH and path.startswith(PREFIX) and environ["REQUEST_METHOD"] == "GET":
            began = time.monotonic()
            doc = self._jobs.get(path[len(PREFIX) :])
            if doc is not None:
                body = encode(trimmed(doc))
                request_id = environ.get("HTTP_X_REQUEST_ID") or str(uuid.uuid4())
                headers = manners(self._name, self._server, request_id, began)
                headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
                start_response("200 OK", headers)
                return [body]
        return self._application(environ, start_response)
